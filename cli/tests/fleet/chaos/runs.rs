//! Chaos runs: four workers settle a day while viewers play, and a fault is injected. The results
//! are those of an undisturbed run, acknowledged plays are persisted, and no admin intervenes.
//!
//! `TEST_CHAOS_RUNS` sets the number of runs (default 20), `TEST_SEED` the seed.

use crate::{
    chaos::faults::{Fault, KINDS, Kind, Missed},
    env::TestEnv,
    playback::{
        service as playback,
        service::{HISTORY, until_drained},
    },
    plays, takeovers,
    worker::Fleet,
};
use balance_test_support::{
    day_job::RESULT_TABLES,
    http::{Server, ViewerRun},
    process::variable,
    rows::assert_same,
    servers::{PASSWORD, Redis, Servers},
};
use chrono::{Timelike, Utc};
use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

const DAY: &str = "2024-03-30";
const VIDEOS: u64 = 20_000;
const WORKERS: usize = 4;
const LEASE_S: u64 = 2;
const RUNS: u64 = 20;
/// The viewers that play meanwhile, their videos, and the pause of a viewer between two requests.
const VIEWERS: usize = 8;
const FILMS: usize = 2_000;
const PACE: Duration = Duration::from_millis(60);
/// A fault that affects no running partition is repeated with another seed.
const ATTEMPTS: u64 = 8;

struct Chaos {
    env: Rc<TestEnv>,
    /// The Redis of the intake. The queue has another one, which a fault may empty.
    intake: Redis,
    expected: Vec<String>,
}

/// Returns a zone in which no day ends soon, and in which all plays of [`DAY`] are on one day.
fn zone() -> &'static str {
    #[expect(
        clippy::disallowed_methods,
        reason = "the processes of the test use the machine's clock"
    )]
    let hour = Utc::now().hour();
    // Midnight is at 21:00 UTC in the first zone, and at 15:00 UTC in the second.
    if (13..=15).contains(&hour) {
        "+03:00"
    } else {
        "+09:00"
    }
}

#[test]
fn chaos_runs_leave_the_rows_of_an_undisturbed_run() {
    let seed: u64 = variable("TEST_SEED").map_or_else(rand::random, |seed| {
        seed.parse().expect("TEST_SEED is a number")
    });
    let count = variable("TEST_CHAOS_RUNS").map_or(RUNS, |count| {
        count.parse().expect("TEST_CHAOS_RUNS is a number")
    });
    eprintln!("TEST_SEED={seed}");
    let chaos = Chaos::prepare();
    let (api, viewers) = chaos.start_viewers();
    let mut kinds = KINDS;
    let mut order = ChaCha8Rng::seed_from_u64(seed);
    for (number, position) in (0..count).zip((0..KINDS.len()).cycle()) {
        if position == 0 {
            kinds.shuffle(&mut order);
        }
        chaos.run(number, kinds[position], &mut order);
    }
    chaos.finish(api, viewers);
}

impl Chaos {
    /// Prepares an environment with plays, and the results of an undisturbed run.
    fn prepare() -> Self {
        let began = Instant::now();
        let servers = Servers::start();
        let intake = Redis::start();
        let env = TestEnv::empty(&servers);
        let (events, notifications) = (
            intake.url(PASSWORD, env.number),
            servers.redis.url(PASSWORD, env.number),
        );
        let env = env
            .without("REDIS_URL")
            .with("REDIS_URL", events)
            .with("QUEUE_REDIS_URL", notifications)
            .with("BUSINESS_TIMEZONE", zone())
            .with("JWT_SECRET", playback::SECRET)
            .with("LEASE_S", LEASE_S)
            .with("PARTITIONS", 32)
            .with("CHUNK_SIZE", 50)
            .with("WORKER_CONCURRENCY", 2)
            .with("CHUNK_TIMEOUT_S", 10)
            .with("BALANCE_LOG", "info")
            .with_viewers();
        env.balance(&["migrate"]).run().succeeded();
        env.import(&plays::day(DAY, VIDEOS));
        takeovers::record(&env);
        let settled = env.balance(&["settle", "--date", DAY]).run();
        settled.succeeded();
        env.assert_all_complete(1, "undisturbed");
        let expected = env.results();
        for (table, _) in RESULT_TABLES {
            let of_table = format!("{table}|");
            let rows = expected.iter().filter(|row| row.starts_with(&of_table));
            let expected = match table {
                "period_rollup" => 2 * VIDEOS,
                // A day, a week and a month.
                "period_total" => 3,
                _ => VIDEOS,
            };
            assert_eq!(rows.count() as u64, expected, "{table}");
        }
        eprintln!("{VIDEOS} videos, ready after {:?}", began.elapsed());
        Self {
            env: Rc::new(env),
            intake,
            expected,
        }
    }

    /// Starts the API and the viewers.
    fn start_viewers(&self) -> (Server, ViewerRun) {
        let api = playback::api(&self.env);
        let viewers = ViewerRun::start(api.client(), VIEWERS, FILMS, PACE);
        (api, viewers)
    }

    /// Stops the viewers, and asserts that all acknowledged actions are persisted.
    fn finish(&self, api: Server, viewers: ViewerRun) {
        viewers.until_acknowledged(50);
        let ended = viewers.finish();
        let replies = &ended.replies;
        let (acknowledged, unknown) = (replies.acknowledged.len(), replies.unknown.len());
        eprintln!("{acknowledged} plays and pauses acknowledged, {unknown} without a reply");
        let fleet = Fleet::start(&self.env, 1);
        until_drained(&self.env, &self.intake, acknowledged);
        let films = format!("{HISTORY} WHERE video_id > {VIDEOS}");
        replies.assert_persisted(&self.env.database.rows(&films));
        ended.assert_replies_repeat();
        fleet.end();
        api.end().succeeded();
        let verified = self.env.balance(&["verify"]).run();
        assert!(verified.is_ok(), "{verified:#?}");
    }

    /// Repeats a run until its fault affects running partitions.
    fn run(&self, number: u64, kind: Kind, seeds: &mut impl Rng) {
        for _ in 0..ATTEMPTS {
            let seed: u64 = seeds.random();
            let what = format!("chaos run {number}, {kind:?}, seed {seed}");
            let began = Instant::now();
            match self.attempt(kind, seed, &what) {
                Ok(fault) => {
                    eprintln!("{what}: {fault}; {:?}", began.elapsed());
                    return;
                }
                Err(Missed) => eprintln!("{what}: no partition was running"),
            }
        }
        panic!("chaos run {number}, {kind:?}: no fault affected a running partition");
    }

    /// Runs a settlement with a fault, and returns the effect of the fault.
    fn attempt(&self, kind: Kind, seed: u64, what: &str) -> Result<String, Missed> {
        let env = &self.env;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        env.reset_settlements();
        takeovers::clear(env);
        let freeze_at = (kind == Kind::WorkerFrozen).then(|| rng.random_range(2..150_u32));
        let calls = (0..WORKERS).map(|number| {
            let call = env.balance(&["worker"]);
            match freeze_at {
                Some(chunk) if number == 0 => call.env("BALANCE_FREEZE_AT_CHUNK", chunk),
                _ => call,
            }
        });
        // The day is over and has no instance, so the workers launch it.
        let mut fleet = Fleet::of(env, calls);
        let mut fault = Fault {
            env,
            fleet: &mut fleet,
            rng,
        };
        let effect = fault.inject(kind);
        env.until_settled(1, what);
        fleet.end();
        env.assert_all_complete(1, what);
        assert_same(&env.results(), &self.expected, what);
        let verified = env.balance(&["verify"]).run();
        assert!(verified.is_ok(), "{what}: {verified:#?}");
        effect
    }
}
