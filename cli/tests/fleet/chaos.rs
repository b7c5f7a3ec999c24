//! Storms: a settlement by four workers, while people play, during which something dies, freezes or
//! forgets. Whatever it is, the rows are those of an undisturbed run, what people were answered is
//! kept, and nobody has to help.
//!
//! `TEST_STORMS` sets how many (20), `TEST_SEED` the seed.

use crate::{
    common::{audience::Show, dump::assert_same, program::told, server::Server},
    env::TestEnv,
    faults::{Fault, KINDS, Kind, Missed},
    fleet::Fleet,
    playback::{self, HISTORY, until_drained},
    plays,
    servers::{PASSWORD, Redis, Servers},
    takeovers,
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
const STORMS: u64 = 20;
/// People who play meanwhile, what there is to play, and how long each waits between two requests.
const VIEWERS: usize = 8;
const FILMS: usize = 2_000;
const PACE: Duration = Duration::from_millis(60);
/// A blow that meets nothing at work is tried again, with another seed.
const ATTEMPTS: u64 = 8;

struct Storms {
    env: Rc<TestEnv>,
    /// The intake's Redis: the queue's is another one, which a storm may empty.
    intake: Redis,
    expected: Vec<String>,
}

/// A zone in which it is not midnight soon, and all of [`DAY`]'s plays are on one day.
fn zone() -> &'static str {
    #[expect(
        clippy::disallowed_methods,
        reason = "the processes of the test live by the machine's clock"
    )]
    let hour = Utc::now().hour();
    // Midnight is at 15:00 UTC in the one, at 21:00 in the other.
    if (13..=15).contains(&hour) {
        "+03:00"
    } else {
        "+09:00"
    }
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
    let chaos = Storms::prepare();
    let (api, show) = chaos.open_doors();
    let mut kinds = KINDS;
    let mut order = ChaCha8Rng::seed_from_u64(seed);
    for (number, env) in (0..count).zip((0..KINDS.len()).cycle()) {
        if env == 0 {
            kinds.shuffle(&mut order);
        }
        chaos.chaos_run(number, kinds[env], &mut order);
    }
    chaos.close_doors(api, show);
}

impl Storms {
    /// A place with plays, and what an undisturbed run makes of them.
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
            .with("BALANCE_LOG", "info");
        env.balance(&["migrate"]).run().succeeded();
        env.import(&plays::day(DAY, VIDEOS));
        takeovers::watch(&env);
        let settled = env.balance(&["settle", "--date", DAY]).run();
        settled.succeeded();
        env.assert_all_complete(1, "undisturbed");
        let expected = env.results();
        let of_videos = |table: &str| {
            let rows = expected.iter();
            rows.filter(|row| row.starts_with(table)).count() as u64
        };
        assert_eq!(of_videos("video_statistics"), VIDEOS);
        assert_eq!(of_videos("video_revenue"), VIDEOS);
        assert_eq!(of_videos("period_rollup"), 2 * VIDEOS);
        eprintln!("{VIDEOS} videos, ready after {:?}", began.elapsed());
        Self {
            env: Rc::new(env),
            intake,
            expected,
        }
    }

    /// From now on people play.
    fn open_doors(&self) -> (Server, Show) {
        let api = playback::api(&self.env);
        let show = Show::begin(api.client(), VIEWERS, FILMS, PACE);
        (api, show)
    }

    /// Everybody goes home, and nothing of what they were answered is missing.
    fn close_doors(&self, api: Server, show: Show) {
        show.until_more(50);
        let ended = show.end();
        let memory = &ended.memory;
        let (acknowledged, unknown) = (memory.acknowledged.len(), memory.unknown.len());
        eprintln!("{acknowledged} plays and pauses acknowledged, {unknown} without an answer");
        let fleet = Fleet::start(&self.env, 1);
        until_drained(&self.env, &self.intake, acknowledged);
        let films = format!("{HISTORY} WHERE video_id > {VIDEOS}");
        memory.assert_kept(&self.env.database.rows(&films));
        ended.assert_answers_stay();
        fleet.end();
        api.end().succeeded();
        let verified = self.env.balance(&["verify"]).run();
        assert!(verified.is_ok(), "{verified:#?}");
    }

    /// One storm, until its blow has landed.
    fn chaos_run(&self, number: u64, kind: Kind, seeds: &mut impl Rng) {
        for _ in 0..ATTEMPTS {
            let seed: u64 = seeds.random();
            let what = format!("storm {number}, {kind:?}, seed {seed}");
            let began = Instant::now();
            match self.attempt(kind, seed, &what) {
                Ok(fault) => {
                    eprintln!("{what}: {fault}; {:?}", began.elapsed());
                    return;
                }
                Err(Missed) => eprintln!("{what}: met nothing at work"),
            }
        }
        panic!("storm {number}, {kind:?}: no blow landed");
    }

    /// Answers what the blow met.
    fn attempt(&self, kind: Kind, seed: u64, what: &str) -> Result<String, Missed> {
        let env = &self.env;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        env.unsettle();
        takeovers::forget(env);
        let freeze_at = (kind == Kind::WorkerFrozen).then(|| rng.random_range(2..150_u32));
        let calls = (0..WORKERS).map(|number| {
            let call = env.balance(&["worker"]);
            match freeze_at {
                Some(chunk) if number == 0 => call.env("BALANCE_FREEZE_AT_CHUNK", chunk),
                _ => call,
            }
        });
        // The day is over, and no instance of it is there: they launch it.
        let mut fleet = Fleet::of(env, calls);
        let mut fault = Fault {
            env,
            fleet: &mut fleet,
            rng,
        };
        let met = fault.inject(kind);
        env.until_settled(1, what);
        fleet.end();
        env.assert_all_complete(1, what);
        assert_same(&env.results(), &self.expected, what);
        let verified = env.balance(&["verify"]).run();
        assert!(verified.is_ok(), "{what}: {verified:#?}");
        met
    }
}
