//! Plays under faults: viewers play and pause at two API processes while a fault is injected. After
//! the repair that docs/operations.md describes, plays continue. The history has each acknowledged
//! action once, except those that the document calls lost.
//!
//! `TEST_PLAY_CHAOS_RUNS` sets the number of runs (default 3), `TEST_SEED` the seed.
//! `TEST_PLAY_CHAOS_KIND` limits the runs to one kind of fault, such as `ClockBack`.

mod clock;
mod database;
mod entries;
mod faults;
mod redis;
mod stage;

use balance_test_support::process::variable;
use faults::{KINDS, Kind};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use stage::Stage;
use std::time::Instant;

const RUNS: usize = 3;

#[test]
fn acknowledged_plays_survive_each_fault_except_for_the_documented_losses() {
    let seed: u64 = variable("TEST_SEED").map_or_else(rand::random, |seed| {
        seed.parse().expect("TEST_SEED is a number")
    });
    let count = variable("TEST_PLAY_CHAOS_RUNS").map_or(RUNS, |count| {
        count.parse().expect("TEST_PLAY_CHAOS_RUNS is a number")
    });
    eprintln!("TEST_SEED={seed}");
    let mut order = ChaCha8Rng::seed_from_u64(seed);
    let only = variable("TEST_PLAY_CHAOS_KIND");
    let is_wanted = |kind: &Kind| {
        only.as_ref()
            .is_none_or(|only| *only == format!("{kind:?}"))
    };
    let mut kinds: Vec<Kind> = KINDS.into_iter().filter(is_wanted).collect();
    assert!(!kinds.is_empty(), "no kind of a fleet: {only:?}");
    for number in 0..count {
        let position = number % kinds.len();
        if position == 0 {
            kinds.shuffle(&mut order);
        }
        run(number, kinds[position], order.random());
    }
}

fn run(number: usize, kind: Kind, seed: u64) {
    let what = format!("play chaos run {number}, {kind:?}, seed {seed}");
    eprintln!("{what}");
    let began = Instant::now();
    let mut stage = Stage::start(kind, seed);
    let ready = began.elapsed();
    stage.viewers().until_acknowledged(30);
    stage.inject(kind);
    stage.until_plays_continue();
    let result = stage.finish();
    eprintln!(
        "{what}: {result}; ready after {ready:?}, total {:?}",
        began.elapsed()
    );
}
