//! Weeks and months: each row must be the sum of its days.

use crate::verification::findings::{At, Findings, Kind, ROW};
use balance_domain::period::Period;
use balance_store::verification::{PeriodFacts, RollupFacts};
use chrono::NaiveDate;
use std::fmt::Display;

/// The key of a row.
struct Key {
    period: Period,
    video_id: i64,
}

impl Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Period { kind, from, .. } = self.period;
        write!(f, "{kind} of {from}, video {}", self.video_id)
    }
}

/// The name of a column and a function that returns its value.
pub(super) type Column = (&'static str, fn(&PeriodFacts) -> i128);

pub(super) const COLUMNS: [Column; 6] = [
    ("view_count", |facts| facts.view_count),
    ("total_play_time", |facts| facts.total_play_time),
    ("ad_view_count", |facts| facts.ad_view_count),
    ("view_revenue", |facts| facts.view_revenue),
    ("ad_revenue", |facts| facts.ad_revenue),
    ("total_revenue", |facts| facts.total_revenue),
];

/// Returns whether a period begins on a valid day: a Monday or the first of a month.
pub(super) fn is_aligned(period: Period) -> bool {
    period.kind.containing(period.from) == period
}

/// Compares a row with the sums of its days. The row may or may not include a day that is being
/// settled. If the execution of a day was abandoned (`is_undecided`), the expected sums are
/// unknown.
pub(super) fn verify(
    period: Period,
    facts: &RollupFacts,
    is_undecided: bool,
    findings: &mut Findings,
) {
    let key = Key {
        period,
        video_id: facts.video_id,
    };
    let at = At {
        kind: Kind::Periods,
        table: "period_rollup",
        key: &key,
    };
    if !is_aligned(period) {
        findings.add(
            at,
            "start_date",
            "a Monday, or the first of a month",
            period.from,
        );
        return;
    }
    if facts.is_skipped {
        return;
    }
    let with_unfinished = match (facts.settled, facts.unfinished) {
        (Some(mut sum), Some(more)) => {
            sum += more;
            Some(sum)
        }
        (settled, unfinished) => settled.or(unfinished),
    };
    if is_undecided || [facts.settled, with_unfinished].contains(&Some(facts.row)) {
        return;
    }
    let Some(expected) = facts.settled.or(with_unfinished) else {
        findings.add(
            at,
            ROW,
            "no row: the video has no day in the period",
            "a row",
        );
        return;
    };
    for (column, value) in COLUMNS {
        findings.compare(at, column, value(&expected), value(&facts.row));
    }
}

/// Reports a missing row of a period for a video that was settled on a day of it.
pub(super) fn missing(period: Period, date: NaiveDate, video_id: i64, findings: &mut Findings) {
    let key = Key { period, video_id };
    let at = At {
        kind: Kind::Periods,
        table: "period_rollup",
        key: &key,
    };
    let expected = format!("a row: the video was settled on {date}");
    findings.add(at, ROW, expected, "no row");
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::period::PeriodKind;

    fn sums(view_count: i128) -> PeriodFacts {
        PeriodFacts {
            view_count,
            total_revenue: view_count * 100,
            ..PeriodFacts::default()
        }
    }

    fn differences(period: Period, facts: &RollupFacts, is_undecided: bool) -> u64 {
        let mut findings = Findings::new(10);
        verify(period, facts, is_undecided, &mut findings);
        findings.total(Kind::Periods)
    }

    #[test]
    fn a_row_is_the_sum_of_its_days_with_or_without_a_running_one() {
        let week = PeriodKind::Week.containing(NaiveDate::default());
        let facts = |row, settled: Option<i128>, unfinished: Option<i128>| RollupFacts {
            video_id: 1,
            row: sums(row),
            settled: settled.map(sums),
            unfinished: unfinished.map(sums),
            is_skipped: false,
        };
        for (row, settled, unfinished) in [
            (5, Some(5), None),
            (5, Some(5), Some(2)),
            (7, Some(5), Some(2)),
            (2, None, Some(2)),
        ] {
            assert_eq!(
                differences(week, &facts(row, settled, unfinished), false),
                0
            );
        }
        let wrong = facts(6, Some(5), Some(2));
        // The views and the revenue.
        assert_eq!(differences(week, &wrong, false), 2);
        assert_eq!(differences(week, &wrong, true), 0);
        assert_eq!(differences(week, &facts(1, None, None), false), 1);
        let skipped = RollupFacts {
            is_skipped: true,
            ..wrong
        };
        assert_eq!(differences(week, &skipped, false), 0);
        let misaligned = Period {
            from: week.to,
            ..week
        };
        assert_eq!(differences(misaligned, &facts(5, Some(5), None), false), 1);
    }
}
