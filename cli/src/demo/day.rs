//! Generates the plays of one business day.

use crate::demo::{
    data::DemoData,
    people::{CREATOR_COUNT, FIRST_VIEWER_ID, VIEWER_COUNT},
    spec::{DemoSpec, Stream},
};
use balance_domain::{
    accounts::UserId,
    calendar::BusinessDay,
    playback::Play,
    units::{MICROS_PER_DAY, MICROS_PER_S},
    videos::Video,
};
use chrono::{Datelike as _, NaiveDate, Weekday};
use rand::{RngExt as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::Zipf;

/// Relative number of plays in each hour of the day.
const HOUR_WEIGHTS: [u32; 24] = [
    30, 16, 9, 6, 5, 7, 14, 28, 36, 32, 32, 38, 52, 44, 38, 40, 46, 56, 72, 92, 110, 118, 96, 60,
];
/// Zipf exponent of the popularity ranks.
const POPULARITY_EXPONENT: f64 = 0.9;
/// Number of trends on one day.
const TRENDS_A_DAY: usize = 12;
/// Number of new trends on one day; the others are trends of the previous day.
const NEW_TRENDS_A_DAY: usize = 6;
/// Zipf exponent of the day's trends.
const TREND_EXPONENT: f64 = 1.0;

const HOUR_MICROS: i64 = 3_600 * MICROS_PER_S;
/// The default view window, which cheats try to circumvent.
const WINDOW_MICROS: i64 = 30 * MICROS_PER_S;
/// Maximum length of a cheat's burst: 8 rounds of 40 s.
const LONGEST_BURST_MICROS: i64 = 8 * 40 * MICROS_PER_S;

/// Returns the plays of the day with an index of 0 or more, in the order of time; none after the end
/// of the calendar.
pub(super) fn plays(data: &DemoData, spec: &DemoSpec, index: u32) -> Vec<Play> {
    let Some(day) = spec.day(index) else {
        return Vec::new();
    };
    let mut generator = DayGenerator {
        data,
        day,
        trends: trends(data, index),
        rng: spec.rng(Stream::Day(index)),
        plays: Vec::new(),
    };
    generator.add_audience(audience_size(spec, day.date));
    generator.add_own_plays();
    generator.add_bursts();
    let mut plays = generator.plays;
    plays.sort_unstable_by_key(|play| {
        (
            play.started_at_micros,
            play.user_id,
            play.video_id,
            play.play_time_s,
        )
    });
    plays.dedup_by_key(|play| (play.started_at_micros, play.user_id, play.video_id));
    plays
}

/// Returns the number of the day's plays, 1 or more. Rounds up, so that all days together reach the
/// requested number.
fn audience_size(spec: &DemoSpec, date: NaiveDate) -> usize {
    let all_days = (0..spec.day_count).filter_map(|index| spec.day(index));
    let all: usize = all_days.map(|day| day_weight(day.date)).sum();
    let share = spec.play_count.saturating_mul(day_weight(date));
    share.div_ceil(all.max(1)).max(1)
}

/// Returns the relative number of plays of a weekday: 10 for Monday to Thursday.
fn day_weight(date: NaiveDate) -> usize {
    match date.weekday() {
        Weekday::Mon | Weekday::Tue | Weekday::Wed | Weekday::Thu => 10,
        Weekday::Fri => 12,
        Weekday::Sat => 15,
        Weekday::Sun => 14,
    }
}

/// Returns the trends of a day. A trend starts in the lower half of the list and is in the upper half
/// on the next day.
fn trends(data: &DemoData, index: u32) -> Vec<&Video> {
    let skipped = usize::try_from(index).unwrap_or(0) % data.trends.len().max(1) * NEW_TRENDS_A_DAY;
    data.trends
        .iter()
        .cycle()
        .skip(skipped)
        .take(TRENDS_A_DAY)
        .collect()
}

/// Generates the plays of a day, unordered.
struct DayGenerator<'data> {
    data: &'data DemoData,
    day: BusinessDay,
    trends: Vec<&'data Video>,
    rng: ChaCha8Rng,
    plays: Vec<Play>,
}

impl DayGenerator<'_> {
    /// Adds the plays of ordinary viewers.
    fn add_audience(&mut self, size: usize) {
        self.plays.reserve(size);
        let ranks = Ranks::new(self.data.by_popularity.len(), POPULARITY_EXPONENT);
        let trend_ranks = Ranks::new(self.trends.len(), TREND_EXPONENT);
        for _ in 0..size {
            let video = if self.rng.random_ratio(15, 100) {
                self.trends.get(trend_ranks.draw(&mut self.rng)).copied()
            } else {
                self.data.by_popularity.get(ranks.draw(&mut self.rng))
            };
            let user_id = viewer(&mut self.rng);
            if let Some(video) = video {
                self.add_view(user_id, video);
            }
        }
    }

    /// Adds plays of owners who watch their own videos.
    fn add_own_plays(&mut self) {
        for favourites in &self.data.self_watchers {
            for _ in 0..self.rng.random_range(2..=5) {
                if let Some(video) = favourites.choose(&mut self.rng) {
                    self.add_view(video.owner_id, video);
                }
            }
        }
    }

    /// Adds bursts of cheats who repeat one video, some of them just outside the view window.
    fn add_bursts(&mut self) {
        for (user_id, video) in &self.data.cheats {
            for _ in 0..self.rng.random_range(1..=2) {
                let latest = self.day.end_micros - LONGEST_BURST_MICROS;
                let from = self.instant().min(latest).max(self.day.start_micros);
                self.add_burst(*user_id, video, from);
            }
        }
    }

    /// Adds rounds of a counted view and repeats, some of them one microsecond before the window
    /// ends. Most rounds begin at the exact instant at which a view counts again.
    fn add_burst(&mut self, user_id: UserId, video: &Video, from: i64) {
        let mut round_start = from;
        for _ in 0..self.rng.random_range(3..=8) {
            self.add_glimpse(user_id, video, round_start);
            for _ in 0..self.rng.random_range(1..=5) {
                let later = self.rng.random_range(MICROS_PER_S..WINDOW_MICROS);
                self.add_glimpse(user_id, video, round_start + later);
            }
            if self.rng.random_ratio(1, 3) {
                self.add_glimpse(user_id, video, round_start + WINDOW_MICROS - 1);
            }
            let pause = if self.rng.random_ratio(2, 3) {
                0
            } else {
                10 * MICROS_PER_S
            };
            round_start += WINDOW_MICROS + self.rng.random_range(0..=pause);
        }
    }

    /// Adds a view of a few seconds.
    fn add_glimpse(&mut self, user_id: UserId, video: &Video, at_micros: i64) {
        let play_time_s = self.rng.random_range(1..=5);
        self.push(user_id, video, at_micros, play_time_s);
    }

    fn add_view(&mut self, user_id: UserId, video: &Video) {
        let at_micros = self.instant();
        let play_time_s = play_time_s(video.duration_s, &mut self.rng);
        self.push(user_id, video, at_micros, play_time_s);
    }

    fn push(&mut self, user_id: UserId, video: &Video, started_at_micros: i64, play_time_s: i64) {
        self.plays.push(Play {
            user_id,
            video_id: video.id,
            owner_id: video.owner_id,
            started_at_micros,
            play_time_s,
            duration_s: video.duration_s,
        });
    }

    /// Draws an instant of the day, most likely in the evening, in microseconds since 1970 (UTC).
    fn instant(&mut self) -> i64 {
        // Days of 23 or 25 hours are scaled, so that the evening remains at their end.
        let length = i128::from(self.day.end_micros - self.day.start_micros);
        let passed = i128::from(time_of_day(&mut self.rng)) * length / i128::from(MICROS_PER_DAY);
        self.day.start_micros + i64::try_from(passed).unwrap_or(0)
    }
}

/// Draws microseconds since midnight, from 0 to 24 hours (exclusive).
fn time_of_day(rng: &mut ChaCha8Rng) -> i64 {
    let mut ticket = rng.random_range(0..HOUR_WEIGHTS.iter().sum());
    let mut hour_start = 0;
    for weight in HOUR_WEIGHTS {
        if ticket < weight {
            break;
        }
        ticket -= weight;
        hour_start += HOUR_MICROS;
    }
    hour_start + rng.random_range(0..HOUR_MICROS)
}

/// Draws a viewer. A tenth of the viewers makes 30 % of the plays, and creators make 1 %.
fn viewer(rng: &mut ChaCha8Rng) -> UserId {
    let id = match rng.random_range(0..100) {
        0 => rng.random_range(1..=CREATOR_COUNT),
        1..31 => FIRST_VIEWER_ID + 10 * rng.random_range(0..VIEWER_COUNT / 10),
        _ => FIRST_VIEWER_ID + rng.random_range(0..VIEWER_COUNT),
    };
    UserId(i64::from(id))
}

/// Draws the seconds played, 1 or more: many viewers leave early, some see the end, and a short video
/// can be played up to three times.
fn play_time_s(duration_s: i64, rng: &mut ChaCha8Rng) -> i64 {
    let is_short = duration_s <= 60;
    let (early, midway, repeated) = if is_short { (20, 45, 15) } else { (45, 85, 0) };
    let draw = rng.random_range(0..100);
    if draw < early {
        rng.random_range(1..=(duration_s / 10).max(3))
    } else if draw < midway {
        rng.random_range(duration_s / 10..duration_s).max(1)
    } else if draw < 100 - repeated {
        duration_s
    } else {
        rng.random_range(duration_s + 1..=3 * duration_s)
    }
}

/// Draws ranks by Zipf's law; rank 0 is the most likely.
struct Ranks {
    count: usize,
    zipf: Option<Zipf<f64>>,
}

impl Ranks {
    fn new(count: usize, exponent: f64) -> Self {
        let zipf = u32::try_from(count)
            .ok()
            .and_then(|count| Zipf::new(f64::from(count), exponent).ok());
        Self { count, zipf }
    }

    /// Draws a rank from 0 to the count (exclusive).
    fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        let rank = self.zipf.map_or(1, |zipf| whole(rng.sample(zipf)));
        rank.saturating_sub(1).min(self.count.saturating_sub(1))
    }
}

/// Converts a drawn rank to an integer.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Zipf draws whole numbers from 1 to a count that came from a u32"
)]
fn whole(rank: f64) -> usize {
    rank as usize
}
