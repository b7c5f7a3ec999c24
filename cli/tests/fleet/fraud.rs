//! The fraud simulator and honest viewers on running processes. The binary `fraud-simulator` runs them at
//! length.

use balance_test_support::{
    fraud::{
        live_runs::{FAST_RULES, HONEST_RULES, honest, strategies},
        platform::Platform,
        report::{LIMIT, table},
        runs::Plan,
    },
    servers::Servers,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_balance");
/// The allowances are up to a tenth of what a viewer earns in the few seconds of a run.
const ALLOWANCES: f64 = 0.1;

/// Runs all strategies, and asserts that none exceeds the limit.
fn assert_limits(platform: Platform) {
    let plan = Plan {
        rules: FAST_RULES,
        elapsed_s: 12,
        accounts: vec![1],
        seed: rand::random_range(0..1_000_000),
    };
    eprintln!("seed {}", plan.seed);
    let rows = strategies(&platform, &plan, usize::MAX);
    eprintln!("{}", table(&rows));
    for row in &rows {
        assert!(
            row.highest() <= LIMIT + ALLOWANCES,
            "{}: {}",
            row.strategy,
            row.highest()
        );
    }
    let honest = &rows[0];
    assert!(honest.ads_ratio() > 0.5, "{}", honest.ads_ratio());
    platform.end();
}

fn assert_honest_viewers_lose_nothing(platform: Platform) {
    let seed = rand::random_range(0..1_000_000);
    eprintln!("seed {seed}");
    assert_eq!(honest(&platform, 18, 12, seed), [""; 0]);
    platform.end();
}

/// Runs both at the same time.
fn at_once(embedded: impl FnOnce() + Send, fleet: impl FnOnce()) {
    std::thread::scope(|scope| {
        let embedded = scope.spawn(embedded);
        fleet();
        embedded.join().unwrap();
    });
}

#[test]
fn no_strategy_over_http_earns_more_than_an_honest_viewer() {
    at_once(
        || assert_limits(Platform::embedded(PROGRAM, &FAST_RULES)),
        || assert_limits(Platform::redis(PROGRAM, &FAST_RULES, &Servers::shared(), 4)),
    );
}

#[test]
fn honest_viewers_over_http_lose_nothing() {
    let check = assert_honest_viewers_lose_nothing;
    at_once(
        || check(Platform::embedded(PROGRAM, &HONEST_RULES)),
        || {
            check(Platform::redis(
                PROGRAM,
                &HONEST_RULES,
                &Servers::shared(),
                4,
            ))
        },
    );
}
