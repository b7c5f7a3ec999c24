//! Generates the demo's users, videos and plays as a pure function of the seed.

use crate::demo::{
    data::{DemoData, ESTABLISHED_RANKS},
    day, opening, people,
    spec::{DemoSpec, Stream},
};
use balance_domain::{playback::Play, videos::Video};
use rand::seq::SliceRandom as _;

const AD_COUNT: usize = 12;

impl DemoData {
    /// Generates users, videos and opening balances. The balances depend on the plays, so this
    /// takes about as long as one iteration of [`Self::plays`].
    pub(crate) fn new(spec: &DemoSpec) -> Self {
        let mut rng = spec.rng(Stream::People);
        let users = people::users(&mut rng);
        let videos = people::videos(&mut rng);
        // IDs are assigned at upload, and the popularity of a video does not depend on its age.
        let mut by_popularity = videos.clone();
        by_popularity.shuffle(&mut rng);
        let mut trends: Vec<Video> = by_popularity
            .iter()
            .skip(ESTABLISHED_RANKS)
            .cloned()
            .collect();
        trends.shuffle(&mut rng);
        let mut data = Self {
            self_watchers: people::self_watchers(&by_popularity),
            cheats: people::cheats(&trends, &mut rng),
            ad_count: AD_COUNT,
            opening_balances: Vec::new(),
            users,
            videos,
            by_popularity,
            trends,
        };
        data.opening_balances = opening::balances(&data, spec);
        data
    }

    /// Generates every play in the order of time, one day in memory at a time. No two plays have
    /// the same user, video and microsecond.
    pub(crate) fn plays<'data>(
        &'data self,
        spec: &DemoSpec,
    ) -> impl Iterator<Item = Play> + Send + use<'data> {
        let spec = *spec;
        (0..spec.day_count).flat_map(move |index| day::plays(self, &spec, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::playback::{Admission, RecentViews, ViewWindow};
    use std::{
        collections::{HashMap, HashSet},
        hash::{DefaultHasher, Hash as _, Hasher as _},
    };

    fn spec(seed: u64, play_count: usize, zone: &str) -> DemoSpec {
        DemoSpec {
            seed,
            play_count,
            first_date: "2026-03-02".parse().unwrap(),
            day_count: 14,
            timezone: zone.parse().unwrap(),
        }
    }

    fn small() -> DemoSpec {
        spec(7, 20_000, "Asia/Seoul")
    }

    fn fingerprint(spec: &DemoSpec) -> u64 {
        let mut hasher = DefaultHasher::new();
        let data = DemoData::new(spec);
        format!("{data:?}").hash(&mut hasher);
        for play in data.plays(spec) {
            format!("{play:?}").hash(&mut hasher);
        }
        hasher.finish()
    }

    #[test]
    fn the_seed_decides_everything() {
        let other_seed = DemoSpec { seed: 8, ..small() };
        assert_eq!(fingerprint(&small()), fingerprint(&small()));
        assert_ne!(fingerprint(&small()), fingerprint(&other_seed));
    }

    #[test]
    fn every_day_has_its_plays_in_order_and_none_twice() {
        // Clocks in New York go forward on 2026-03-08: a day of 23 hours.
        for zone in ["Asia/Seoul", "America/New_York", "-00:00:03"] {
            let spec = spec(7, 20_000, zone);
            let data = DemoData::new(&spec);
            let by_id: HashMap<_, _> = data.videos.iter().map(|video| (video.id, video)).collect();
            let users: HashSet<_> = data.users.iter().map(|user| user.id).collect();
            let plays: Vec<_> = data.plays(&spec).collect();
            assert!(plays.len() >= 20_000, "{}", plays.len());
            assert!(plays.is_sorted_by_key(|play| play.started_at_micros));
            let keys: HashSet<_> = plays
                .iter()
                .map(|play| (play.user_id, play.video_id, play.started_at_micros))
                .collect();
            assert_eq!(keys.len(), plays.len());
            let mut counts = HashMap::<_, usize>::new();
            for play in &plays {
                let video = by_id[&play.video_id];
                assert!(users.contains(&play.user_id), "{play:?}");
                assert_eq!(
                    (video.owner_id, video.duration_s),
                    (play.owner_id, play.duration_s)
                );
                assert!(
                    (1..=3 * play.duration_s).contains(&play.play_time_s),
                    "{play:?}"
                );
                let day = spec.timezone.day_of(play.started_at_micros).unwrap();
                *counts.entry(day.date).or_default() += 1;
            }
            assert_eq!(counts.len(), 14, "{counts:?}");
            let (first, last) = (spec.day(0).unwrap(), spec.day(13).unwrap());
            assert!(
                counts
                    .keys()
                    .all(|date| (first.date..=last.date).contains(date))
            );
            for index in 0..14 {
                let day = spec.day(index).unwrap();
                let of_day = day::plays(&data, &spec, index);
                assert!(
                    of_day
                        .iter()
                        .all(|play| day.contains(play.started_at_micros))
                );
                assert_eq!(of_day.len(), counts[&day.date]);
            }
        }
    }

    #[test]
    fn weekends_and_evenings_are_busier() {
        let data = DemoData::new(&small());
        let count = |index| day::plays(&data, &small(), index).len();
        assert!(count(5) * 10 > count(1) * 12, "{} {}", count(5), count(1));
        let day = small().day(1).unwrap();
        let mut hours = [0_usize; 24];
        for play in day::plays(&data, &small(), 1) {
            let hour = (play.started_at_micros - day.start_micros) / 3_600_000_000;
            hours[usize::try_from(hour).unwrap()] += 1;
        }
        assert!(hours[21] > 5 * hours[4], "{hours:?}");
    }

    #[test]
    fn a_few_videos_hold_much_of_the_audience_and_not_by_id() {
        let data = DemoData::new(&small());
        let mut counts = HashMap::<_, usize>::new();
        for play in data.plays(&small()) {
            *counts.entry(play.video_id).or_default() += 1;
        }
        let mut ranked: Vec<_> = counts.into_iter().collect();
        ranked.sort_by_key(|(video_id, count)| (std::cmp::Reverse(*count), *video_id));
        assert!(ranked[0].1 > 50 * 20_000 / 2_000, "{:?}", &ranked[..5]);
        assert!(ranked[0].1 > 5 * ranked[20].1);
        assert!(!ranked[..10].is_sorted_by_key(|(video_id, _)| *video_id));
        assert!(ranked.len() > 1_500, "{}", ranked.len());
    }

    #[test]
    fn owners_watch_themselves_every_day_and_cheats_repeat_within_the_window() {
        let data = DemoData::new(&small());
        assert_eq!(data.self_watchers.len(), 12);
        let mut recent_views = RecentViews::new(ViewWindow::from_seconds(30));
        for index in 0..14 {
            let mut own = HashSet::new();
            let mut repeats = 0;
            let mut counted = HashMap::new();
            let (mut just_under, mut exactly) = (0, 0);
            for play in day::plays(&data, &small(), index) {
                let admission = recent_views.admit(&play);
                if admission == Admission::Own {
                    own.insert(play.owner_id);
                    continue;
                }
                let key = (play.user_id, play.video_id);
                let gap = counted.get(&key).map(|last| play.started_at_micros - last);
                match admission {
                    Admission::Counted => {
                        exactly += usize::from(gap == Some(30_000_000));
                        counted.insert(key, play.started_at_micros);
                    }
                    _ => {
                        repeats += 1;
                        just_under += usize::from(gap == Some(29_999_999));
                    }
                }
            }
            for videos in &data.self_watchers {
                assert!(own.contains(&videos[0].owner_id), "day {index}");
            }
            assert!(repeats > 50, "day {index}: {repeats}");
            assert!(
                exactly > 0 && just_under > 0,
                "day {index}: {exactly}, {just_under}"
            );
        }
    }
}
