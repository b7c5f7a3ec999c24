//! What no day and no execution leads to.

use crate::verification::findings::{At, Findings, Kind};
use balance_store::{Store, StoreResult};

/// Tells what is orphans, the first `limit` of each sort.
pub(super) async fn verify(store: &Store, limit: u32, findings: &mut Findings) -> StoreResult<()> {
    for loose in store.orphans(limit).await? {
        let kind = match loose.table {
            "period_rollup" | "period_total" => Kind::Periods,
            "late_event" => Kind::History,
            _ => Kind::JobTables,
        };
        let told = u64::try_from(loose.rows.len()).unwrap_or(loose.total);
        for (key, found) in loose.rows {
            let at = At {
                kind,
                table: loose.table,
                key: &key,
            };
            findings.add(at, loose.column, &loose.expected, found);
        }
        findings.count(kind, loose.total.saturating_sub(told));
    }
    Ok(())
}
