//! A video's day: history = statistics = revenue, and the chain of lifetime counts.

use crate::verification::{
    findings::{At, Findings, Kind, ROW},
    pay::Rates,
};
use balance_store::verification::{PlayFacts, RevenueFacts, StatisticsFacts, VideoDay};
use chrono::NaiveDate;
use std::fmt::Display;

/// What the steps have written of a video: a row, or a skip, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) statistics: bool,
    pub(super) revenue: bool,
    pub(super) rollup: bool,
}

/// What the history says of a day.
#[derive(Clone, Copy)]
struct Played {
    views: i128,
    seconds: i128,
    ad_views: i128,
}

impl Played {
    fn of(video: &VideoDay) -> Self {
        Self {
            views: video.plays.map_or(0, |plays| plays.views),
            seconds: video.plays.map_or(0, |plays| plays.seconds),
            ad_views: video.ad_views.into(),
        }
    }

    /// Owners' own plays alone make no row.
    const fn is_nothing(self) -> bool {
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

/// A day that is being verified.
pub(super) struct SettledDay<'a> {
    pub(super) date: NaiveDate,
    /// Nothing where there are none, or damaged ones.
    pub(super) rates: Option<&'a Rates>,
    /// Whether they are damaged: then no pay is compared.
    pub(super) rates_are_damaged: bool,
}

impl SettledDay<'_> {
    /// Compares a video's rows with what was played; answers what the steps must have written.
    pub(super) fn verify(&self, video: &VideoDay, findings: &mut Findings) -> Written {
        let key = Key {
            date: self.date,
            video_id: video.video_id,
        };
        let played = Played::of(video);
        let is_settled = !played.is_nothing() && !video.skips.statistics;
        if let Some(plays) = video.plays.filter(|_| !video.skips.statistics) {
            history(key, plays, findings);
        }
        statistics(key, video, played, is_settled, findings);
        let pay = if is_settled {
            self.pay(video, played)
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

    /// The right pay: of what was played after the row before, or of what the day's own row says,
    /// so that one wrong digit of a row is not told again as wrong pay.
    fn pay(&self, video: &VideoDay, played: Played) -> Vec<RevenueSums> {
        let Some(rates) = self.rates else {
            return Vec::new();
        };
        let Some(row) = video.statistics else {
            // The chain goes on from rows; without one the count before is not known here.
            return Vec::new();
        };
        let (views, ad_views) = row.before;
        let own = |cumulative: i64, day: i64| i128::from(cumulative) - i128::from(day);
        vec![
            RevenueSums {
                view: rates.video.pay(views.into(), played.views),
                ad: rates.ad.pay(ad_views.into(), played.ad_views),
            },
            RevenueSums {
                view: rates
                    .video
                    .pay(own(row.cumulative.0, row.view_count), row.view_count.into()),
                ad: rates.ad.pay(
                    own(row.cumulative.1, row.ad_view_count),
                    row.ad_view_count.into(),
                ),
            },
        ]
    }

    fn revenue(
        &self,
        key: Key,
        video: &VideoDay,
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
            findings.add(at, ROW, "no row", shown(row));
            return;
        }
        if self.rates.is_none() {
            findings.add(at, ROW, "no row: there is no rate for the day", shown(row));
            return;
        }
        let sums = RevenueSums {
            view: row.view_revenue.into(),
            ad: row.ad_revenue.into(),
        };
        // The row's own parts, where they are right; so one wrong digit is told once.
        let right = match pay.first() {
            Some(right) if !pay.contains(&sums) => *right,
            _ => sums,
        };
        findings.compare(at, "view_revenue", right.view, sums.view);
        findings.compare(at, "ad_revenue", right.ad, sums.ad);
        let total = right.view + right.ad;
        findings.compare(at, "total_revenue", total, row.total_revenue.into());
    }
}

/// Pay in hundredths of a won.
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

fn shown(row: RevenueFacts) -> String {
    format!(
        "{} + {} = {}",
        row.view_revenue, row.ad_revenue, row.total_revenue
    )
}

/// A row's key.
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
    video: &VideoDay,
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
    // A skipped video may have a row all the same, if it is right.
    if played.is_nothing() {
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

/// The lifetime counts go on from the row before: by what the day's own row says, or by what was
/// played, so that one wrong digit is not told again as a broken chain.
fn chain(key: Key, row: &StatisticsFacts, played: Played, findings: &mut Findings) {
    let at = key.at(Kind::Chain, "video_statistics");
    let mut link = |column, before: i64, own: i64, played: i128, found: i64| {
        let before = i128::from(before);
        if before + played != i128::from(found) {
            findings.compare(at, column, before + i128::from(own), found.into());
        }
    };
    link(
        "cumulative_view_count",
        row.before.0,
        row.view_count,
        played.views,
        row.cumulative.0,
    );
    link(
        "cumulative_ad_view_count",
        row.before.1,
        row.ad_view_count,
        played.ad_views,
        row.cumulative.1,
    );
}

/// Rows of a day that nobody has launched.
pub(super) fn stray(date: NaiveDate, video: &VideoDay, findings: &mut Findings) {
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
mod tests {
    use super::*;
    use crate::verification::pay::tests::rates;
    use balance_store::verification::Skips;

    fn right() -> VideoDay {
        VideoDay {
            video_id: 7,
            plays: Some(PlayFacts {
                views: 2,
                seconds: 50,
                least_seconds: 0,
                counted: (0, 1),
            }),
            ad_views: 1,
            statistics: Some(StatisticsFacts {
                view_count: 2,
                total_play_time: 50,
                ad_view_count: 1,
                cumulative: (100_001, 5),
                before: (99_999, 4),
                is_registered: true,
            }),
            revenue: Some(RevenueFacts {
                view_revenue: 210,
                ad_revenue: 100,
                total_revenue: 310,
            }),
            skips: Skips::default(),
        }
    }

    /// The differences of a video that was changed, as `table.column expected/found`.
    fn differences(change: impl FnOnce(&mut VideoDay)) -> Vec<String> {
        let mut video = right();
        change(&mut video);
        let mut findings = Findings::new(10);
        let rates = rates();
        let day = SettledDay {
            date: NaiveDate::default(),
            rates: Some(&rates),
            rates_are_damaged: false,
        };
        day.verify(&video, &mut findings);
        Kind::ALL
            .into_iter()
            .flat_map(|kind| findings.shown(kind))
            .map(|one| {
                format!(
                    "{}.{} {}/{}",
                    one.table, one.column, one.expected, one.found
                )
            })
            .collect()
    }

    fn row(video: &mut VideoDay) -> &mut StatisticsFacts {
        video.statistics.as_mut().unwrap()
    }

    #[test]
    fn what_is_right_is_clean_and_one_digit_is_one_difference() {
        assert!(differences(|_| {}).is_empty());
        let one = |change: fn(&mut VideoDay), expected: &str| {
            assert_eq!(differences(change), [expected]);
        };
        one(|v| row(v).view_count = 3, "video_statistics.view_count 2/3");
        one(
            |v| row(v).total_play_time = 51,
            "video_statistics.total_play_time 50/51",
        );
        one(
            |v| row(v).ad_view_count = 0,
            "video_statistics.ad_view_count 1/0",
        );
        one(
            |v| row(v).cumulative.1 = 6,
            "video_statistics.cumulative_ad_view_count 5/6",
        );
        one(
            |v| row(v).is_registered = false,
            "video.row the video/no row",
        );
        one(
            |v| v.revenue.as_mut().unwrap().view_revenue = 200,
            "video_revenue.view_revenue 210/200",
        );
        one(
            |v| v.revenue.as_mut().unwrap().total_revenue = 311,
            "video_revenue.total_revenue 310/311",
        );
        one(|v| v.revenue = None, "video_revenue.row 210 + 100/no row");
        one(
            |v| v.plays.as_mut().unwrap().least_seconds = -1,
            "play_history.play_time 0 or more/-1",
        );
        one(
            |v| v.plays.as_mut().unwrap().counted.1 = 2,
            "play_history.counted 0 or 1/2",
        );
    }

    #[test]
    fn rows_that_are_missing_or_too_many_are_named() {
        let missing = differences(|video| {
            video.statistics = None;
            video.revenue = None;
        });
        let expected = [
            "video_statistics.row 2 views, 50 s, 1 ad views/no row",
            "video_revenue.row a row/no row",
        ];
        assert_eq!(missing, expected);
        let extra = differences(|video| {
            video.plays = None;
            video.ad_views = 0;
        });
        let expected = [
            "video_statistics.row no row/2 views, 50 s, 1 ad views",
            "video_revenue.row no row/210 + 100 = 310",
        ];
        assert_eq!(extra, expected);
    }

    #[test]
    fn a_skipped_video_has_no_rows() {
        let skipped = |video: &mut VideoDay| {
            video.skips.statistics = true;
            video.statistics = None;
            video.revenue = None;
            video.plays.as_mut().unwrap().least_seconds = -3;
        };
        assert!(differences(skipped).is_empty());
        let unpaid = |video: &mut VideoDay| {
            video.skips.revenue = true;
            video.revenue = None;
        };
        assert!(differences(unpaid).is_empty());
    }
}
