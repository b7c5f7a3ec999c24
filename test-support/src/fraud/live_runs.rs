//! Runs of the strategies on running processes, in real time.

use super::{
    honest::{Habits, Network, Shared, Watch, differences, player},
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
    for (number, strategies) in SHARED.chunks(at_once.min(SHARED.len())).enumerate() {
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

/// Rules by which honest viewers see ads within seconds. The burst covers the delays of a busy machine.
pub const HONEST_RULES: PlayRules = PlayRules {
    ad_interval_s: 5,
    credit_burst_s: 20,
    ..PlayRules::DEFAULT
};

/// Lets honest viewers watch for some seconds. Returns those whose history differs from what their
/// players saw, as text.
pub fn honest(platform: &Platform, viewers: usize, seconds: i64, seed: u64) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let plan = Plan {
        rules: HONEST_RULES,
        elapsed_s: seconds,
        accounts: vec![viewers],
        seed,
    };
    let planned = Cast::new(&plan, 0, &SHARED[..1]);
    let live = Live::prepare(platform.clients(), &planned, "honest");
    let live = Arc::new(runtime.block_on(live));
    let began_micros = SystemClock.now_micros() + LEAD_MICROS;
    let (mut clients, mut seen) = (Vec::new(), Vec::new());
    for user in 0..viewers {
        let shared = Shared::default();
        for habits in habits(user, seconds, began_micros, seed) {
            clients.push(player(habits, &planned.scene, shared.clone()));
        }
        seen.push(shared);
    }
    runtime.block_on(live.run(clients));
    let seen: Vec<_> = seen.iter().map(Shared::get).collect();
    assert!(seen.iter().any(|one| !one.slots.is_empty()), "no ads");
    differences(&seen, &platform.totals(|id| live.user_index(id)))
}

/// Returns the habits of a viewer: a film at twice the speed, films on two devices at normal speed, or
/// a film with a stop in the middle.
fn habits(user: usize, seconds: i64, begins_micros: i64, seed: u64) -> Vec<Habits> {
    let part = |video, stops_after_s, then_rests_s| Watch {
        video,
        stops_after_s,
        then_rests_s,
    };
    let base = Habits {
        user,
        device: 0,
        begins_micros,
        rate: 2_000,
        report_s: [1, 3][user / 3 % 2],
        watches: vec![part(user % 7, seconds, 0)],
        network: Network {
            delay_ms: 300,
            lost: 100,
            ..Network::PERFECT
        },
        repeats: user.is_multiple_of(2),
        seed: seed + 2 * user as u64,
    };
    let normal = Habits {
        rate: 1_000,
        ..base.clone()
    };
    match user % 3 {
        0 => vec![base],
        1 => vec![
            Habits {
                device: 1,
                watches: vec![part(8, seconds, 0)],
                seed: base.seed + 1,
                ..normal.clone()
            },
            normal,
        ],
        _ => vec![Habits {
            watches: vec![part(9, seconds / 3, 2), part(9, seconds / 3, 0)],
            ..base
        }],
    }
}
