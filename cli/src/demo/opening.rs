//! Opening balances: what established videos bring from another system, chosen so that some of
//! them cross a tier of the rates in the middle of a demo day.

use crate::demo::{
    day,
    generator::{DemoData, DemoSpec, ESTABLISHED_RANKS, Stream},
};
use balance_domain::{
    accounts::UserId,
    playback::{Admission, Play, ViewWindow},
    videos::{OpeningBalance, Video, VideoId},
};
use rand::RngExt as _;
use std::collections::HashMap;

/// The gate's window in seconds: the default of its setting.
const VIEW_WINDOW_S: i64 = 30;
/// The distance of two ad slots in seconds: the default of its setting.
const AD_INTERVAL_S: i64 = 300;
/// From this length in seconds on, a video shows ads enough to cross a tier by them.
const LONG_VIDEO_S: i64 = 1_200;

/// Which lifetime count crosses a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meter {
    Views,
    AdViews,
}

/// A video that is to reach a lifetime count in the middle of a day.
#[derive(Debug)]
struct Crossing<'data> {
    video: &'data Video,
    meter: Meter,
    tier: i64,
    /// The day's index, 0 and up.
    day_index: u32,
}

/// What a crossing's video collects up to its day and on it.
#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    before: i64,
    on_the_day: i64,
}

/// The opening balances of the established videos, by popularity.
pub(super) fn balances(data: &DemoData, spec: &DemoSpec) -> Vec<OpeningBalance> {
    let crossings = crossings(data, spec.day_count);
    let tallies = tallies(data, spec, &crossings);
    let mut rng = spec.rng(Stream::Openings);
    let mut balances = Vec::new();
    for (rank, video) in (1_i64..).zip(data.by_popularity.iter().take(ESTABLISHED_RANKS)) {
        let lifetime = 1_000_000 / (rank + 4) * rng.random_range(50..150) / 100;
        let established = rng.random_ratio(3, 5);
        let planned = crossings
            .iter()
            .zip(&tallies)
            .find(|(one, _)| one.video.id == video.id);
        if !established && planned.is_none() {
            continue;
        }
        let mut balance = OpeningBalance {
            video_id: video.id,
            view_count: lifetime,
            ad_view_count: ad_views_of(lifetime, video),
        };
        if let Some((crossing, counters)) = planned {
            let count = opening_count(crossing, *counters);
            match crossing.meter {
                Meter::Views => {
                    balance.view_count = count;
                    balance.ad_view_count = ad_views_of(count, video);
                }
                Meter::AdViews => balance.ad_view_count = count,
            }
        }
        balances.push(balance);
    }
    balances
}

/// Viewers who stay see every slot; a quarter of all slots is what most leave of it.
fn ad_views_of(views: i64, video: &Video) -> i64 {
    views * (video.duration_s / AD_INTERVAL_S) / 4
}

/// The count from which half of the day's views reach the tier and the other half lie beyond it.
fn opening_count(crossing: &Crossing, counters: Sums) -> i64 {
    (crossing.tier - counters.before - counters.on_the_day / 2).max(0)
}

/// The most popular video reaches 500,000 views; three others reach 100,000 early, half-way and
/// late; a long one reaches 100,000 ad views.
fn crossings(data: &DemoData, day_count: u32) -> Vec<Crossing<'_>> {
    let (early, middle) = (day_count / 7, day_count / 2);
    let late = day_count.saturating_sub(1 + early);
    let plan = [
        (0, 500_000, day_count / 3),
        (1, 100_000, early),
        (2, 100_000, middle),
        (4, 100_000, late),
    ];
    let by_views = plan.into_iter().filter_map(|(rank, tier, day_index)| {
        let video = data.by_popularity.get(rank)?;
        Some(Crossing {
            video,
            meter: Meter::Views,
            tier,
            day_index,
        })
    });
    let mut behind = data.by_popularity.iter().take(ESTABLISHED_RANKS).skip(5);
    let by_ads = behind
        .find(|video| video.duration_s >= LONG_VIDEO_S)
        .map(|video| Crossing {
            video,
            meter: Meter::AdViews,
            tier: 100_000,
            day_index: middle,
        });
    by_views.chain(by_ads).collect()
}

/// Measures each crossing's video on the very plays that the demo will settle.
fn tallies(data: &DemoData, spec: &DemoSpec, crossings: &[Crossing]) -> Vec<Sums> {
    let mut tallies = vec![Sums::default(); crossings.len()];
    let mut view_window = ViewWindow::new(VIEW_WINDOW_S);
    let last_day = crossings.iter().map(|crossing| crossing.day_index).max();
    for day_index in 0..spec.day_count.min(last_day.map_or(0, |last| last + 1)) {
        let mut slots_seen = HashMap::new();
        for play in day::plays(data, spec, day_index) {
            let of_video = |crossing: &Crossing| crossing.video.id == play.video_id;
            let Some(at) = crossings.iter().position(of_video) else {
                continue;
            };
            if view_window.admit(&play) != Admission::Counted {
                continue;
            }
            let (Some(crossing), Some(counters)) = (crossings.get(at), tallies.get_mut(at)) else {
                continue;
            };
            let gained = match crossing.meter {
                Meter::Views => 1,
                Meter::AdViews => new_ad_views(&play, &mut slots_seen),
            };
            match day_index.cmp(&crossing.day_index) {
                std::cmp::Ordering::Less => counters.before += gained,
                std::cmp::Ordering::Equal => counters.on_the_day += gained,
                std::cmp::Ordering::Greater => {}
            }
        }
    }
    tallies
}

/// The slots that a play shows and its user has not seen today. A play always begins at the start,
/// so the furthest slot seen says it all.
fn new_ad_views(play: &Play, slots_seen: &mut HashMap<(UserId, VideoId), i64>) -> i64 {
    let slots = play.play_time_s.min(play.duration_s) / AD_INTERVAL_S;
    let seen = slots_seen.entry((play.user_id, play.video_id)).or_insert(0);
    let gained = (slots - *seen).max(0);
    *seen += gained;
    gained
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::videos::{AdId, AdSchedule};
    use std::collections::HashSet;

    /// What a video has gained at the end of each day, counted play by play and slot by slot.
    fn gains(data: &DemoData, spec: &DemoSpec, crossing: &Crossing) -> Vec<i64> {
        let ads = (1..=data.ad_count)
            .map(|id| AdId(i64::try_from(id).unwrap()))
            .collect();
        let schedule = AdSchedule::new(300, ads);
        let mut view_window = ViewWindow::new(30);
        let mut slots = HashSet::new();
        let mut gained = 0;
        let days = (0..spec.day_count).map(|index| {
            for play in day::plays(data, spec, index) {
                if play.video_id != crossing.video.id
                    || view_window.admit(&play) != Admission::Counted
                {
                    continue;
                }
                let shown = schedule.shown(0, play.play_time_s.min(play.duration_s));
                let new = shown
                    .filter(|ad| slots.insert((index, play.user_id, ad.slot_s)))
                    .count();
                gained += match crossing.meter {
                    Meter::Views => 1,
                    Meter::AdViews => i64::try_from(new).unwrap(),
                };
            }
            gained
        });
        days.collect()
    }

    #[test]
    fn videos_cross_the_tiers_within_the_days_planned_whatever_the_seed() {
        for (seed, play_count) in [(42, 300_000), (1, 20_000), (2, 20_000)] {
            let spec = DemoSpec {
                seed,
                play_count,
                first_date: "2026-03-02".parse().unwrap(),
                day_count: 14,
                timezone: "Asia/Seoul".parse().unwrap(),
            };
            let data = DemoData::new(&spec);
            let crossings = crossings(&data, 14);
            let plan: Vec<_> = crossings
                .iter()
                .map(|one| (one.meter, one.tier, one.day_index))
                .collect();
            assert_eq!(
                plan,
                [
                    (Meter::Views, 500_000, 4),
                    (Meter::Views, 100_000, 2),
                    (Meter::Views, 100_000, 7),
                    (Meter::Views, 100_000, 11),
                    (Meter::AdViews, 100_000, 7),
                ]
            );
            for crossing in crossings {
                let mut of_video = data
                    .opening_balances
                    .iter()
                    .filter(|balance| balance.video_id == crossing.video.id);
                let opening = of_video.next().unwrap();
                assert_eq!(of_video.next(), None);
                let opening = match crossing.meter {
                    Meter::Views => opening.view_count,
                    Meter::AdViews => opening.ad_view_count,
                };
                let gains = gains(&data, &spec, &crossing);
                let day = usize::try_from(crossing.day_index).unwrap();
                assert!(
                    opening > 0 && opening + gains[day - 1] < crossing.tier,
                    "{crossing:?}"
                );
                assert!(
                    opening + gains[day] > crossing.tier,
                    "{crossing:?} {opening} {gains:?}"
                );
            }
        }
    }

    #[test]
    fn established_videos_have_plausible_counts() {
        let spec = DemoSpec {
            seed: 3,
            play_count: 1_000,
            first_date: "2026-03-02".parse().unwrap(),
            day_count: 14,
            timezone: "UTC".parse().unwrap(),
        };
        let data = DemoData::new(&spec);
        assert!((200..300).contains(&data.opening_balances.len()));
        for balance in &data.opening_balances {
            assert!((1..500_000).contains(&balance.view_count), "{balance:?}");
            assert!(
                (0..10_000_000).contains(&balance.ad_view_count),
                "{balance:?}"
            );
        }
    }
}
