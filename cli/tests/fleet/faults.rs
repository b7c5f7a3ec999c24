//! The blows of the storms: what each does, and the proof that it met work.

use crate::{
    common::program::until,
    daemon::Daemon,
    env::TestEnv,
    fleet::{Dead, Fleet, Held, Worker},
    takeovers,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::{sync::Arc, thread::sleep, time::Duration};

/// What a storm does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SIGKILL of some workers, one after the other; each is started again.
    WorkersKilled,
    /// SIGKILL of all workers at once.
    AllWorkersKilled,
    /// SIGSTOP of a worker inside a chunk's transaction, for longer than its lease.
    WorkerFrozen,
    /// SIGKILL of the queue's server, or its orderly end; it is started again.
    RedisRestarted,
    /// FLUSHALL.
    RedisEmptied,
    /// SIGSTOP of the queue's server.
    RedisFrozen,
    /// The same with the database's server.
    MariaDbRestarted,
    /// SIGSTOP of the database's server, for longer than the leases.
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

const STEPS: [&str; 3] = ["dayStatisticsStep", "dayRevenueStep", "periodRollupStep"];

/// The blow met no partition at work: the day was settled before.
pub(crate) struct Missed;

/// The longest that the database's server is frozen: longer than the leases.
const FREEZE_MS: u64 = 4_000;

/// A storm's blow.
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
        let step = STEPS[self.rng.random_range(0..STEPS.len())];
        self.until_at_work(step)?;
        self.pause(300);
        let servers = Arc::clone(&self.env.servers);
        let (redis, mariadb) = (&servers.redis, &servers.mariadb);
        match kind {
            Kind::WorkerFrozen => unreachable!("done above"),
            Kind::WorkersKilled => self.kill_workers(),
            Kind::AllWorkersKilled => self.kill_all(),
            Kind::Everything => self.kill_everything(),
            Kind::RedisEmptied => self.strike_at_work(|_| {
                redis.ask(self.env.number, &["FLUSHALL"]);
            }),
            Kind::RedisRestarted => {
                let met = self.strike_at_work(|fault| fault.end(&redis.daemon));
                self.pause(1_500);
                redis.daemon.start_again();
                redis.until_ready();
                met
            }
            Kind::RedisFrozen => {
                let met = self.strike_at_work(|_| redis.daemon.signal("STOP"));
                self.pause(3_000);
                redis.daemon.signal("CONT");
                met
            }
            // Nobody works while it is away: what was STARTED then is so when it is back.
            Kind::MariaDbRestarted => self.strike_at_work(|fault| {
                fault.end(&mariadb.daemon);
                fault.pause(2_000);
                mariadb.daemon.start_again();
                mariadb.until_ready();
            }),
            Kind::MariaDbFrozen => self.strike_at_work(|fault| {
                mariadb.daemon.signal("STOP");
                fault.pause(FREEZE_MS);
                mariadb.daemon.signal("CONT");
            }),
        }
    }

    /// Ends a server, in order or not.
    fn end(&mut self, server: &Daemon) {
        if self.rng.random() {
            server.kill();
        } else {
            server.stop();
        }
    }

    /// Strikes, and answers how many partitions were STARTED before and after.
    fn strike_at_work(&mut self, inject: impl FnOnce(&mut Self)) -> Result<String, Missed> {
        let before = self.started();
        inject(self);
        let after = self.started();
        if before == 0 || after == 0 {
            return Err(Missed);
        }
        Ok(format!("{before}, then {after} partitions STARTED"))
    }

    /// Kills one to three workers one after the other, and starts each again.
    fn kill_workers(&mut self) -> Result<String, Missed> {
        let deaths = self.rng.random_range(1..self.fleet.workers.len());
        let mut orphans = Vec::new();
        for _ in 0..deaths {
            let victim = self.rng.random_range(0..self.fleet.workers.len());
            if self.until_it_holds(victim).is_err() {
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
        // None of them works any more: all die in one moment.
        let dead: Vec<Dead> = self.fleet.workers.drain(..).map(Worker::kill).collect();
        let orphans: Vec<Vec<Held>> = dead
            .iter()
            .filter_map(|dead| self.orphans_of(dead))
            .collect();
        *self.fleet = Fleet::start(self.env, dead.len());
        self.taken_over(&orphans)
    }

    fn kill_everything(&mut self) -> Result<String, Missed> {
        let victim = self.rng.random_range(0..self.fleet.workers.len());
        self.until_it_holds(victim)?;
        let servers = Arc::clone(&self.env.servers);
        let dead = self.fleet.workers.remove(victim).kill();
        let orphans: Vec<Vec<Held>> = self.orphans_of(&dead).into_iter().collect();
        servers.mariadb.daemon.kill();
        servers.redis.daemon.kill();
        self.pause(1_000);
        servers.mariadb.daemon.start_again();
        servers.redis.daemon.start_again();
        servers.mariadb.until_ready();
        servers.redis.until_ready();
        let call = self.env.balance(&["worker"]);
        let successor = Worker::start(self.env, call);
        self.fleet.workers.insert(victim, successor);
        self.taken_over(&orphans)
    }

    /// The one that was told to stops itself before it commits a chunk. Its successor completes
    /// the partition meanwhile; then it wakes.
    fn freeze_worker(&mut self) -> Result<String, Missed> {
        let frozen = &self.fleet.workers[0];
        let mut is_over = false;
        until("a worker to freeze, or the day's end", || {
            is_over = self.is_settled();
            is_over || frozen.is_frozen()
        });
        let owned = frozen.claims(self.env);
        let is_inside = owned.iter().any(|owned| self.is_being_written(owned));
        if is_over || !is_inside {
            // Awake for its SIGTERM.
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
        assert!(frozen.is_frozen(), "its successors were faster");
        frozen.signal("CONT");
        until("the sleeper to find its claim lost", || {
            frozen.stderr().contains("claim lost")
        });
        Ok(format!("{} claims taken over while frozen", owned.len()))
    }

    /// Whether an open transaction holds a partition's row.
    fn is_being_written(&self, owned: &Held) -> bool {
        self.env.database.is_locked(&format!(
            "SELECT VERSION FROM BATCH_STEP_EXECUTION WHERE STEP_EXECUTION_ID = {}",
            owned.step
        ))
    }

    /// What a dead worker leaves STARTED, if anything.
    fn orphans_of(&self, dead: &Dead) -> Option<Vec<Held>> {
        let orphans = dead.claims(self.env);
        (!orphans.is_empty()).then_some(orphans)
    }

    /// Each orphan comes to an end by another worker's hand.
    fn taken_over(&self, orphans: &[Vec<Held>]) -> Result<String, Missed> {
        if orphans.is_empty() {
            return Err(Missed);
        }
        let mut count = 0;
        for owned in orphans {
            let taken_over = owned
                .iter()
                .filter(|owned| takeovers::until_completed(self.env, owned))
                .count();
            assert!(taken_over > 0, "nobody took over {owned:?}");
            count += taken_over;
        }
        let deaths = orphans.len();
        Ok(format!(
            "{deaths} killed at work, {count} claims taken over"
        ))
    }

    fn until_at_work(&self, step: &str) -> Result<(), Missed> {
        let started = format!(
            "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION \
             WHERE STATUS = 'STARTED' AND STEP_NAME LIKE '{step}:partition%'"
        );
        self.until_or_settled("a partition to start", || {
            self.env.database.number(&started) > 0
        })
    }

    fn until_it_holds(&self, worker: usize) -> Result<(), Missed> {
        let worker = &self.fleet.workers[worker];
        self.until_or_settled("a worker to hold a claim", || {
            !worker.claims(self.env).is_empty()
        })
    }

    fn until_or_settled(&self, what: &str, mut claims: impl FnMut() -> bool) -> Result<(), Missed> {
        let mut is_over = false;
        until(what, || {
            is_over = self.is_settled();
            is_over || claims()
        });
        if is_over { Err(Missed) } else { Ok(()) }
    }

    fn is_settled(&self) -> bool {
        self.env
            .database
            .rows("SELECT STATUS FROM BATCH_JOB_EXECUTION")
            == ["COMPLETED"]
    }

    /// How many partitions are at work.
    fn started(&self) -> u64 {
        self.env.database.number(
            "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION \
             WHERE STATUS = 'STARTED' AND STEP_NAME LIKE '%:partition%'",
        )
    }

    /// Chance decides on the moment, at most so far away.
    fn pause(&mut self, most_ms: u64) {
        sleep(Duration::from_millis(self.rng.random_range(0..=most_ms)));
    }
}
