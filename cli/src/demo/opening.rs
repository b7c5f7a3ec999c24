//! Opening balances of established videos. They are chosen so that some videos cross a tier of the
//! rates in the middle of a demo day.

use crate::demo::{
    data::{DemoData, ESTABLISHED_RANKS},
    day,
    spec::{DemoSpec, Stream},
};
use balance_domain::{
    accounts::UserId,
    playback::{Admission, Play, RecentViews, ViewWindow},
    videos::{OpeningBalance, Video, VideoId},
};
use rand::RngExt as _;
use std::collections::HashMap;

/// The default of `VIEW_WINDOW_S`.
const VIEW_WINDOW_S: u32 = 30;
/// The default of `AD_INTERVAL_S`.
const AD_INTERVAL_S: i64 = 300;
/// Minimum length of a video that can cross a tier of ad views.
const LONG_VIDEO_S: i64 = 1_200;

/// The lifetime count that crosses a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meter {
    Views,
    AdViews,
}

/// A video that reaches a lifetime count in the middle of a day.
#[derive(Debug)]
struct Crossing<'data> {
    video: &'data Video,
    meter: Meter,
    tier: i64,
    /// The index of the day, from 0.
    day_index: u32,
}

/// The counts that a video gains before its crossing day and on it.
#[derive(Debug, Default, Clone, Copy)]
struct Gains {
    before: i64,
    on_the_day: i64,
}

/// Returns the opening balances of the established videos, by popularity.
pub(super) fn balances(data: &DemoData, spec: &DemoSpec) -> Vec<OpeningBalance> {
    let crossings = crossings(data, spec.day_count);
    let gains = gains(data, spec, &crossings);
    let mut rng = spec.rng(Stream::Openings);
    let mut balances = Vec::new();
    for (rank, video) in (1_i64..).zip(data.by_popularity.iter().take(ESTABLISHED_RANKS)) {
        let lifetime = 1_000_000 / (rank + 4) * rng.random_range(50..150) / 100;
        let established = rng.random_ratio(3, 5);
        let planned = crossings
            .iter()
            .zip(&gains)
            .find(|(one, _)| one.video.id == video.id);
        if !established && planned.is_none() {
            continue;
        }
        let mut balance = OpeningBalance {
            video_id: video.id,
            view_count: lifetime,
            ad_view_count: ad_views_of(lifetime, video),
        };
        if let Some((crossing, gains)) = planned {
            let count = opening_count(crossing, *gains);
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

/// Estimates ad views: on average a viewer sees a quarter of all ad slots.
fn ad_views_of(views: i64, video: &Video) -> i64 {
    views * (video.duration_s / AD_INTERVAL_S) / 4
}

/// Returns the opening count from which half of the day's gain reaches the tier.
fn opening_count(crossing: &Crossing, gains: Gains) -> i64 {
    (crossing.tier - gains.before - gains.on_the_day / 2).max(0)
}

/// Returns the planned crossings. The most popular video reaches 500,000 views. Three others reach
/// 100,000 early, in the middle and late. A long video reaches 100,000 ad views.
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

/// Returns the gains of each crossing's video, counted on the plays of the demo.
fn gains(data: &DemoData, spec: &DemoSpec, crossings: &[Crossing]) -> Vec<Gains> {
    let mut gains = vec![Gains::default(); crossings.len()];
    let mut recent_views = RecentViews::new(ViewWindow::from_seconds(VIEW_WINDOW_S));
    let last_day = crossings.iter().map(|crossing| crossing.day_index).max();
    for day_index in 0..spec.day_count.min(last_day.map_or(0, |last| last + 1)) {
        let mut slots_seen = HashMap::new();
        for play in day::plays(data, spec, day_index) {
            let for_video = |crossing: &Crossing| crossing.video.id == play.video_id;
            let Some(at) = crossings.iter().position(for_video) else {
                continue;
            };
            if recent_views.admit(&play) != Admission::Counted {
                continue;
            }
            let (Some(crossing), Some(gains)) = (crossings.get(at), gains.get_mut(at)) else {
                continue;
            };
            let gained = match crossing.meter {
                Meter::Views => 1,
                Meter::AdViews => new_ad_views(&play, &mut slots_seen),
            };
            match day_index.cmp(&crossing.day_index) {
                std::cmp::Ordering::Less => gains.before += gained,
                std::cmp::Ordering::Equal => gains.on_the_day += gained,
                std::cmp::Ordering::Greater => {}
            }
        }
    }
    gains
}

/// Returns the number of slots that a play shows to its user for the first time on the day. Plays
/// start at position 0, so the furthest slot determines the seen ones.
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
    use balance_domain::videos::{AdId, AdInterval, AdSchedule};
    use std::collections::HashSet;

    /// Returns the gain of a video up to the end of each day, counted play by play and slot by slot.
    fn gain_by_day(data: &DemoData, spec: &DemoSpec, crossing: &Crossing) -> Vec<i64> {
        let ads = (1..=data.ad_count)
            .map(|id| AdId(i64::try_from(id).unwrap()))
            .collect();
        let schedule = AdSchedule::new(AdInterval::from_seconds(300), ads);
        let mut recent_views = RecentViews::new(ViewWindow::from_seconds(30));
        let mut slots = HashSet::new();
        let mut gained = 0;
        let days = (0..spec.day_count).map(|index| {
            for play in day::plays(data, spec, index) {
                if play.video_id != crossing.video.id
                    || recent_views.admit(&play) != Admission::Counted
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
                let mut for_video = data
                    .opening_balances
                    .iter()
                    .filter(|balance| balance.video_id == crossing.video.id);
                let opening = for_video.next().unwrap();
                assert_eq!(for_video.next(), None);
                let opening = match crossing.meter {
                    Meter::Views => opening.view_count,
                    Meter::AdViews => opening.ad_view_count,
                };
                let gains = gain_by_day(&data, &spec, &crossing);
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
