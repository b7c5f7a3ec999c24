//! Business days: closed, active and settled.

use crate::{
    Store, StoreResult,
    import::{
        ImportId,
        unfinished::{Unfinished, undone_on, unfinished_upto},
    },
    sql::{statement::params, statuses, tx::Tx},
};
use balance_batch::{job::Job, status::BatchStatus};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The outcome of closing a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// This call or an earlier one closed the day.
    Closed,
    /// The day was not closed, because an earlier active day is unsettled.
    EarlierDayUnsettled(NaiveDate),
    /// The day was not closed, because an import with plays of it is running.
    ImportRunning(ImportId),
    /// The day was not closed, because an import with plays of it is being undone, or was undone and
    /// left no plays. Its corrected plays could not be added to a closed day.
    ImportUndone(ImportId),
}

impl Store {
    /// Closes a day and all days before it, unless an earlier active day is unsettled or an import of
    /// plays of these days has not ended. Nothing is added to a closed day. Removes the rows of a failed
    /// import first.
    pub async fn close_day(&self, date: NaiveDate) -> StoreResult<Closing> {
        match self.try_close_day(date).await? {
            Ok(closing) => Ok(closing),
            Err(failed) => {
                self.remove_failed_import(failed).await?;
                // Only one import runs at a time, so that there is no second failed one.
                let again = self.try_close_day(date).await?;
                Ok(again.unwrap_or_else(Closing::ImportRunning))
            }
        }
    }

    /// Closes a day. Returns an import whose rows must be removed first as the error.
    async fn try_close_day(&self, date: NaiveDate) -> StoreResult<Result<Closing, ImportId>> {
        let mut tx = self.db.write().await?;
        let lock = tx.for_update();
        let closed = closed_through(&mut tx, lock).await?;
        if closed.is_some_and(|closed| closed >= date) {
            return Ok(Ok(Closing::Closed));
        }
        if let Some(earlier) = first_unsettled_day(&mut tx).await?
            && earlier < date
        {
            return Ok(Ok(Closing::EarlierDayUnsettled(earlier)));
        }
        match unfinished_upto(self, &mut tx, date).await? {
            Some(Unfinished::Running(import)) => return Ok(Ok(Closing::ImportRunning(import))),
            Some(Unfinished::Undoing(import)) => return Ok(Ok(Closing::ImportUndone(import))),
            Some(Unfinished::Failed(import)) => {
                tx.commit().await?;
                return Ok(Err(import));
            }
            None => {}
        }
        if !is_active(&mut tx, date).await?
            && let Some(import) = undone_on(&mut tx, date).await?
        {
            return Ok(Ok(Closing::ImportUndone(import)));
        }
        tx.execute(
            "UPDATE closed_through SET date = ? WHERE id = 1",
            &params![date],
        )
        .await?;
        tx.commit().await?;
        Ok(Ok(Closing::Closed))
    }

    /// Returns the last closed day, if any.
    pub async fn closed_through(&self) -> StoreResult<Option<NaiveDate>> {
        let mut tx = self.db.read().await?;
        closed_through(&mut tx, "").await
    }

    /// Returns the first active day that is not settled, if any. A day is active if it has plays.
    pub async fn first_unsettled_day(&self) -> StoreResult<Option<NaiveDate>> {
        let mut tx = self.db.read().await?;
        first_unsettled_day(&mut tx).await
    }

    /// Returns at most `limit` active days in order: after a day, or from the first.
    pub async fn active_days(
        &self,
        after: Option<NaiveDate>,
        limit: u32,
    ) -> StoreResult<Vec<NaiveDate>> {
        let mut tx = self.db.read().await?;
        let mut days = Vec::new();
        let mut last = after;
        // One index lookup per day, without a scan of the history.
        for _ in 0..limit {
            let Some(day) = next_active_day(&mut tx, last).await? else {
                break;
            };
            days.push(day);
            last = Some(day);
        }
        Ok(days)
    }

    /// Returns whether any execution of a date is COMPLETED.
    pub async fn is_settled(&self, date: NaiveDate) -> StoreResult<bool> {
        let mut tx = self.db.read().await?;
        is_settled(&mut tx, date).await
    }
}

/// Returns the last closed day. `lock` is the end of the SELECT and may lock the row.
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

/// Returns the first active day that is not settled. Closing a day requires that each earlier active
/// day is settled, and closed days do not change. So only the last closed day and the days after it can
/// be unsettled.
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

/// Returns the first active day, or the first one after a day.
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
    let completed = statuses::literal(BatchStatus::Completed);
    let rows: Vec<(i64,)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT e.JOB_EXECUTION_ID FROM job_date_instance d \
                 JOIN BATCH_JOB_EXECUTION e ON e.JOB_INSTANCE_ID = d.job_instance_id \
                 WHERE d.job_name = ? AND d.date = ? AND e.STATUS = {completed} LIMIT 1"
            )),
            &params![Job::DayStatistics.name(), date],
        )
        .await?;
    Ok(!rows.is_empty())
}
