//! Totals over all videos: each must be the sum of its rows.

use crate::verification::{
    findings::{At, Findings, Kind},
    period::COLUMNS,
};
use balance_domain::period::Period;
use balance_store::verification::{PeriodFacts, RevenueFacts, TotalFacts, VideoDayFacts};

/// The largest value of a column. A larger sum is stored as this value.
const MAX_VALUE: i128 = i64::MAX as i128;

/// Returns what a video's day adds to the total; `None` without a row.
pub(super) fn of_day(video: &VideoDayFacts) -> Option<PeriodFacts> {
    let statistics = video.statistics?;
    let revenue = video.revenue;
    let pay = |column: fn(&RevenueFacts) -> i64| revenue.as_ref().map_or(0, column).into();
    Some(PeriodFacts {
        view_count: statistics.view_count.into(),
        total_play_time: statistics.total_play_time.into(),
        ad_view_count: statistics.ad_view_count.into(),
        view_revenue: pay(|revenue| revenue.view_revenue),
        ad_revenue: pay(|revenue| revenue.ad_revenue),
        total_revenue: pay(|revenue| revenue.total_revenue),
    })
}

/// Reports a total of a week or month that begins on an invalid day.
pub(super) fn misaligned(period: Period, findings: &mut Findings) {
    let key = format!("{} of {}", period.kind, period.from);
    let at = At {
        kind: Kind::Periods,
        table: "period_total",
        key: &key,
    };
    let expected = "a Monday, or the first of a month";
    findings.add(at, "start_date", expected, period.from);
}

/// Compares a period's total with the sums of its rows. Periods settled by early versions have no
/// total.
pub(super) fn verify(
    period: Period,
    row: Option<TotalFacts>,
    sums: TotalFacts,
    findings: &mut Findings,
) {
    let key = format!("{} of {}", period.kind, period.from);
    let at = At {
        kind: Kind::Periods,
        table: "period_total",
        key: &key,
    };
    let Some(row) = row else { return };
    findings.compare(at, "video_count", sums.video_count, row.video_count);
    for (column, value) in COLUMNS {
        let expected = value(&sums.sums).min(MAX_VALUE);
        findings.compare(at, column, expected, value(&row.sums));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::period::PeriodKind;
    use chrono::NaiveDate;

    fn differences(row: Option<TotalFacts>, sums: TotalFacts) -> u64 {
        let mut findings = Findings::new(10);
        let day = PeriodKind::Day.containing(NaiveDate::default());
        verify(day, row, sums, &mut findings);
        findings.total(Kind::Periods)
    }

    #[test]
    fn a_total_is_the_sum_up_to_the_largest_value() {
        let mut sums = TotalFacts::default();
        assert_eq!(differences(None, sums), 0);
        assert_eq!(differences(Some(sums), sums), 0);
        sums.add(PeriodFacts {
            view_count: MAX_VALUE,
            ..PeriodFacts::default()
        });
        let max = sums;
        assert_eq!(differences(None, sums), 0);
        assert_eq!(differences(Some(max), sums), 0);
        sums.add(PeriodFacts {
            view_count: 5,
            ..PeriodFacts::default()
        });
        let two = TotalFacts {
            video_count: 2,
            ..max
        };
        assert_eq!(differences(Some(two), sums), 0);
        // The count of videos.
        assert_eq!(differences(Some(max), sums), 1);
    }
}
