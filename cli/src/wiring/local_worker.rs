//! The worker of this process.

use crate::{progress, wiring::App};
use balance_batch::execution::JobExecutionId;
use balance_service::jobs::launcher::Launcher;
use balance_store::{LockOutcome, ProcessLock, StoreResult};
use balance_worker::{Worker, settings::WorkerMode};
use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

/// A launcher, and the worker in this process, if there is one.
pub(crate) struct LocalWorker {
    pub(crate) launcher: Launcher,
    /// Executions of processes that are no longer registered: running when this process had the
    /// database to itself.
    pub(crate) orphaned: Vec<JobExecutionId>,
    pub(crate) worker: Option<Worker>,
    /// Whether no registered worker was alive at the last check.
    is_worker_missing: AtomicBool,
    _lock: Option<ProcessLock>,
}

impl LocalWorker {
    /// Prints a message if no registered worker is alive, and again each time the last one
    /// disappears. Prints nothing if this process has a worker.
    pub(crate) async fn report_missing_worker(&self) -> StoreResult<()> {
        if self.worker.is_some() {
            return Ok(());
        }
        let is_missing = self.launcher.store.slots().await? == 0;
        let was_missing = self.is_worker_missing.swap(is_missing, Ordering::Relaxed);
        if is_missing && !was_missing {
            progress::line(
                "no worker is registered; the work waits until `balance serve` or \
                 `balance worker` runs",
            );
        }
        Ok(())
    }

    /// Stops the worker. Fails if a running chunk does not finish within `GRACE_S`; another worker
    /// then repeats it.
    pub(crate) async fn stop(self) -> ExitCode {
        let Some(worker) = self.worker else {
            return ExitCode::SUCCESS;
        };
        if worker.stop().await {
            return ExitCode::SUCCESS;
        }
        progress::line("running chunks did not finish within GRACE_S; other workers repeat them");
        ExitCode::FAILURE
    }
}

impl App {
    /// Determines whether other processes use the database. On SQLite by the lock file: a process
    /// with exclusive use expires all leases at once, and admits others by
    /// [`ProcessLock::share`]. On a server by the registry of workers.
    pub(crate) async fn join(&self) -> anyhow::Result<(Option<ProcessLock>, LockOutcome)> {
        let Some(path) = &self.lock_path else {
            let outcome = match self.store.slots().await? {
                0 => LockOutcome::Exclusive,
                _ => LockOutcome::Shared,
            };
            return Ok((None, outcome));
        };
        let (lock, outcome) = ProcessLock::take(path)?;
        if outcome == LockOutcome::Exclusive {
            self.store.expire_all_leases().await?;
        }
        Ok((Some(lock), outcome))
    }

    /// Starts a worker in this process.
    pub(crate) async fn start_worker(&self, mode: WorkerMode) -> anyhow::Result<LocalWorker> {
        self.check_stream().await?;
        self.check_ids().await?;
        let (lock, outcome) = self.join().await?;
        let orphaned = match outcome {
            LockOutcome::Exclusive => self.store.running().await?,
            LockOutcome::Shared => Vec::new(),
        };
        if let Some(lock) = &lock {
            lock.share()?;
        }
        let (launcher, backend) = self.launcher();
        let settings = self.settings.processing.worker()?;
        let events = self.events.clone();
        let worker = Worker::start(launcher.clone(), settings, backend, events, mode).await;
        Ok(LocalWorker {
            launcher,
            orphaned,
            worker: Some(worker),
            is_worker_missing: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// Returns the launcher of a one-shot command, with a worker unless `no_work` is set.
    pub(crate) async fn local_worker(&self, no_work: bool) -> anyhow::Result<LocalWorker> {
        if !no_work {
            return self.start_worker(WorkerMode::OneShot).await;
        }
        let local_worker = LocalWorker {
            launcher: self.launcher().0,
            orphaned: Vec::new(),
            worker: None,
            is_worker_missing: AtomicBool::new(false),
            _lock: None,
        };
        local_worker.report_missing_worker().await?;
        Ok(local_worker)
    }
}
