//! Totals over all videos: the sums of the rows.

use crate::verification::{
    findings::{At, Findings, Kind},
    period::COLUMNS,
};
use balance_domain::period::Period;
use balance_store::verification::{PeriodFacts, RevenueFacts, TotalFacts, VideoDay};

/// The largest number that a column holds: a sum beyond it is stored as that.
const LARGEST: i128 = i64::MAX as i128;

/// What a video's day adds, if it has a row.
pub(super) fn of_day(video: &VideoDay) -> Option<PeriodFacts> {
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

/// A total of a week or month that begins on no such day.
pub(super) fn crooked(period: Period, findings: &mut Findings) {
    let key = format!("{} of {}", period.kind, period.from);
    let at = At {
        kind: Kind::Periods,
        table: "period_total",
        key: &key,
    };
    let expected = "a Monday, or the first of a month";
    findings.add(at, "start_date", expected, period.from);
}

/// Compares a period's total with the sums of its rows. What was settled before totals were kept has
/// none.
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
        let expected = value(&sums.sums).min(LARGEST);
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
    fn a_total_is_the_sum_as_far_as_it_fits() {
        let mut sums = TotalFacts::default();
        assert_eq!(differences(None, sums), 0);
        assert_eq!(differences(Some(sums), sums), 0);
        sums.add(PeriodFacts {
            view_count: LARGEST,
            ..PeriodFacts::default()
        });
        let fits = sums;
        assert_eq!(differences(None, sums), 0);
        assert_eq!(differences(Some(fits), sums), 0);
        sums.add(PeriodFacts {
            view_count: 5,
            ..PeriodFacts::default()
        });
        let two = TotalFacts {
            video_count: 2,
            ..fits
        };
        assert_eq!(differences(Some(two), sums), 0);
        // The count of videos.
        assert_eq!(differences(Some(fits), sums), 1);
    }
}
