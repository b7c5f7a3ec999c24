//! The command `fraud-simulator`.

use super::{
    report::{Row, exceeding, table},
    runs::{Plan, embedded},
};
use balance_domain::playback::PlayRules;
use std::process::ExitCode;

const HELP: &str = "\
usage: fraud-simulator [--hours N] [--seed N]

Runs each strategy with 1 and 8 accounts on the embedded intake, in simulated time.
  --hours N  simulated hours (3)
  --seed N   seed of the random requests (1)
";

/// Runs the command. The exit code is 1 if a strategy exceeds the limit, 2 for invalid arguments.
pub fn run() -> ExitCode {
    let Some((hours, seed)) = arguments(std::env::args().skip(1)) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let plan = Plan {
        rules: PlayRules::DEFAULT,
        elapsed_s: hours * 3_600,
        accounts: vec![1, 8],
        seed,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let show = |rows: &[Row]| eprintln!("{}", table(rows));
    let rows = runtime.block_on(embedded(&plan, show));
    println!("{hours} simulated hours, seed {seed}\n\n{}", table(&rows));
    let beyond = exceeding(&rows);
    for row in &beyond {
        println!("beyond the limit: {row}");
    }
    ExitCode::from(u8::from(!beyond.is_empty()))
}

/// Returns the hours and the seed.
fn arguments(mut given: impl Iterator<Item = String>) -> Option<(i64, u64)> {
    let (mut hours, mut seed) = (3, 1);
    while let Some(name) = given.next() {
        let value = given.next()?;
        match name.as_str() {
            "--hours" => {
                hours = value
                    .parse()
                    .ok()
                    .filter(|hours| (1..=48).contains(hours))?
            }
            "--seed" => seed = value.parse().ok()?,
            _ => return None,
        }
    }
    Some((hours, seed))
}
