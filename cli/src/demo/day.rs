//! One business day of plays.

use crate::demo::{
    cast::{CREATOR_COUNT, FIRST_VIEWER_ID, VIEWER_COUNT},
    generator::{DemoData, DemoSpec, Stream},
};
use balance_domain::{accounts::UserId, calendar::BusinessDay, playback::Play, videos::Video};
use chrono::{Datelike as _, NaiveDate, Weekday};
use rand::{RngExt as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::Zipf;

/// How many plays start in each hour of the day, relative to the other hours.
const HOUR_WEIGHTS: [u32; 24] = [
    30, 16, 9, 6, 5, 7, 14, 28, 36, 32, 32, 38, 52, 44, 38, 40, 46, 56, 72, 92, 110, 118, 96, 60,
];
/// How fast interest falls from one rank of popularity to the next.
const POPULARITY_EXPONENT: f64 = 0.9;
/// How many videos are a trend on one day.
const TRENDS_A_DAY: usize = 12;
/// How many of them are new on that day; the others were trends the day before, too.
const NEW_TRENDS_A_DAY: usize = 6;
/// How fast interest falls from the day's first trend to the next.
const TREND_EXPONENT: f64 = 1.0;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// The gate's window, which cheats try to get around.
const WINDOW: i64 = 30 * SECOND;
/// No burst of a cheat lasts longer: at most 8 rounds of at most 40 s.
const LONGEST_BURST: i64 = 8 * 40 * SECOND;

/// The plays of the day with this index (0 and up), in the order of time; none beyond the end of
/// the calendar.
pub(super) fn plays(data: &DemoData, spec: &DemoSpec, index: u32) -> Vec<Play> {
    let Some(day) = spec.day(index) else {
        return Vec::new();
    };
    let mut diary = Diary {
        data,
        day,
        trends: trends(data, index),
        rng: spec.rng(Stream::Day(index)),
        plays: Vec::new(),
    };
    diary.audience(audience_size(spec, day.date));
    diary.own_plays();
    diary.bursts();
    let mut plays = diary.plays;
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

/// This day's share of all plays, 1 and up. Rounded up, so that the days together hold enough.
fn audience_size(spec: &DemoSpec, date: NaiveDate) -> usize {
    let all_days = (0..spec.day_count).filter_map(|index| spec.day(index));
    let all: usize = all_days.map(|day| day_weight(day.date)).sum();
    let share = spec.play_count.saturating_mul(day_weight(date));
    share.div_ceil(all.max(1)).max(1)
}

/// How busy a day is, in tenths of a working day.
fn day_weight(date: NaiveDate) -> usize {
    match date.weekday() {
        Weekday::Mon | Weekday::Tue | Weekday::Wed | Weekday::Thu => 10,
        Weekday::Fri => 12,
        Weekday::Sat => 15,
        Weekday::Sun => 14,
    }
}

/// A trend begins in the lower half of a day's list and leads it on the next day.
fn trends(data: &DemoData, index: u32) -> Vec<&Video> {
    let gone = usize::try_from(index).unwrap_or(0) % data.trends.len().max(1) * NEW_TRENDS_A_DAY;
    data.trends
        .iter()
        .cycle()
        .skip(gone)
        .take(TRENDS_A_DAY)
        .collect()
}

/// A day's plays while they are being made, in no order.
struct Diary<'data> {
    data: &'data DemoData,
    day: BusinessDay,
    trends: Vec<&'data Video>,
    rng: ChaCha8Rng,
    plays: Vec<Play>,
}

impl Diary<'_> {
    /// What everybody watches.
    fn audience(&mut self, size: usize) {
        self.plays.reserve(size);
        let ranks = Ranks::new(self.data.by_popularity.len(), POPULARITY_EXPONENT);
        let trend_ranks = Ranks::new(self.trends.len(), TREND_EXPONENT);
        for _ in 0..size {
            let video = if self.rng.random_ratio(15, 100) {
                self.trends.get(trend_ranks.draw(&mut self.rng)).copied()
            } else {
                self.data.by_popularity.get(ranks.draw(&mut self.rng))
            };
            let user_id = person(&mut self.rng);
            if let Some(video) = video {
                self.watch(user_id, video);
            }
        }
    }

    /// Owners who look at their own videos every day.
    fn own_plays(&mut self) {
        for favourites in &self.data.self_watchers {
            for _ in 0..self.rng.random_range(2..=5) {
                if let Some(video) = favourites.choose(&mut self.rng) {
                    self.watch(video.owner_id, video);
                }
            }
        }
    }

    /// Cheats who start the same video again and again, and some of whom know the window.
    fn bursts(&mut self) {
        for (user_id, video) in &self.data.cheats {
            for _ in 0..self.rng.random_range(1..=2) {
                let latest = self.day.end_micros - LONGEST_BURST;
                let from = self.instant().min(latest).max(self.day.start_micros);
                self.burst(*user_id, video, from);
            }
        }
    }

    /// Rounds of a counted view, repeats, and now and then one a microsecond before the window
    /// ends. Most rounds begin at the very instant at which a view counts again.
    fn burst(&mut self, user_id: UserId, video: &Video, from: i64) {
        let mut round_start = from;
        for _ in 0..self.rng.random_range(3..=8) {
            self.glimpse(user_id, video, round_start);
            for _ in 0..self.rng.random_range(1..=5) {
                let later = self.rng.random_range(SECOND..WINDOW);
                self.glimpse(user_id, video, round_start + later);
            }
            if self.rng.random_ratio(1, 3) {
                self.glimpse(user_id, video, round_start + WINDOW - 1);
            }
            let pause = if self.rng.random_ratio(2, 3) {
                0
            } else {
                10 * SECOND
            };
            round_start += WINDOW + self.rng.random_range(0..=pause);
        }
    }

    /// A view for the count alone: a few seconds.
    fn glimpse(&mut self, user_id: UserId, video: &Video, at_micros: i64) {
        let play_time_s = self.rng.random_range(1..=5);
        self.push(user_id, video, at_micros, play_time_s);
    }

    fn watch(&mut self, user_id: UserId, video: &Video) {
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

    /// An instant of the day, likely in the evening, in microseconds since 1970 (UTC).
    fn instant(&mut self) -> i64 {
        // A day on which the clocks change is stretched or squeezed: its evening stays its end.
        let length = i128::from(self.day.end_micros - self.day.start_micros);
        let passed = i128::from(time_of_day(&mut self.rng)) * length / i128::from(DAY);
        self.day.start_micros + i64::try_from(passed).unwrap_or(0)
    }
}

/// Microseconds since midnight, 0 to 24 hours (exclusive).
fn time_of_day(rng: &mut ChaCha8Rng) -> i64 {
    let mut ticket = rng.random_range(0..HOUR_WEIGHTS.iter().sum());
    let mut hour_start = 0;
    for weight in HOUR_WEIGHTS {
        if ticket < weight {
            break;
        }
        ticket -= weight;
        hour_start += HOUR;
    }
    hour_start + rng.random_range(0..HOUR)
}

/// Who watches: one viewer in ten does three tenths of the watching, and creators watch, too.
fn person(rng: &mut ChaCha8Rng) -> UserId {
    let id = match rng.random_range(0..100) {
        0 => rng.random_range(1..=CREATOR_COUNT),
        1..31 => FIRST_VIEWER_ID + 10 * rng.random_range(0..VIEWER_COUNT / 10),
        _ => FIRST_VIEWER_ID + rng.random_range(0..VIEWER_COUNT),
    };
    UserId(i64::from(id))
}

/// How long somebody stays, in seconds (1 and up): many leave early, some see the end, and a short
/// video may run again, up to three times its length.
fn play_time_s(duration_s: i64, rng: &mut ChaCha8Rng) -> i64 {
    let is_short = duration_s <= 60;
    let (early, midway, looping) = if is_short { (20, 45, 15) } else { (45, 85, 0) };
    let mood = rng.random_range(0..100);
    if mood < early {
        rng.random_range(1..=(duration_s / 10).max(3))
    } else if mood < midway {
        rng.random_range(duration_s / 10..duration_s).max(1)
    } else if mood < 100 - looping {
        duration_s
    } else {
        rng.random_range(duration_s + 1..=3 * duration_s)
    }
}

/// Draws ranks by Zipf's law: rank 0 is the likeliest.
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

    /// A rank from 0 to the count (exclusive).
    fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        let rank = self.zipf.map_or(1, |zipf| whole(rng.sample(zipf)));
        rank.saturating_sub(1).min(self.count.saturating_sub(1))
    }
}

/// The whole number that a drawn rank is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Zipf draws whole numbers from 1 to a count that came from a u32"
)]
fn whole(rank: f64) -> usize {
    rank as usize
}
