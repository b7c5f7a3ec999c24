//! Storms: a settlement by four workers during which something dies, freezes or forgets. Whatever
//! it is, the rows are those of an undisturbed run, and nobody has to help.
//!
//! `TEST_STORMS` sets how many (24), `TEST_SEED` the seed.

use crate::{
    blows::{Blow, KINDS, Kind, Missed},
    common::{dump::assert_same, program::told},
    fleet::Fleet,
    place::Place,
    plays,
    servers::Servers,
    takeovers,
};
use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const DAY: &str = "2024-03-30";
const VIDEOS: u64 = 20_000;
const WORKERS: usize = 4;
const LEASE_S: u64 = 2;
const STORMS: u64 = 24;
/// A blow that meets nothing at work is tried again, with another seed.
const ATTEMPTS: u64 = 8;

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
        let freeze_at = (kind == Kind::WorkerFrozen).then(|| rng.random_range(2..150_u32));
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
