//! The port of verifications: snapshots that only read.

mod days;

mod jobs;

mod facts;

mod orphans;

mod periods;

mod plays;

pub use facts::{
    COUNTERS, ContextFacts, CounterFacts, DayFacts, DayPage, EventFacts, ExecutionFacts,
    InstanceFacts, OrphanFacts, ParameterFacts, PeriodFacts, PlayFacts, RevenueFacts, RollupFacts,
    RollupPage, RunFacts, Skips, StatisticsFacts, StepFacts, TotalFacts, VideoDay,
};

use crate::{Store, StoreResult, reports::totals};
use balance_batch::execution::{JobExecutionId, JobInstanceId};
use balance_domain::{
    period::{Period, PeriodKind},
    playback::EventId,
    rates::Tier,
};
use chrono::NaiveDate;

/// A date before every date there can be: years have four digits, and the tables order dates by
/// their text.
fn before_all_dates() -> NaiveDate {
    NaiveDate::from_ymd_opt(1000, 1, 1).unwrap_or_default()
}

/// Where a page of at most `limit` rows ends, in the order of their ids: at its last one where it is
/// full, else there is nothing behind it.
fn full_page_end(limit: u32, length: usize, last: Option<i64>) -> Option<i64> {
    let is_full = u32::try_from(length).is_ok_and(|length| length >= limit);
    last.filter(|_| is_full)
}

impl Store {
    /// The first date after a date (or of all) of which anything is known.
    pub async fn next_day(&self, after: Option<NaiveDate>) -> StoreResult<Option<DayFacts>> {
        let mut tx = self.db.snapshot().await?;
        let day = days::next(&mut tx, after.unwrap_or_else(before_all_dates)).await?;
        tx.rollback().await?;
        Ok(day)
    }

    /// The tiers that pay a day with the words of their kinds, as they are stored: those of the
    /// newest version on or before it.
    pub async fn tiers_on(&self, date: NaiveDate) -> StoreResult<Vec<(String, Tier)>> {
        let mut tx = self.db.snapshot().await?;
        let tiers = days::tiers(&mut tx, date).await?;
        tx.rollback().await?;
        Ok(tiers)
    }

    /// The videos of a day after an id, about `limit` of them. Skips are those of the instance.
    pub async fn day_page(
        &self,
        date: NaiveDate,
        instance: Option<JobInstanceId>,
        after: i64,
        limit: u32,
    ) -> StoreResult<DayPage> {
        let mut tx = self.db.snapshot().await?;
        let page = days::page(&mut tx, date, instance, after, limit).await?;
        tx.rollback().await?;
        Ok(page)
    }

    /// Events of a date with an id above `above` and below `below`, in the order of ids.
    pub async fn events(
        &self,
        date: NaiveDate,
        above: EventId,
        below: EventId,
        limit: u32,
    ) -> StoreResult<Vec<EventFacts>> {
        let mut tx = self.db.snapshot().await?;
        let events = plays::events(&mut tx, date, above, below, limit).await?;
        tx.rollback().await?;
        Ok(events)
    }

    /// Which of these events (at most 1,000) are in a date's history.
    pub async fn known_events(
        &self,
        date: NaiveDate,
        events: &[EventId],
    ) -> StoreResult<Vec<EventId>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.db.snapshot().await?;
        let known = plays::known_events(&mut tx, date, events).await?;
        tx.rollback().await?;
        Ok(known)
    }

    /// The first period of a kind that has rows and begins after a date (or of all).
    pub async fn next_rollup(
        &self,
        kind: PeriodKind,
        after: Option<NaiveDate>,
    ) -> StoreResult<Option<NaiveDate>> {
        let mut tx = self.db.snapshot().await?;
        let after = after.unwrap_or_else(before_all_dates);
        let start = periods::next(&mut tx, kind, after).await?;
        tx.rollback().await?;
        Ok(start)
    }

    /// The rows of a period after an id, with what its days sum up to.
    pub async fn rollup_page(
        &self,
        period: Period,
        after: i64,
        limit: u32,
    ) -> StoreResult<RollupPage> {
        let mut tx = self.db.snapshot().await?;
        let page = periods::page(&mut tx, period, after, limit).await?;
        tx.rollback().await?;
        Ok(page)
    }

    /// Videos after an id that have statistics on a date, none from `since` to the day before, and
    /// no row for the period, though no rollup of the date skipped them.
    pub async fn missing_rollups(
        &self,
        period: Period,
        date: NaiveDate,
        since: NaiveDate,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<i64>> {
        let mut tx = self.db.snapshot().await?;
        let missing = periods::missing(&mut tx, period, (since, date), after, limit).await?;
        tx.rollback().await?;
        Ok(missing)
    }

    /// What a period comes to over all videos, as it is stored.
    pub async fn total_facts(&self, period: Period) -> StoreResult<Option<TotalFacts>> {
        let mut tx = self.db.snapshot().await?;
        let row = totals::read(&mut tx, period).await?;
        tx.rollback().await?;
        Ok(row.map(|row| TotalFacts {
            video_count: row.video_count.into(),
            sums: PeriodFacts {
                view_count: row.view_count.into(),
                total_play_time: row.total_play_time.into(),
                ad_view_count: row.ad_view_count.into(),
                view_revenue: row.view_revenue.into(),
                ad_revenue: row.ad_revenue.into(),
                total_revenue: row.total_revenue.into(),
            },
        }))
    }

    /// The job instances of a date.
    pub async fn instances(&self, date: NaiveDate) -> StoreResult<Vec<InstanceFacts>> {
        let mut tx = self.db.snapshot().await?;
        let instances = jobs::instances(&mut tx, date).await?;
        tx.rollback().await?;
        Ok(instances)
    }

    /// An execution with its parameters, contexts, steps and leases.
    pub async fn execution_facts(&self, id: JobExecutionId) -> StoreResult<Option<ExecutionFacts>> {
        let mut tx = self.db.snapshot().await?;
        let execution = jobs::execution(&mut tx, id).await?;
        tx.rollback().await?;
        Ok(execution)
    }

    /// Rows that hang from nothing, late events that are not late, and sequences that are behind; the
    /// first `limit` of each sort.
    pub async fn orphans(&self, limit: u32) -> StoreResult<Vec<OrphanFacts>> {
        let mut tx = self.db.snapshot().await?;
        let rows = orphans::rows(&mut tx, limit).await?;
        tx.rollback().await?;
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::full_page_end;

    #[test]
    fn only_a_full_page_has_an_end() {
        assert_eq!(full_page_end(3, 2, Some(9)), None);
        assert_eq!(full_page_end(3, 3, Some(9)), Some(9));
        assert_eq!(full_page_end(3, 0, None), None);
    }
}
