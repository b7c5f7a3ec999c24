//! Worker processes on one place.

use crate::{
    common::program::{Call, Outcome, Running, signal, until},
    env::TestEnv,
};

/// A worker's process.
pub(crate) struct Worker {
    running: Running,
    /// What it is called in the registry and in leases.
    pub(crate) name: String,
}

impl Worker {
    /// Starts a worker, and waits until the registry shows it.
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

    /// SIGKILL, and the wait for its end.
    pub(crate) fn kill(mut self) -> Dead {
        self.running.kill();
        let outcome = self.running.wait();
        assert!(outcome.was_killed(), "{outcome:#?}");
        Dead { name: self.name }
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.running.id(), name);
    }

    /// SIGTERM, and the wait for its end.
    pub(crate) fn end(self) -> Outcome {
        self.running.terminate();
        self.running.wait()
    }

    /// The end of a process that was asked to, or ends by itself.
    pub(crate) fn wait(self) -> Outcome {
        self.running.wait()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.running.has_ended()
    }

    pub(crate) fn stderr(&self) -> String {
        self.running.stderr()
    }

    /// Whether the process is stopped by SIGSTOP.
    pub(crate) fn is_frozen(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.running.id()));
        // The state comes after the name, which is in brackets.
        let state = stat
            .unwrap()
            .rsplit_once(") ")
            .map(|(_, rest)| rest.starts_with('T'));
        state == Some(true)
    }

    /// The STARTED partitions that it has a lease on.
    pub(crate) fn claims(&self, env: &TestEnv) -> Vec<Held> {
        owned(env, &self.name)
    }
}

/// A worker that was killed.
pub(crate) struct Dead {
    name: String,
}

impl Dead {
    /// What it held when it died, and nobody has taken over yet.
    pub(crate) fn claims(&self, env: &TestEnv) -> Vec<Held> {
        owned(env, &self.name)
    }
}

/// A STARTED partition under a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) step: String,
    pub(crate) token: String,
}

fn owned(env: &TestEnv, worker: &str) -> Vec<Held> {
    let rows = env.database.rows(&format!(
        "SELECT l.step_execution_id, l.claim_token FROM step_lease l \
         JOIN BATCH_STEP_EXECUTION s ON s.STEP_EXECUTION_ID = l.step_execution_id \
         WHERE s.STATUS = 'STARTED' AND s.STEP_NAME LIKE '%:partition%' \
         AND l.claim_token IS NOT NULL AND l.worker = '{worker}'"
    ));
    let owned = rows.iter().map(|row| {
        let (step, token) = row.split_once('|').unwrap();
        Held {
            step: step.to_owned(),
            token: token.to_owned(),
        }
    });
    owned.collect()
}

/// Several workers. What they said is shown where the test fails.
pub(crate) struct Fleet {
    pub(crate) workers: Vec<Worker>,
}

impl Fleet {
    /// Starts so many workers at once.
    pub(crate) fn start(env: &TestEnv, count: usize) -> Self {
        Self::of(env, (0..count).map(|_| env.balance(&["worker"])))
    }

    /// Starts workers by these calls, all at once.
    pub(crate) fn of(env: &TestEnv, calls: impl Iterator<Item = Call>) -> Self {
        let started: Vec<Running> = calls.map(Call::start).collect();
        let workers = started
            .into_iter()
            .map(|running| Worker::registered(env, running))
            .collect();
        Self { workers }
    }

    /// SIGTERM to all; each ends with exit code 0.
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
                eprintln!("--- {} said:\n{}", worker.name, worker.stderr());
            }
        }
    }
}
