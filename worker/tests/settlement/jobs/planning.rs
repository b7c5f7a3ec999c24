//! Partitions have near-equal work for any distribution of the plays.

use balance_batch::{job::Step, partition::IdRange};
use balance_domain::playback::Play;
use balance_test_support::settlement::{MICROS, TestEnv, at, date, play};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;

/// Returns plays whose number for each video follows a Zipf distribution. 80 % of them are in the
/// evening; in the morning the popularity is reversed.
fn zipf_day(plays: i64, videos: i64) -> Vec<Play> {
    let mut random = StdRng::seed_from_u64(7);
    let weights: Vec<f64> = (1..=videos)
        .map(|rank| 1.0 / f64::from(i32::try_from(rank).unwrap()))
        .collect();
    let total: f64 = weights.iter().sum();
    let midnight = at("2024-05-31T15:00:00Z");
    (0..plays)
        .map(|n| {
            let mut position = random.random::<f64>() * total;
            let mut id = 1;
            for weight in &weights {
                position -= weight;
                if position <= 0.0 {
                    break;
                }
                id += 1;
            }
            let is_evening = n % 10 < 8;
            let id = if is_evening { id } else { videos + 1 - id };
            let hour = if is_evening { 20 } else { n % 18 };
            let second = hour * 3_600 + n % 3_600;
            play(n + 1, id.clamp(1, videos), midnight + second * MICROS + n)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_partition_of_a_zipf_day_is_near_the_mean() {
    for (plays, videos) in [(5_000, 300), (60_000, 2_000)] {
        let env = TestEnv::new().await;
        let plays = zipf_day(plays, videos);
        env.import(&plays, 0).await.unwrap();
        let ranges = env
            .store
            .plan(Step::DayStatistics, date("2024-06-01"), 8)
            .await
            .unwrap();
        let mut by_video: BTreeMap<i64, usize> = BTreeMap::new();
        for play in &plays {
            *by_video.entry(play.video_id.0).or_default() += 1;
        }
        let load = |range: &IdRange| -> usize {
            by_video
                .iter()
                .filter(|(id, _)| range.after < **id && **id <= range.upto)
                .map(|(_, rows)| rows)
                .sum()
        };
        let loads: Vec<usize> = ranges.iter().map(load).collect();
        assert_eq!(loads.iter().sum::<usize>(), plays.len());
        let heaviest = *by_video.values().max().unwrap();
        let most = (plays.len() * 3 / 2 / 8).max(heaviest);
        assert!(
            loads.iter().all(|load| *load <= most),
            "{loads:?}, at most {most}"
        );
    }
}
