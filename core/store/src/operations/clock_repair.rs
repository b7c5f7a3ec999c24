//! The repair of what a wrong clock has written: the clock of the intake, days that are closed before
//! they are over, and plays with dates in the future.

use crate::{
    Store, StoreError, StoreResult,
    jobs::{date_lock::lock_date, rows},
    operations::{Actor, AuditAction, audit, late_events::admit_late},
    playback::{clock, timer::ClockRow},
    settlement::days::{closed_through, next_active_day},
    sql::{
        retry::{Conflict, on_conflict},
        statement::{Query, params},
        tx::Tx,
    },
};
use balance_batch::{
    execution::{JobExecution, JobExecutionId},
    job::Job,
    status::BatchStatus,
};
use balance_domain::{
    calendar::BusinessTimezone,
    clock::{CLOCK_TOLERANCE_MICROS, instant_text},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The plays that one transaction moves.
const PAGE: u32 = 1_000;
/// The most days that one call opens again.
const MAX_DAYS: u32 = 10_000;

/// What a repair changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockRepair {
    /// The time of the repair, in microseconds since 1970 (UTC).
    pub now_micros: i64,
    /// The last instant of the intake before, if it was ahead of the time.
    pub last_micros: Option<i64>,
    /// The last closed day before, if it was not over. The days after the last one that is over were
    /// opened again.
    pub reopened_through: Option<NaiveDate>,
    /// The executions of the opened days. They are abandoned.
    pub abandoned: Vec<JobExecutionId>,
    /// The day that received the plays and pauses with later dates.
    pub today: NaiveDate,
    /// The number of plays and pauses that were moved to it.
    pub moved: u64,
    /// The number of late events of days that are open again. They are in the history now.
    pub admitted: u64,
}

impl ClockRepair {
    /// Returns whether anything was wrong.
    #[must_use]
    pub const fn has_changed(&self) -> bool {
        self.last_micros.is_some()
            || self.reopened_through.is_some()
            || self.moved > 0
            || self.admitted > 0
    }
}

/// Why a clock was not repaired.
#[derive(Debug, thiserror::Error)]
pub enum ClockRepairError {
    #[error(
        "execution {execution} of {date}, a day that is not over, is running; stop it with `balance jobs \
         stop {execution}`, and repeat the command"
    )]
    Running {
        execution: JobExecutionId,
        date: NaiveDate,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Conflict for ClockRepairError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

impl Store {
    /// Repairs what a clock that was ahead of the time has written. The process's clock must be right.
    ///
    /// Opens the closed days that are not over, and abandons their executions. Adds the late events of open
    /// days to the history. Moves plays and pauses of later dates to the current day, except imported ones. Sets the clock of the intake. An
    /// interrupted call can be repeated.
    ///
    /// # Errors
    /// If an execution of a day that is not over is running, or the store fails.
    pub async fn repair_clock(
        &self,
        timezone: BusinessTimezone,
        by: &Actor,
    ) -> Result<ClockRepair, ClockRepairError> {
        let now_micros = self.db.read().await?.clock_micros();
        let day_of = |micros| {
            let day = timezone.day_of(micros);
            day.map_err(|error| StoreError::Data(error.to_string()))
        };
        let mut repair = ClockRepair {
            now_micros,
            last_micros: None,
            reopened_through: None,
            abandoned: Vec::new(),
            today: day_of(now_micros)?.date,
            moved: 0,
            admitted: 0,
        };
        // At midnight a clock that differs a little has closed the day or begun the next one.
        let limit_micros = now_micros.saturating_add(CLOCK_TOLERANCE_MICROS);
        let latest = day_of(limit_micros)?.date;
        if let Some(opened) = on_conflict(|| self.reopen(latest)).await? {
            (repair.reopened_through, repair.abandoned) = (Some(opened.through), opened.abandoned);
        }
        // Before the moves, which then find the events of later dates.
        loop {
            let admitted = on_conflict(|| admit_late(self)).await?;
            repair.admitted += admitted;
            if admitted == 0 {
                break;
            }
        }
        let mut day = Some(latest);
        loop {
            let mut tx = self.db.read().await?;
            day = next_active_day(&mut tx, day).await?;
            tx.rollback().await?;
            let Some(date) = day else { break };
            let mut after = Some(Vec::new());
            while let Some(last) = after {
                let page = on_conflict(|| move_page(self, date, &last, &repair)).await?;
                repair.moved += page.0;
                after = page.1;
            }
        }
        repair.last_micros = on_conflict(|| self.set_clock(limit_micros, &repair, by)).await?;
        Ok(repair)
    }

    /// Opens the closed days that are not over.
    async fn reopen(&self, latest: NaiveDate) -> Result<Option<Opened>, ClockRepairError> {
        let mut tx = self.db.write().await?;
        let closed = closed_through(&mut tx, "").await?;
        let Some(closed) = closed.filter(|closed| *closed >= latest) else {
            tx.rollback().await?;
            return Ok(None);
        };
        let mut abandoned = Vec::new();
        for date in launched_from(&mut tx, latest).await? {
            lock_date(&mut tx, Job::DayStatistics, date).await?;
            let executions = rows::jobs_of_date(&mut tx, Job::DayStatistics, date).await?;
            let Some(newest) = executions.first() else {
                continue;
            };
            if newest.status.is_running() {
                return Err(ClockRepairError::Running {
                    execution: newest.id,
                    date,
                });
            }
            if newest.status != BatchStatus::Abandoned {
                abandon(&mut tx, newest).await?;
                abandoned.push(newest.id);
            }
        }
        let lock = tx.for_update();
        closed_through(&mut tx, lock).await?;
        tx.execute(
            "UPDATE closed_through SET date = ? WHERE id = 1",
            &params![latest.pred_opt()],
        )
        .await?;
        tx.commit().await?;
        Ok(Some(Opened {
            through: closed,
            abandoned,
        }))
    }

    /// Sets the clock of the intake if it is later than the limit, and records the repair. Returns its
    /// last instant if it was. The time that passes for view windows and sessions continues.
    async fn set_clock(
        &self,
        limit_micros: i64,
        repair: &ClockRepair,
        by: &Actor,
    ) -> StoreResult<Option<i64>> {
        let mut repair = repair.clone();
        let mut tx = self.db.write().await?;
        let lock = tx.for_update();
        let row = clock::read(&mut tx, lock).await?;
        let is_ahead = row.last_micros > limit_micros;
        if is_ahead {
            let now_micros = repair.now_micros;
            let new = ClockRow {
                last_micros: now_micros,
                offset_micros: row.passed_micros() - now_micros,
            };
            clock::write(&mut tx, new).await?;
            repair.last_micros = Some(row.last_micros);
        }
        if repair.has_changed() {
            let subject = subject(&repair);
            audit::record(&mut tx, by, AuditAction::RepairClock, &subject).await?;
        }
        tx.commit().await?;
        Ok(repair.last_micros)
    }
}

/// The days that were opened again.
struct Opened {
    through: NaiveDate,
    abandoned: Vec<JobExecutionId>,
}

fn subject(repair: &ClockRepair) -> String {
    let last = repair.last_micros.unwrap_or(repair.now_micros);
    let mut text = format!(
        "clock: {} to {}",
        instant_text(last),
        instant_text(repair.now_micros)
    );
    if repair.moved > 0 {
        text += &format!("; {} events moved to {}", repair.moved, repair.today);
    }
    if repair.admitted > 0 {
        text += &format!("; {} late events added", repair.admitted);
    }
    if let Some(date) = repair.reopened_through {
        text += &format!("; days through {date} opened");
    }
    text
}

/// Returns the days from a date on that were launched.
async fn launched_from(tx: &mut Tx, from: NaiveDate) -> StoreResult<Vec<NaiveDate>> {
    let rows: Vec<(NaiveDate,)> = tx
        .fetch_all(
            "SELECT DISTINCT date FROM job_date_instance WHERE job_name = ? AND date >= ? \
             ORDER BY date LIMIT ?",
            &params![Job::DayStatistics.name(), from, MAX_DAYS],
        )
        .await?;
    Ok(rows.into_iter().map(|(date,)| date).collect())
}

/// Abandons an execution that has ended, so that its date can be launched again.
async fn abandon(tx: &mut Tx, execution: &JobExecution) -> StoreResult<()> {
    tx.execute(
        "DELETE FROM step_lease WHERE job_execution_id = ?",
        &params![execution.id.0],
    )
    .await?;
    let message = "abandoned by `balance clock repair`: the day was not over";
    rows::set_job_status(
        tx,
        execution.id,
        BatchStatus::Abandoned,
        &execution.exit_code,
        message,
    )
    .await
}

/// Moves the first events of a date after an event to the current day, in one transaction. An event that
/// is there already is only removed from the date. Returns their number and the last of them, unless there
/// are no more. Imported plays keep their dates: they are not from the clock.
async fn move_page(
    store: &Store,
    date: NaiveDate,
    after: &[u8],
    repair: &ClockRepair,
) -> StoreResult<(u64, Option<Vec<u8>>)> {
    let mut tx = store.db.write().await?;
    let lock = tx.for_share();
    closed_through(&mut tx, lock).await?;
    let rows: Vec<(Vec<u8>,)> = tx
        .fetch_all(
            "SELECT event_id FROM play_history \
             WHERE date = ? AND event_id > ? AND import_id IS NULL ORDER BY event_id LIMIT ?",
            &params![date, after, PAGE],
        )
        .await?;
    let Some((last,)) = rows.last().cloned() else {
        move_ad_views(&mut tx, date, repair.today).await?;
        tx.commit().await?;
        return Ok((0, None));
    };
    let there: Vec<(Vec<u8>,)> = tx
        .fetch_in(
            "SELECT event_id FROM play_history WHERE event_id IN ",
            rows.iter().map(|(event,)| event.as_slice()),
            " AND date = ?",
            &params![repair.today],
        )
        .await?;
    let mut moved = 0;
    if !there.is_empty() {
        let mut delete = Query::new("DELETE FROM play_history WHERE date = ");
        delete.bind(date).push(" AND event_id IN ");
        delete.bind_list(there.iter().map(|(event,)| event.as_slice()));
        moved += tx.execute_query(delete).await?;
    }
    let mut update = Query::new("UPDATE play_history SET date = ");
    update.bind(repair.today);
    update
        .push(", occurred_at_micros = ")
        .bind(repair.now_micros);
    update.push(" WHERE date = ").bind(date);
    update.push(" AND event_id IN ");
    update.bind_list(rows.iter().map(|(event,)| event.as_slice()));
    moved += tx.execute_query(update).await?;
    tx.commit().await?;
    Ok((moved, Some(last)))
}

/// Moves the ad views of a date. A slot that was also shown on the current day counts once.
async fn move_ad_views(tx: &mut Tx, date: NaiveDate, today: NaiveDate) -> StoreResult<()> {
    let keep = tx.on_conflict_release("date, video_id, user_id, slot_s");
    tx.execute(
        AssertSqlSafe(format!(
            "INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id) \
             SELECT ?, video_id, user_id, slot_s, ad_id FROM ad_history \
             WHERE date = ? AND import_id IS NULL{keep}"
        )),
        &params![today, date],
    )
    .await?;
    tx.execute(
        "DELETE FROM ad_history WHERE date = ? AND import_id IS NULL",
        &params![date],
    )
    .await?;
    Ok(())
}
