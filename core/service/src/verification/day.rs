//! A video's day: statistics must match the history, revenue must match the statistics, and the
//! lifetime counts must continue those of the previous row.

use crate::verification::{
    findings::{At, Findings, Kind, ROW},
    pay::Rates,
};
use balance_store::verification::{PlayFacts, RevenueFacts, StatisticsFacts, VideoDayFacts};
use chrono::NaiveDate;
use std::fmt::Display;

/// Which steps must have written a row of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) statistics: bool,
    pub(super) revenue: bool,
    pub(super) rollup: bool,
}

/// A video's plays on a day, from the history.
#[derive(Clone, Copy)]
struct Played {
    views: i128,
    seconds: i128,
    ad_views: i128,
}

impl Played {
    fn of(video: &VideoDayFacts) -> Self {
        Self {
            views: video.plays.map_or(0, |plays| plays.views),
            seconds: video.plays.map_or(0, |plays| plays.seconds),
            ad_views: video.ad_views.into(),
        }
    }

    /// Returns whether the day needs no row. Plays of the owner do not count.
    const fn is_empty(self) -> bool {
        self.views == 0 && self.seconds == 0 && self.ad_views == 0
    }
}

impl Display for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            views,
            seconds,
            ad_views,
        } = self;
        write!(f, "{views} views, {seconds} s, {ad_views} ad views")
    }
}

/// A settled day under verification.
pub(super) struct SettledDay<'a> {
    pub(super) date: NaiveDate,
    /// The rates of the day; `None` if they are missing or damaged.
    pub(super) rates: Option<&'a Rates>,
    /// Whether the rates are damaged. Revenue is not compared then.
    pub(super) rates_are_damaged: bool,
}

impl SettledDay<'_> {
    /// Compares a video's rows with its plays. Returns which rows the steps must have written.
    pub(super) fn verify(&self, video: &VideoDayFacts, findings: &mut Findings) -> Written {
        let key = Key {
            date: self.date,
            video_id: video.video_id,
        };
        let played = Played::of(video);
        let is_settled = !played.is_empty() && !video.skips.statistics;
        if let Some(plays) = video.plays.filter(|_| !video.skips.statistics) {
            history(key, plays, findings);
        }
        statistics(key, video, played, is_settled, findings);
        let pay = if is_settled {
            self.acceptable_revenue(video, played)
        } else {
            Vec::new()
        };
        if !self.rates_are_damaged {
            self.revenue(key, video, &pay, is_settled, findings);
        }
        Written {
            statistics: is_settled,
            revenue: is_settled && !video.skips.revenue,
            rollup: is_settled && !video.skips.rollup,
        }
    }

    /// Returns the acceptable revenues: by the plays of the history, and by the counts of the day's
    /// row. The second avoids reporting a wrong count again as wrong revenue.
    fn acceptable_revenue(&self, video: &VideoDayFacts, played: Played) -> Vec<RevenueSums> {
        let Some(rates) = self.rates else {
            return Vec::new();
        };
        let Some(row) = video.statistics else {
            // Without a row the lifetime counts before the day are unknown.
            return Vec::new();
        };
        let (views, ad_views) = row.before;
        let before = |cumulative: i64, day: i64| i128::from(cumulative) - i128::from(day);
        vec![
            RevenueSums {
                view: rates.video.pay(views.into(), played.views),
                ad: rates.ad.pay(ad_views.into(), played.ad_views),
            },
            RevenueSums {
                view: rates.video.pay(
                    before(row.cumulative.0, row.view_count),
                    row.view_count.into(),
                ),
                ad: rates.ad.pay(
                    before(row.cumulative.1, row.ad_view_count),
                    row.ad_view_count.into(),
                ),
            },
        ]
    }

    fn revenue(
        &self,
        key: Key,
        video: &VideoDayFacts,
        pay: &[RevenueSums],
        is_settled: bool,
        findings: &mut Findings,
    ) {
        let at = key.at(Kind::Revenue, "video_revenue");
        let Some(row) = video.revenue else {
            if is_settled && !video.skips.revenue {
                match pay.first() {
                    Some(pay) => findings.add(at, ROW, pay, "no row"),
                    None => findings.add(at, ROW, "a row", "no row"),
                }
            }
            return;
        };
        if !is_settled {
            findings.add(at, ROW, "no row", format_revenue(row));
            return;
        }
        if self.rates.is_none() {
            findings.add(
                at,
                ROW,
                "no row: there is no rate for the day",
                format_revenue(row),
            );
            return;
        }
        let sums = RevenueSums {
            view: row.view_revenue.into(),
            ad: row.ad_revenue.into(),
        };
        // If the parts are acceptable, the total is compared with their sum, so that one wrong
        // value is one difference.
        let expected = match pay.first() {
            Some(first) if !pay.contains(&sums) => *first,
            _ => sums,
        };
        findings.compare(at, "view_revenue", expected.view, sums.view);
        findings.compare(at, "ad_revenue", expected.ad, sums.ad);
        let total = expected.view + expected.ad;
        findings.compare(at, "total_revenue", total, row.total_revenue.into());
    }
}

/// The revenue of views and ad views, in hundredths of a won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RevenueSums {
    view: i128,
    ad: i128,
}

impl Display for RevenueSums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} + {}", self.view, self.ad)
    }
}

fn format_revenue(row: RevenueFacts) -> String {
    format!(
        "{} + {} = {}",
        row.view_revenue, row.ad_revenue, row.total_revenue
    )
}

/// The key of a row.
#[derive(Clone, Copy)]
struct Key {
    date: NaiveDate,
    video_id: i64,
}

impl Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "date {}, video {}", self.date, self.video_id)
    }
}

impl Key {
    fn at(&self, kind: Kind, table: &'static str) -> At<'_> {
        At {
            kind,
            table,
            key: self,
        }
    }
}

fn history(key: Key, plays: PlayFacts, findings: &mut Findings) {
    let at = key.at(Kind::History, "play_history");
    if plays.least_seconds < 0 {
        findings.add(at, "play_time", "0 or more", plays.least_seconds);
    }
    let (least, most) = plays.counted;
    if least < 0 || most > 1 {
        findings.add(at, "counted", "0 or 1", if most > 1 { most } else { least });
    }
}

fn statistics(
    key: Key,
    video: &VideoDayFacts,
    played: Played,
    is_settled: bool,
    findings: &mut Findings,
) {
    let at = key.at(Kind::Statistics, "video_statistics");
    let Some(row) = video.statistics else {
        if is_settled {
            findings.add(at, ROW, played, "no row");
        }
        return;
    };
    // A skipped video may have a row if the row is correct.
    if played.is_empty() {
        let found = Played {
            views: row.view_count.into(),
            seconds: row.total_play_time.into(),
            ad_views: row.ad_view_count.into(),
        };
        findings.add(at, ROW, "no row", found);
        return;
    }
    findings.compare(at, "view_count", played.views, row.view_count.into());
    findings.compare(
        at,
        "total_play_time",
        played.seconds,
        row.total_play_time.into(),
    );
    findings.compare(
        at,
        "ad_view_count",
        played.ad_views,
        row.ad_view_count.into(),
    );
    if !row.is_registered {
        let at = key.at(Kind::Statistics, "video");
        findings.add(at, ROW, "the video", "no row");
    }
    chain(key, &row, played, findings);
}

/// Checks that the lifetime counts continue those of the previous row. The counts of the day's row
/// and those of the history are both acceptable, so that a wrong count is not reported again here.
fn chain(key: Key, row: &StatisticsFacts, played: Played, findings: &mut Findings) {
    let at = key.at(Kind::Chain, "video_statistics");
    let mut check = |column, before: i64, row: i64, played: i128, found: i64| {
        let before = i128::from(before);
        if before + played != i128::from(found) {
            findings.compare(at, column, before + i128::from(row), found.into());
        }
    };
    check(
        "cumulative_view_count",
        row.before.0,
        row.view_count,
        played.views,
        row.cumulative.0,
    );
    check(
        "cumulative_ad_view_count",
        row.before.1,
        row.ad_view_count,
        played.ad_views,
        row.cumulative.1,
    );
}

/// Reports the rows of a day that was never launched.
pub(super) fn never_launched(date: NaiveDate, video: &VideoDayFacts, findings: &mut Findings) {
    let key = Key {
        date,
        video_id: video.video_id,
    };
    if video.statistics.is_some() {
        let at = key.at(Kind::Statistics, "video_statistics");
        findings.add(at, ROW, "no row: the day was never launched", "a row");
    }
    if video.revenue.is_some() {
        let at = key.at(Kind::Revenue, "video_revenue");
        findings.add(at, ROW, "no row: the day was never launched", "a row");
    }
}

#[cfg(test)]
mod tests;
