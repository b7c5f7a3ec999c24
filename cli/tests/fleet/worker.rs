//! Worker processes.

use crate::env::TestEnv;
use balance_test_support::process::{Call, Outcome, Running, signal, until};

/// A worker process.
pub(crate) struct Worker {
    running: Running,
    /// The name of the worker in the registry and in leases.
    pub(crate) name: String,
}

impl Worker {
    /// Starts a worker, and waits until it is registered.
    pub(crate) fn start(env: &TestEnv, call: Call) -> Self {
        Self::registered(env, call.start())
    }

    fn registered(env: &TestEnv, mut running: Running) -> Self {
        let of_process = format!(
            "SELECT name FROM worker WHERE process_id = {}",
            running.id()
        );
        let mut name = None;
        until("a worker to register", || {
            assert!(!running.has_ended(), "a worker ended: {}", running.stderr());
            name = env.database.rows(&of_process).pop();
            name.is_some()
        });
        Self {
            running,
            name: name.unwrap_or_default(),
        }
    }

    /// Sends SIGKILL, and waits for the end of the process.
    pub(crate) fn kill(mut self) -> KilledWorker {
        self.running.kill();
        let outcome = self.running.wait();
        assert!(outcome.was_killed(), "{outcome:#?}");
        KilledWorker { name: self.name }
    }

    /// Sends a signal. The name is without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.running.id(), name);
    }

    /// Sends SIGTERM, and waits for the end of the process.
    pub(crate) fn end(self) -> Outcome {
        self.running.terminate();
        self.running.wait()
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(self) -> Outcome {
        self.running.wait()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.running.has_ended()
    }

    pub(crate) fn stderr(&self) -> String {
        self.running.stderr()
    }

    /// Whether SIGSTOP has stopped the process.
    pub(crate) fn is_frozen(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.running.id()));
        // The state comes after the name, which is in brackets.
        let state = stat
            .unwrap()
            .rsplit_once(") ")
            .map(|(_, rest)| rest.starts_with('T'));
        state == Some(true)
    }

    /// Returns the STARTED partitions that the worker owns.
    pub(crate) fn claims(&self, env: &TestEnv) -> Vec<OwnedClaim> {
        owned(env, &self.name)
    }
}

/// A killed worker.
pub(crate) struct KilledWorker {
    name: String,
}

impl KilledWorker {
    /// Returns the worker's partitions that no other worker has taken over.
    pub(crate) fn claims(&self, env: &TestEnv) -> Vec<OwnedClaim> {
        owned(env, &self.name)
    }
}

/// A STARTED partition and its claim token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedClaim {
    pub(crate) step: String,
    pub(crate) token: String,
}

fn owned(env: &TestEnv, worker: &str) -> Vec<OwnedClaim> {
    let rows = env.database.rows(&format!(
        "SELECT l.step_execution_id, l.claim_token FROM step_lease l \
         JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = l.step_execution_id \
         WHERE s.STATUS = 'STARTED' AND s.STEP_NAME LIKE '%:partition%' \
         AND l.claim_token IS NOT NULL AND l.worker = '{worker}'"
    ));
    let owned = rows.iter().map(|row| {
        let (step, token) = row.split_once('|').unwrap();
        OwnedClaim {
            step: step.to_owned(),
            token: token.to_owned(),
        }
    });
    owned.collect()
}

/// Several workers. If the test fails, their standard error is printed.
pub(crate) struct Fleet {
    pub(crate) workers: Vec<Worker>,
}

impl Fleet {
    /// Starts a number of workers at once.
    pub(crate) fn start(env: &TestEnv, count: usize) -> Self {
        Self::of(env, (0..count).map(|_| env.balance(&["worker"])))
    }

    /// Starts one worker for each call, all at once.
    pub(crate) fn of(env: &TestEnv, calls: impl Iterator<Item = Call>) -> Self {
        let started: Vec<Running> = calls.map(Call::start).collect();
        let workers = started
            .into_iter()
            .map(|running| Worker::registered(env, running))
            .collect();
        Self { workers }
    }

    /// Sends SIGTERM to all workers, and asserts exit code 0.
    pub(crate) fn end(mut self) {
        for worker in &self.workers {
            worker.signal("TERM");
        }
        for worker in self.workers.drain(..) {
            worker.wait().succeeded();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for worker in &self.workers {
                eprintln!(
                    "--- standard error of {}:\n{}",
                    worker.name,
                    worker.stderr()
                );
            }
        }
    }
}
