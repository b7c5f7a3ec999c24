//! The port of closing and settling a day.

use crate::{
    Store, StoreResult,
    settlement::{Closing, Page, RevenueItem, VideoPeriods, activity, plan},
    sql::{statement::params, tx::Tx},
};
use balance_batch::{
    execution::JobInstanceId,
    job::{Job, Step},
    partition::IdRange,
};
use balance_domain::settlement::Activity;
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

impl Store {
    /// Raises `closed_through` to a day, unless it is on or past it already.
    pub async fn close_day(&self, date: NaiveDate) -> StoreResult<Closing> {
        let mut tx = self.db.write().await?;
        let lock = tx.for_update();
        let closed = closed_through(&mut tx, lock).await?;
        if closed.is_some_and(|closed| closed >= date) {
            return Ok(Closing::Closed);
        }
        if let Some(earlier) = first_unsettled_day(&mut tx).await?
            && earlier < date
        {
            return Ok(Closing::EarlierDayUnsettled(earlier));
        }
        tx.execute(
            "UPDATE closed_through SET date = ? WHERE id = 1",
            &params![date],
        )
        .await?;
        tx.commit().await?;
        Ok(Closing::Closed)
    }

    /// Plans a step's partitions: at most `count` ranges of near-equal work.
    pub async fn plan(&self, step: Step, date: NaiveDate, count: u32) -> StoreResult<Vec<IdRange>> {
        plan::plan(self, step, date, count).await
    }

    /// A day's activity of at most `limit` videos of a range.
    pub async fn activity(
        &self,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<Activity>> {
        activity::activity(self, date, range, limit).await
    }

    /// A day's statistics, and the videos that are held, of at most `limit` videos of a range.
    pub async fn revenue_items(
        &self,
        instance: JobInstanceId,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<RevenueItem>> {
        activity::revenue_items(self, instance, date, range, limit).await
    }

    /// The weeks and months, recomputed, of at most `limit` videos of a range that were active on
    /// a day.
    pub async fn periods(
        &self,
        date: NaiveDate,
        range: IdRange,
        limit: u32,
    ) -> StoreResult<Page<VideoPeriods>> {
        activity::periods(self, date, range, limit).await
    }

    /// The last day to which nothing is added any more.
    pub async fn closed_through(&self) -> StoreResult<Option<NaiveDate>> {
        let mut tx = self.db.read().await?;
        closed_through(&mut tx, "").await
    }

    /// The first active day that is not settled, if any.
    pub async fn first_unsettled_day(&self) -> StoreResult<Option<NaiveDate>> {
        let mut tx = self.db.read().await?;
        first_unsettled_day(&mut tx).await
    }

    /// The active days after a day, or from the first, in order, at most `limit`.
    pub async fn active_days(
        &self,
        after: Option<NaiveDate>,
        limit: u32,
    ) -> StoreResult<Vec<NaiveDate>> {
        let mut tx = self.db.read().await?;
        let mut days = Vec::new();
        let mut last = after;
        // One index probe a day: the history is never scanned.
        for _ in 0..limit {
            let Some(day) = next_active_day(&mut tx, last).await? else {
                break;
            };
            days.push(day);
            last = Some(day);
        }
        Ok(days)
    }

    /// Whether any instance of a date is COMPLETED.
    pub async fn is_settled(&self, date: NaiveDate) -> StoreResult<bool> {
        let mut tx = self.db.read().await?;
        is_settled(&mut tx, date).await
    }
}

/// The last closed day; `lock` is the end of the SELECT.
pub(crate) async fn closed_through(tx: &mut Tx, lock: &str) -> StoreResult<Option<NaiveDate>> {
    let (date,): (Option<NaiveDate>,) = tx
        .fetch_one(
            AssertSqlSafe(format!(
                "SELECT date FROM closed_through WHERE id = 1{lock}"
            )),
            &[],
        )
        .await?;
    Ok(date)
}

/// The first active day that is not settled. Closing a day requires that every earlier active day
/// is settled, and nothing is added to a closed one; so only the last closed day itself and the
/// days after it can be unsettled.
pub(crate) async fn first_unsettled_day(tx: &mut Tx) -> StoreResult<Option<NaiveDate>> {
    let closed = closed_through(tx, "").await?;
    if let Some(closed) = closed
        && is_active(tx, closed).await?
        && !is_settled(tx, closed).await?
    {
        return Ok(Some(closed));
    }
    next_active_day(tx, closed).await
}

pub(crate) async fn next_active_day(
    tx: &mut Tx,
    after: Option<NaiveDate>,
) -> StoreResult<Option<NaiveDate>> {
    let (date,): (Option<NaiveDate>,) = match after {
        Some(after) => {
            tx.fetch_one(
                "SELECT MIN(date) FROM play_history WHERE date > ?",
                &params![after],
            )
            .await?
        }
        None => {
            tx.fetch_one("SELECT MIN(date) FROM play_history", &[])
                .await?
        }
    };
    Ok(date)
}

async fn is_active(tx: &mut Tx, date: NaiveDate) -> StoreResult<bool> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT 1 FROM play_history WHERE date = ? LIMIT 1",
            &params![date],
        )
        .await?;
    Ok(row.is_some())
}

async fn is_settled(tx: &mut Tx, date: NaiveDate) -> StoreResult<bool> {
    let rows: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT e.JOB_EXECUTION_ID FROM job_date_instance d \
         JOIN BATCH_JOB_EXECUTION e ON e.JOB_INSTANCE_ID = d.job_instance_id \
         WHERE d.job_name = ? AND d.date = ? AND e.STATUS = 'COMPLETED' LIMIT 1",
            &params![Job::DayStatistics.name(), date],
        )
        .await?;
    Ok(!rows.is_empty())
}
