//! Rows without a parent, which the verification of days and executions does not reach.

use crate::verification::findings::{At, Findings, Kind};
use balance_store::{Store, StoreResult};

/// Reports orphans, the first `limit` of each table.
pub(super) async fn verify(store: &Store, limit: u32, findings: &mut Findings) -> StoreResult<()> {
    for orphans in store.orphans(limit).await? {
        let kind = match orphans.table {
            "period_rollup" | "period_total" => Kind::Periods,
            "late_event" => Kind::History,
            _ => Kind::JobTables,
        };
        let reported = u64::try_from(orphans.rows.len()).unwrap_or(orphans.total);
        for (key, found) in orphans.rows {
            let at = At {
                kind,
                table: orphans.table,
                key: &key,
            };
            findings.add(at, orphans.column, &orphans.expected, found);
        }
        findings.count(kind, orphans.total.saturating_sub(reported));
    }
    Ok(())
}
