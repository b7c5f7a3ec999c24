//! The faults of the chaos runs, and the proof that each one affected running partitions.

use crate::{
    env::TestEnv,
    takeovers,
    worker::{Fleet, KilledWorker, OwnedClaim, Worker},
};
use balance_test_support::{day_job::partitioned_steps, process::until, servers::Daemon};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::{sync::Arc, thread::sleep, time::Duration};

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SIGKILL of some workers, one after the other; each is replaced.
    WorkersKilled,
    /// SIGKILL of all workers at once.
    AllWorkersKilled,
    /// SIGSTOP of a worker inside a chunk's transaction, for longer than its lease.
    WorkerFrozen,
    /// SIGKILL or SIGTERM of Redis, and a restart.
    RedisRestarted,
    /// FLUSHALL.
    RedisEmptied,
    /// SIGSTOP of Redis.
    RedisFrozen,
    /// SIGKILL or SIGTERM of MariaDB, and a restart.
    MariaDbRestarted,
    /// SIGSTOP of MariaDB, for longer than the leases.
    MariaDbFrozen,
    /// SIGKILL of a worker and of both servers.
    Everything,
}

pub(crate) const KINDS: [Kind; 9] = [
    Kind::WorkersKilled,
    Kind::AllWorkersKilled,
    Kind::WorkerFrozen,
    Kind::RedisRestarted,
    Kind::RedisEmptied,
    Kind::RedisFrozen,
    Kind::MariaDbRestarted,
    Kind::MariaDbFrozen,
    Kind::Everything,
];

/// The fault affected no running partition: the day was settled before.
pub(crate) struct Missed;

/// The longest freeze of MariaDB in milliseconds: longer than the leases.
const FREEZE_MS: u64 = 4_000;

/// The fault of a chaos run.
pub(crate) struct Fault<'a> {
    pub(crate) env: &'a TestEnv,
    pub(crate) fleet: &'a mut Fleet,
    pub(crate) rng: ChaCha8Rng,
}

impl Fault<'_> {
    pub(crate) fn inject(&mut self, kind: Kind) -> Result<String, Missed> {
        if kind == Kind::WorkerFrozen {
            return self.freeze_worker();
        }
        let steps = partitioned_steps();
        let step = steps[self.rng.random_range(0..steps.len())];
        self.until_running(step)?;
        self.pause(300);
        let servers = Arc::clone(&self.env.servers);
        let (redis, mariadb) = (&servers.redis, &servers.mariadb);
        match kind {
            Kind::WorkerFrozen => unreachable!("handled above"),
            Kind::WorkersKilled => self.kill_workers(),
            Kind::AllWorkersKilled => self.kill_all(),
            Kind::Everything => self.kill_everything(),
            Kind::RedisEmptied => self.inject_while_running(|_| {
                redis.command(self.env.number, &["FLUSHALL"]);
            }),
            Kind::RedisRestarted => {
                let result = self.inject_while_running(|fault| fault.end(&redis.daemon));
                self.pause(1_500);
                redis.daemon.restart();
                redis.until_ready();
                result
            }
            Kind::RedisFrozen => {
                let result = self.inject_while_running(|_| redis.daemon.signal("STOP"));
                self.pause(3_000);
                redis.daemon.signal("CONT");
                result
            }
            // No worker proceeds while MariaDB is unavailable: STARTED partitions stay STARTED.
            Kind::MariaDbRestarted => self.inject_while_running(|fault| {
                fault.end(&mariadb.daemon);
                fault.pause(2_000);
                mariadb.daemon.restart();
                mariadb.until_ready();
            }),
            Kind::MariaDbFrozen => self.inject_while_running(|fault| {
                mariadb.daemon.signal("STOP");
                fault.pause(FREEZE_MS);
                mariadb.daemon.signal("CONT");
            }),
        }
    }

    /// Ends a server with SIGKILL or SIGTERM.
    fn end(&mut self, server: &Daemon) {
        if self.rng.random() {
            server.kill();
        } else {
            server.stop();
        }
    }

    /// Injects a fault, and returns the numbers of STARTED partitions before and after.
    fn inject_while_running(&mut self, inject: impl FnOnce(&mut Self)) -> Result<String, Missed> {
        let before = self.started();
        inject(self);
        let after = self.started();
        if before == 0 || after == 0 {
            return Err(Missed);
        }
        Ok(format!("{before}, then {after} partitions STARTED"))
    }

    /// Kills one to three workers one after the other, and replaces each.
    fn kill_workers(&mut self) -> Result<String, Missed> {
        let deaths = self.rng.random_range(1..self.fleet.workers.len());
        let mut orphans = Vec::new();
        for _ in 0..deaths {
            let victim = self.rng.random_range(0..self.fleet.workers.len());
            if self.until_it_owns(victim).is_err() {
                break;
            }
            self.pause(20);
            let dead = self.fleet.workers.remove(victim).kill();
            orphans.extend(self.orphans_of(&dead));
            let call = self.env.balance(&["worker"]);
            let successor = Worker::start(self.env, call);
            self.fleet.workers.insert(victim, successor);
            self.pause(300);
        }
        self.taken_over(&orphans)
    }

    fn kill_all(&mut self) -> Result<String, Missed> {
        for worker in &self.fleet.workers {
            worker.signal("STOP");
        }
        // The stopped workers make no progress, so all end at the same point.
        let dead: Vec<KilledWorker> = self.fleet.workers.drain(..).map(Worker::kill).collect();
        let orphans: Vec<Vec<OwnedClaim>> = dead
            .iter()
            .filter_map(|dead| self.orphans_of(dead))
            .collect();
        *self.fleet = Fleet::start(self.env, dead.len());
        self.taken_over(&orphans)
    }

    fn kill_everything(&mut self) -> Result<String, Missed> {
        let victim = self.rng.random_range(0..self.fleet.workers.len());
        self.until_it_owns(victim)?;
        let servers = Arc::clone(&self.env.servers);
        let dead = self.fleet.workers.remove(victim).kill();
        let orphans: Vec<Vec<OwnedClaim>> = self.orphans_of(&dead).into_iter().collect();
        servers.mariadb.daemon.kill();
        servers.redis.daemon.kill();
        self.pause(1_000);
        servers.mariadb.daemon.restart();
        servers.redis.daemon.restart();
        servers.mariadb.until_ready();
        servers.redis.until_ready();
        let call = self.env.balance(&["worker"]);
        let successor = Worker::start(self.env, call);
        self.fleet.workers.insert(victim, successor);
        self.taken_over(&orphans)
    }

    /// The first worker stops itself before it commits a chunk. Another worker completes the
    /// partition meanwhile; then the first worker continues.
    fn freeze_worker(&mut self) -> Result<String, Missed> {
        let frozen = &self.fleet.workers[0];
        let mut is_over = false;
        until("a frozen worker, or the end of the day", || {
            is_over = self.is_settled();
            is_over || frozen.is_frozen()
        });
        let owned = frozen.claims(self.env);
        let is_inside = owned.iter().any(|owned| self.is_being_written(owned));
        if is_over || !is_inside {
            // The worker must run to handle SIGTERM.
            frozen.signal("CONT");
            return Err(Missed);
        }
        for owned in &owned {
            let is_taken_over = takeovers::until_completed(self.env, owned);
            assert!(is_taken_over, "{owned:?} was completed by a frozen worker");
        }
        if self.rng.random() {
            until("the day's end", || self.is_settled());
        }
        assert!(frozen.is_frozen(), "the worker is no longer frozen");
        frozen.signal("CONT");
        until("the frozen worker to find its claim lost", || {
            frozen.stderr().contains("claim lost")
        });
        Ok(format!("{} claims taken over while frozen", owned.len()))
    }

    /// Whether an open transaction has locked a partition's row.
    fn is_being_written(&self, owned: &OwnedClaim) -> bool {
        self.env.database.is_locked(&format!(
            "SELECT VERSION FROM BATCH_STEP_EXECUTION WHERE STEP_EXECUTION_ID = {}",
            owned.step
        ))
    }

    /// Returns the STARTED partitions of a killed worker, if any.
    fn orphans_of(&self, dead: &KilledWorker) -> Option<Vec<OwnedClaim>> {
        let orphans = dead.claims(self.env);
        (!orphans.is_empty()).then_some(orphans)
    }

    /// Waits until other workers have completed the orphaned partitions.
    fn taken_over(&self, orphans: &[Vec<OwnedClaim>]) -> Result<String, Missed> {
        if orphans.is_empty() {
            return Err(Missed);
        }
        let mut count = 0;
        for owned in orphans {
            let taken_over = owned
                .iter()
                .filter(|owned| takeovers::until_completed(self.env, owned))
                .count();
            assert!(taken_over > 0, "no worker took over {owned:?}");
            count += taken_over;
        }
        let deaths = orphans.len();
        Ok(format!(
            "{deaths} workers killed, {count} claims taken over"
        ))
    }

    fn until_running(&self, step: &str) -> Result<(), Missed> {
        let started = format!(
            "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION \
             WHERE STATUS = 'STARTED' AND STEP_NAME LIKE '{step}:partition%'"
        );
        self.until_or_settled("a partition to start", || {
            self.env.database.number(&started) > 0
        })
    }

    fn until_it_owns(&self, worker: usize) -> Result<(), Missed> {
        let worker = &self.fleet.workers[worker];
        self.until_or_settled("a worker to own a claim", || {
            !worker.claims(self.env).is_empty()
        })
    }

    fn until_or_settled(
        &self,
        what: &str,
        mut is_true: impl FnMut() -> bool,
    ) -> Result<(), Missed> {
        let mut is_over = false;
        until(what, || {
            is_over = self.is_settled();
            is_over || is_true()
        });
        if is_over { Err(Missed) } else { Ok(()) }
    }

    fn is_settled(&self) -> bool {
        self.env
            .database
            .rows("SELECT STATUS FROM BATCH_JOB_EXECUTION")
            == ["COMPLETED"]
    }

    /// Returns the number of running partitions.
    fn started(&self) -> u64 {
        self.env.database.number(
            "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION \
             WHERE STATUS = 'STARTED' AND STEP_NAME LIKE '%:partition%'",
        )
    }

    /// Sleeps for a random time, at most a number of milliseconds.
    fn pause(&mut self, most_ms: u64) {
        sleep(Duration::from_millis(self.rng.random_range(0..=most_ms)));
    }
}
