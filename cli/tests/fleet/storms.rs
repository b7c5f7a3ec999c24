//! Storms: a settlement by four workers during which something dies, freezes or forgets. Whatever
//! it is, the rows are those of an undisturbed run, and nobody has to help.
//!
//! `TEST_STORMS` sets how many (24), `TEST_SEED` the seed.

use crate::{
    common::{
        dump::assert_same,
        program::{told, until},
    },
    fleet::{Dead, Fleet, Held, Worker},
    place::Place,
    plays,
    servers::Servers,
    takeovers,
};
use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

const DAY: &str = "2024-03-30";
const VIDEOS: u64 = 20_000;
const WORKERS: usize = 4;
const LEASE_S: u64 = 2;
const STORMS: u64 = 24;
/// A blow that meets nothing at work is tried again, with another seed.
const ATTEMPTS: u64 = 8;

/// What a storm does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// SIGKILL of some workers, one after the other; each is started again.
    WorkersKilled,
    /// SIGKILL of all workers at once.
    AllWorkersKilled,
    /// SIGSTOP of a worker inside a chunk's transaction, for longer than its lease.
    WorkerFrozen,
    /// SIGKILL of the queue's server.
    RedisKilled,
    /// FLUSHALL.
    RedisEmptied,
    /// SIGSTOP of the queue's server.
    RedisFrozen,
    /// SIGKILL of the database's server.
    MariaDbKilled,
    /// SIGSTOP of the database's server, for longer than the leases.
    MariaDbFrozen,
}

const KINDS: [Kind; 8] = [
    Kind::WorkersKilled,
    Kind::AllWorkersKilled,
    Kind::WorkerFrozen,
    Kind::RedisKilled,
    Kind::RedisEmptied,
    Kind::RedisFrozen,
    Kind::MariaDbKilled,
    Kind::MariaDbFrozen,
];

const STEPS: [&str; 3] = ["dayStatisticsStep", "dayRevenueStep", "periodRollupStep"];

/// The blow met no partition at work: the day was settled before.
struct Missed;

struct Storms {
    place: Place,
    expected: Vec<String>,
}

#[test]
fn storms_leave_the_rows_of_an_undisturbed_run() {
    let seed: u64 = told("TEST_SEED").map_or_else(rand::random, |seed| {
        seed.parse().expect("TEST_SEED is a number")
    });
    let count = told("TEST_STORMS").map_or(STORMS, |count| {
        count.parse().expect("TEST_STORMS is a number")
    });
    eprintln!("TEST_SEED={seed}");
    let storms = Storms::prepare();
    let mut kinds = KINDS;
    let mut order = ChaCha8Rng::seed_from_u64(seed);
    for (number, place) in (0..count).zip((0..KINDS.len()).cycle()) {
        if place == 0 {
            kinds.shuffle(&mut order);
        }
        storms.storm(number, kinds[place], &mut order);
    }
}

impl Storms {
    /// A place with plays, and what an undisturbed run makes of them.
    fn prepare() -> Self {
        let began = Instant::now();
        let place = Place::new(&Servers::start())
            .with("LEASE_S", LEASE_S)
            .with("PARTITIONS", 32)
            .with("CHUNK_SIZE", 50)
            .with("WORKER_CONCURRENCY", 2)
            .with("CHUNK_TIMEOUT_S", 10)
            .with("BALANCE_LOG", "info");
        place.import(&plays::day(DAY, VIDEOS));
        takeovers::watch(&place);
        let settled = place.balance(&["settle", "--date", DAY]).run();
        settled.succeeded();
        place.assert_all_complete(1, "undisturbed");
        let expected = place.results();
        let of_videos = |table: &str| {
            let rows = expected.iter();
            rows.filter(|row| row.starts_with(table)).count() as u64
        };
        assert_eq!(of_videos("video_statistics"), VIDEOS);
        assert_eq!(of_videos("video_revenue"), VIDEOS);
        assert_eq!(of_videos("period_rollup"), 2 * VIDEOS);
        eprintln!("{VIDEOS} videos, ready after {:?}", began.elapsed());
        Self { place, expected }
    }

    /// One storm, until its blow has landed.
    fn storm(&self, number: u64, kind: Kind, seeds: &mut impl Rng) {
        for _ in 0..ATTEMPTS {
            let seed: u64 = seeds.random();
            let what = format!("storm {number}, {kind:?}, seed {seed}");
            let began = Instant::now();
            match self.attempt(kind, seed, &what) {
                Ok(blow) => {
                    eprintln!("{what}: {blow}; {:?}", began.elapsed());
                    return;
                }
                Err(Missed) => eprintln!("{what}: met nothing at work"),
            }
        }
        panic!("storm {number}, {kind:?}: no blow landed");
    }

    /// Answers what the blow met.
    fn attempt(&self, kind: Kind, seed: u64, what: &str) -> Result<String, Missed> {
        let place = &self.place;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        place.unsettle();
        takeovers::forget(place);
        // Somewhere in the day, but for the process that is to freeze: its first chunks.
        let freeze_at = (kind == Kind::WorkerFrozen).then(|| rng.random_range(2..60_u32));
        let calls = (0..WORKERS).map(|number| {
            let call = place.balance(&["worker"]);
            match freeze_at {
                Some(chunk) if number == 0 => call.env("BALANCE_FREEZE_AT_CHUNK", chunk),
                _ => call,
            }
        });
        // The day is over, and no instance of it is there: they launch it.
        let mut fleet = Fleet::of(place, calls);
        let mut blow = Blow {
            place,
            fleet: &mut fleet,
            rng,
        };
        let met = blow.strike(kind);
        place.until_settled(1, what);
        fleet.end();
        place.assert_all_complete(1, what);
        assert_same(&place.results(), &self.expected, what);
        let verified = place.balance(&["verify"]).run();
        assert!(verified.is_ok(), "{what}: {verified:#?}");
        met
    }
}

/// A storm's blow.
struct Blow<'a> {
    place: &'a Place,
    fleet: &'a mut Fleet,
    rng: ChaCha8Rng,
}

impl Blow<'_> {
    fn strike(&mut self, kind: Kind) -> Result<String, Missed> {
        if kind == Kind::WorkerFrozen {
            return self.freeze_worker();
        }
        let step = STEPS[self.rng.random_range(0..STEPS.len())];
        self.until_at_work(step)?;
        self.pause(300);
        match kind {
            Kind::WorkersKilled => self.kill_workers(),
            Kind::AllWorkersKilled => self.kill_all(),
            Kind::WorkerFrozen => unreachable!("done above"),
            Kind::RedisKilled => self.strike_redis(|blow| {
                let redis = &blow.place.servers.redis;
                redis.daemon.kill();
                blow.pause(1_500);
                redis.daemon.start_again();
                redis.until_ready();
            }),
            Kind::RedisEmptied => self.strike_redis(|blow| {
                let redis = &blow.place.servers.redis;
                redis.ask(blow.place.number, &["FLUSHALL"]);
            }),
            Kind::RedisFrozen => self.strike_redis(|blow| {
                let redis = &blow.place.servers.redis;
                redis.daemon.signal("STOP");
                blow.pause(3_000);
                redis.daemon.signal("CONT");
            }),
            Kind::MariaDbKilled => self.strike_database(|blow| {
                let mariadb = &blow.place.servers.mariadb;
                mariadb.daemon.kill();
                blow.pause(2_000);
                mariadb.daemon.start_again();
                mariadb.until_ready();
            }),
            Kind::MariaDbFrozen => self.strike_database(|blow| {
                let mariadb = &blow.place.servers.mariadb;
                mariadb.daemon.signal("STOP");
                blow.pause(LEASE_S * 2_000);
                mariadb.daemon.signal("CONT");
            }),
        }
    }

    /// Kills one to three workers one after the other, and starts each again.
    fn kill_workers(&mut self) -> Result<String, Missed> {
        let deaths = self.rng.random_range(1..WORKERS);
        let mut orphans = Vec::new();
        for _ in 0..deaths {
            let victim = self.rng.random_range(0..WORKERS);
            if self.until_it_holds(victim).is_err() {
                break;
            }
            self.pause(20);
            let dead = self.fleet.workers.remove(victim).kill();
            orphans.extend(self.orphans_of(&dead));
            let call = self.place.balance(&["worker"]);
            let successor = Worker::start(self.place, call);
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
        *self.fleet = Fleet::start(self.place, WORKERS);
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
        let held = frozen.holds(self.place);
        if is_over || held.is_empty() {
            // Awake for its SIGTERM.
            frozen.signal("CONT");
            return Err(Missed);
        }
        for held in &held {
            takeovers::until_completed_by_another(self.place, held);
        }
        if self.rng.random() {
            until("the day's end", || self.is_settled());
        }
        assert!(frozen.is_frozen(), "its successors were faster");
        frozen.signal("CONT");
        Ok(format!(
            "{} claims taken over from a frozen worker",
            held.len()
        ))
    }

    /// What happens to the queue's server reaches nobody's work.
    fn strike_redis(&mut self, strike: impl Fn(&mut Self)) -> Result<String, Missed> {
        let before = self.started();
        strike(self);
        let after = self.started();
        let takeovers = takeovers::count(self.place);
        if before == 0 || after == 0 {
            return Err(Missed);
        }
        Ok(format!(
            "{before} partitions STARTED; {takeovers} takeovers"
        ))
    }

    fn strike_database(&mut self, strike: impl Fn(&mut Self)) -> Result<String, Missed> {
        let before = self.started();
        strike(self);
        if before == 0 || self.started() == 0 {
            return Err(Missed);
        }
        Ok(format!("{before} partitions STARTED"))
    }

    /// What a dead worker leaves STARTED, if anything.
    fn orphans_of(&self, dead: &Dead) -> Option<Vec<Held>> {
        let orphans = dead.holds(self.place);
        (!orphans.is_empty()).then_some(orphans)
    }

    /// Each orphan comes to an end by another worker's hand.
    fn taken_over(&self, orphans: &[Vec<Held>]) -> Result<String, Missed> {
        if orphans.is_empty() {
            return Err(Missed);
        }
        for held in orphans.iter().flatten() {
            takeovers::until_completed_by_another(self.place, held);
        }
        Ok(format!(
            "{} killed at work, {} claims taken over",
            orphans.len(),
            orphans.iter().flatten().count()
        ))
    }

    fn until_at_work(&self, step: &str) -> Result<(), Missed> {
        let started = format!(
            "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION \
             WHERE STATUS = 'STARTED' AND STEP_NAME LIKE '{step}:partition%'"
        );
        self.until_or_settled("a partition to start", || {
            self.place.database.number(&started) > 0
        })
    }

    fn until_it_holds(&self, worker: usize) -> Result<(), Missed> {
        let worker = &self.fleet.workers[worker];
        self.until_or_settled("a worker to hold a claim", || {
            !worker.holds(self.place).is_empty()
        })
    }

    fn until_or_settled(&self, what: &str, mut holds: impl FnMut() -> bool) -> Result<(), Missed> {
        let mut is_over = false;
        until(what, || {
            is_over = self.is_settled();
            is_over || holds()
        });
        if is_over { Err(Missed) } else { Ok(()) }
    }

    fn is_settled(&self) -> bool {
        self.place
            .database
            .rows("SELECT STATUS FROM BATCH_JOB_EXECUTION")
            == ["COMPLETED"]
    }

    /// How many partitions are at work.
    fn started(&self) -> u64 {
        self.place.database.number(
            "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION \
             WHERE STATUS = 'STARTED' AND STEP_NAME LIKE '%:partition%'",
        )
    }

    /// Chance decides on the moment, at most so far away.
    fn pause(&mut self, most_ms: u64) {
        sleep(Duration::from_millis(self.rng.random_range(0..=most_ms)));
    }
}
