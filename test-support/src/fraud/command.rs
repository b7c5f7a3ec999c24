//! The command `fraud-simulator`.

#![expect(clippy::print_stdout, reason = "the output of the command")]

use super::{
    honest::{Day, Delays, first_loss},
    live_runs::{self, FAST_RULES, HONEST_RULES},
    platform::Platform,
    report::{Row, exceeding, table},
    runs::{Plan, embedded},
};
use crate::servers::Servers;
use balance_domain::playback::PlayRules;
use std::process::ExitCode;

const HELP: &str = "\
usage: fraud-simulator strategies HOURS [SEED]
       fraud-simulator live PROGRAM SECONDS [SEED]
       fraud-simulator day VIEWERS [SEED]
       fraud-simulator delays [SEED]

strategies  each strategy with 1 and 8 accounts on the embedded intake, in simulated hours
live        the same on processes of PROGRAM (the binary balance) over HTTP, in real seconds:
            embedded, and on MariaDB and Redis with 1 and 4 shards, by rules with higher rates
day         a day of honest viewers in simulated time, compared with what their players saw
delays      the delay from which on an honest viewer loses seconds

The exit code is 1 if a strategy exceeds 1.05 of an honest viewer, or an honest viewer loses something.
";

/// Honest viewers over HTTP.
const HONEST: usize = 60;
/// Strategies that run at the same time over HTTP.
const AT_ONCE: usize = 6;

/// Runs the command. The exit code is 2 for invalid arguments.
pub fn run() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().ok();
    let seed = |text: Option<&&str>| text.map_or(Some(1), |text| number(text));
    let is_ok = match given[..] {
        ["strategies", hours, ..] => number(hours)
            .filter(|hours| (1..=48).contains(hours))
            .zip(seed(given.get(2)))
            .map(|(hours, seed)| strategies(hours, seed)),
        ["live", program, seconds, ..] => number(seconds)
            .filter(|seconds| (10..=3_600).contains(seconds))
            .zip(seed(given.get(3)))
            .map(|(seconds, seed)| live(program, seconds, seed)),
        ["day", viewers, ..] => number(viewers)
            .filter(|viewers| (1..=100_000).contains(viewers))
            .zip(seed(given.get(2)))
            .map(|(viewers, seed)| day(viewers, seed)),
        ["delays", ..] => seed(given.get(1)).map(delays),
        _ => None,
    };
    match is_ok {
        Some(is_ok) => ExitCode::from(u8::from(!is_ok)),
        None => {
            eprint!("{HELP}");
            ExitCode::from(2)
        }
    }
}

fn plan(rules: PlayRules, elapsed_s: u64, seed: u64) -> Plan {
    Plan {
        rules,
        elapsed_s: i64::try_from(elapsed_s).unwrap(),
        accounts: vec![1, 8],
        seed,
    }
}

/// Prints rows. Returns whether all are within the limit.
fn show(rows: &[Row]) -> bool {
    println!("{}", table(rows));
    let beyond = exceeding(rows);
    for row in &beyond {
        println!("beyond the limit: {row}");
    }
    beyond.is_empty()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

fn strategies(hours: u64, seed: u64) -> bool {
    println!("{hours} simulated hours, seed {seed}\n");
    let plan = plan(PlayRules::DEFAULT, hours * 3_600, seed);
    let rows = runtime().block_on(embedded(&plan, |rows| {
        show(rows);
    }));
    exceeding(&rows).is_empty()
}

fn live(program: &str, seconds: u64, seed: u64) -> bool {
    println!("{seconds} seconds over HTTP, seed {seed}\n");
    let plan = plan(FAST_RULES, seconds, seed);
    let servers = Servers::start();
    let mut is_ok = true;
    for shards in [0, 1, 4] {
        let platform = match shards {
            0 => Platform::embedded(program, &plan.rules),
            _ => Platform::redis(program, &plan.rules, &servers, shards),
        };
        is_ok &= show(&live_runs::strategies(&platform, &plan, AT_ONCE));
        platform.end();
        let platform = match shards {
            0 => Platform::embedded(program, &HONEST_RULES),
            _ => Platform::redis(program, &HONEST_RULES, &servers, shards),
        };
        let seconds = i64::try_from(seconds).unwrap();
        let differences = live_runs::honest(&platform, HONEST, seconds, seed);
        println!(
            "{HONEST} honest viewers, {}: {differences:?}\n",
            platform.name
        );
        is_ok &= differences.is_empty();
        platform.end();
    }
    is_ok
}

fn day(viewers: u64, seed: u64) -> bool {
    println!("a day of {viewers} honest viewers, seed {seed}\n");
    let day = Day {
        viewers: usize::try_from(viewers).unwrap(),
        seed,
        divisor: 1,
    };
    let (sum, differences) = runtime().block_on(async {
        let day = day.run().await;
        (day.sum(), day.differences().await)
    });
    println!("{sum:?}, {} viewers with a difference", differences.len());
    for difference in &differences {
        println!("{difference}");
    }
    differences.is_empty()
}

/// Prints the delays from which on a viewer loses seconds. It is no failure that there are such delays.
fn delays(seed: u64) -> bool {
    println!("delays in milliseconds, seed {seed}\n");
    let delays_ms: Vec<i64> = (0..=60).map(|tenth| tenth * 100).collect();
    println!("| rate | devices | a report each | loses from |\n|---|---|---|---|");
    for (rate, devices) in [(1_000, 1), (1_500, 1), (2_000, 1), (1_000, 2)] {
        for report_s in [1, 5, 10, 60] {
            let viewers = Delays {
                rate,
                report_s,
                devices,
                seed,
            };
            let lost = runtime().block_on(first_loss(viewers, &delays_ms));
            let lost = lost.map_or("no delay up to 6 s".to_owned(), |ms| format!("{ms} ms"));
            println!(
                "| {}.{:01} | {devices} | {report_s} s | {lost} |",
                rate / 1_000,
                rate % 1_000 / 100
            );
        }
    }
    true
}
