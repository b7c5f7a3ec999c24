//! Runs of the strategies on running processes, in real time.

use super::{
    live::Live,
    platform::Platform,
    report::{Honest, Row},
    runs::{Cast, Group, Plan},
    strategies::{SHARED, Strategy},
};
use balance_domain::{
    clock::{Clock, SystemClock},
    playback::{PlayRules, PlaybackRate},
};
use std::sync::Arc;

/// Rules by which half a minute says as much as hours by the default ones: the rates are five to ten
/// times as high, the allowances a part of them.
pub const FAST_RULES: PlayRules = PlayRules {
    playback_rate: PlaybackRate(10_000),
    ad_interval_s: 10,
    views_per_minute: 300,
    view_burst: 5,
    ..PlayRules::DEFAULT
};

/// The time between the plan and the first request, in microseconds.
const LEAD_MICROS: i64 = 200_000;

/// Runs strategies, at most `at_once` of them at the same time.
pub fn strategies(platform: &Platform, plan: &Plan, at_once: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, strategies) in SHARED.chunks(at_once).enumerate() {
        rows.extend(run(platform, plan, strategies, &format!("run{number}")));
    }
    rows
}

fn run(platform: &Platform, plan: &Plan, strategies: &[Strategy], name: &str) -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let planned = Cast::new(plan, 0, strategies);
    let live = Live::prepare(platform.clients(), &planned, name);
    let live = Arc::new(runtime.block_on(live));
    let began_micros = SystemClock.now_micros();
    let cast = Cast::new(plan, began_micros + LEAD_MICROS, strategies);
    let clients = cast.groups.iter().flat_map(Group::clients).collect();
    runtime.block_on(live.run(clients));
    // The last answers can be late. An honest viewer would have watched until then.
    let elapsed_micros = SystemClock.now_micros() - began_micros;
    let elapsed_ms = u32::try_from(elapsed_micros / 1_000).unwrap();
    let honest = Honest::of(&plan.rules, f64::from(elapsed_ms) / 1_000.0);
    let totals = platform.totals(|id| live.user_index(id));
    let rows = cast.groups.iter().map(|group| Row {
        strategy: group.strategy.name,
        accounts: group.users().count(),
        intake: platform.name.clone(),
        totals: group.totals(&totals),
        honest,
    });
    rows.collect()
}
