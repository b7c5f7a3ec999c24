//! Files of plays: `user_id,video_id,owner_id,started_at,play_time_s,video_duration_s`.

use crate::import::csv_file::{CsvFile, FileError, integer, padded, quoted};
use balance_domain::{
    accounts::UserId,
    playback::{MAX_PLAY_TIME_S, Play},
    units::MICROS_PER_S,
    videos::{MAX_DURATION_S, VideoId},
};
use balance_store::import::SourcedPlay;
use chrono::{DateTime, NaiveDate, SecondsFormat, format::ParseErrorKind};
use std::io::Read;

const COLUMNS: [&str; 6] = [
    "user_id",
    "video_id",
    "owner_id",
    "started_at",
    "play_time_s",
    "video_duration_s",
];

const MAX_FRACTION_DIGITS: usize = 6;

/// Iterates over the plays of a file in the order of the file. Ends after the first error.
///
/// - Ids are 1 to `i64::MAX`. If `owner_id` is empty, the owner is the video's synthetic creator.
/// - `started_at` is an RFC 3339 time with any offset, from 1970 on and not in the future, with at
///   most six fractional digits.
/// - `play_time_s` is 0 to [`MAX_PLAY_TIME_S`], `video_duration_s` 1 to [`MAX_DURATION_S`].
///
/// Errors name the line, the column and the reason.
#[derive(Debug)]
pub struct PlayFile<R> {
    csv: CsvFile<R, 6>,
    times: TimeParser,
    file: u32,
    ended: bool,
}

impl<R: Read> PlayFile<R> {
    /// Reads the header. `name` names the file in errors and `file` is its index in the import. No
    /// play may begin after `now_micros`, in microseconds since 1970 (UTC). The source needs no
    /// buffer.
    ///
    /// # Errors
    /// If the file cannot be read or is empty, or if its header is wrong.
    pub fn new(
        source: R,
        name: impl Into<String>,
        file: u32,
        now_micros: i64,
    ) -> Result<Self, FileError> {
        Ok(Self {
            csv: CsvFile::new(source, name, &COLUMNS)?,
            times: TimeParser::new(now_micros),
            file,
            ended: false,
        })
    }

    fn read(&mut self) -> Result<Option<SourcedPlay>, FileError> {
        let Some(row) = self.csv.next_row()? else {
            return Ok(None);
        };
        let id = |value: &[u8]| integer(value, 1, i64::MAX);
        let video_id = VideoId(row.parse(1, id)?);
        let play = Play {
            user_id: UserId(row.parse(0, id)?),
            video_id,
            owner_id: row.parse(2, |value| match value {
                [] => Ok(video_id.synthetic_owner()),
                _ => id(value).map(UserId),
            })?,
            started_at_micros: row.parse(3, |value| self.times.parse(value))?,
            play_time_s: row.parse(4, |value| integer(value, 0, MAX_PLAY_TIME_S))?,
            duration_s: row.parse(5, |value| integer(value, 1, MAX_DURATION_S))?,
        };
        Ok(Some(SourcedPlay {
            play,
            file: self.file,
            line: row.line(),
        }))
    }
}

impl<R: Read> Iterator for PlayFile<R> {
    type Item = Result<SourcedPlay, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.read().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Parses times. The common form `2022-04-08T02:49:36Z` skips the slower parser of chrono and
/// caches the date, because most rows have the date of the previous row.
#[derive(Debug)]
struct TimeParser {
    now_micros: i64,
    date: [u8; 10],
    /// The start of `date`, in seconds since 1970.
    midnight_s: i64,
}

impl TimeParser {
    fn new(now_micros: i64) -> Self {
        Self {
            now_micros,
            date: *b"1970-01-01",
            midnight_s: 0,
        }
    }

    /// Returns the time in microseconds since 1970, or the reason why it is invalid.
    fn parse(&mut self, value: &[u8]) -> Result<i64, String> {
        let micros = match self.common(value) {
            Some(micros) => micros,
            None => general(value)?,
        };
        if micros < 0 {
            return Err(format!("{} is before 1970-01-01", quoted(value)));
        }
        if micros > self.now_micros {
            let now = DateTime::from_timestamp_micros(self.now_micros)
                .map(|now| now.to_rfc3339_opts(SecondsFormat::Secs, true))
                .unwrap_or_default();
            return Err(format!("{} is in the future (it is {now})", quoted(value)));
        }
        Ok(micros)
    }

    fn common(&mut self, value: &[u8]) -> Option<i64> {
        let value: &[u8; 20] = value.try_into().ok()?;
        let [date @ .., b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'Z'] = value else {
            return None;
        };
        let hour = two_digits(*h1, *h2, 23)?;
        let minute = two_digits(*m1, *m2, 59)?;
        let second = two_digits(*s1, *s2, 59)?;
        if *date != self.date {
            self.midnight_s = midnight_s(date)?;
            self.date = *date;
        }
        Some((self.midnight_s + hour * 3_600 + minute * 60 + second) * MICROS_PER_S)
    }
}

fn midnight_s(date: &[u8; 10]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
        return None;
    };
    let year = two_digits(y1, y2, 99)? * 100 + two_digits(y3, y4, 99)?;
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        u32::try_from(two_digits(m1, m2, 12)?).ok()?,
        u32::try_from(two_digits(d1, d2, 31)?).ok()?,
    )?;
    Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp())
}

fn two_digits(tens: u8, ones: u8, max: i64) -> Option<i64> {
    let number = i64::from(tens.wrapping_sub(b'0')) * 10 + i64::from(ones.wrapping_sub(b'0'));
    (tens.is_ascii_digit() && ones.is_ascii_digit() && number <= max).then_some(number)
}

/// Parses any RFC 3339 time. Returns microseconds since 1970.
fn general(value: &[u8]) -> Result<i64, String> {
    if value.is_empty() {
        return Err("the time is missing".to_owned());
    }
    if padded(value) {
        return Err(format!("{} has spaces around it", quoted(value)));
    }
    let not_a_time = || {
        let shown = quoted(value);
        format!("{shown} is not a time with its zone such as 2022-04-08T02:49:36Z (RFC 3339)")
    };
    // chrono also accepts the Unicode minus.
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|text| text.is_ascii());
    let text = text.ok_or_else(not_a_time)?;
    let time = DateTime::parse_from_rfc3339(text).map_err(|error| match error.kind() {
        ParseErrorKind::OutOfRange | ParseErrorKind::Impossible => {
            format!("{} is a day or time that does not exist", quoted(value))
        }
        _ => not_a_time(),
    })?;
    if time.timestamp_subsec_micros() >= 1_000_000 {
        return Err(format!(
            "{} is a leap second, which is not supported",
            quoted(value)
        ));
    }
    // chrono truncates digits beyond nanoseconds.
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    if fraction.bytes().take_while(u8::is_ascii_digit).count() > MAX_FRACTION_DIGITS {
        return Err(format!("{} is finer than a microsecond", quoted(value)));
    }
    Ok(time.timestamp_micros())
}

#[cfg(test)]
mod tests;
