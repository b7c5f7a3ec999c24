//! The rows of a period as an SQL relation.

use balance_domain::period::{Period, PeriodKind};
use chrono::NaiveDate;

/// Returns the rows of a period as a relation `p` with the same columns for each kind. Its two
/// parameters are those of [`key`].
pub(crate) const fn relation(kind: PeriodKind) -> &'static str {
    match kind {
        PeriodKind::Day => {
            "(SELECT s.video_id, s.view_count, s.total_play_time, s.ad_view_count, \
             COALESCE(r.view_revenue, 0) AS view_revenue, COALESCE(r.ad_revenue, 0) AS ad_revenue, \
             COALESCE(r.total_revenue, 0) AS total_revenue FROM video_statistics s \
             LEFT JOIN video_revenue r ON r.video_id = s.video_id AND r.date = s.date \
             WHERE 'day' = ? AND s.date = ?) AS p"
        }
        PeriodKind::Week | PeriodKind::Month => {
            "(SELECT * FROM period_rollup WHERE period = ? AND start_date = ?) AS p"
        }
    }
}

/// Returns the two parameters of [`relation`].
pub(crate) const fn key(period: Period) -> (&'static str, NaiveDate) {
    (period.kind.name(), period.from)
}
