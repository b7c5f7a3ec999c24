//! The clock of the intake. Dates follow the system time, which can be changed. View windows, sessions
//! and stored replies follow the time that passes.

use crate::{
    Store, StoreError, StoreResult,
    playback::timer::ClockRow,
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{
    calendar::{BusinessTimezone, OutOfCalendar},
    clock::{CLOCK_TOLERANCE_MICROS, instant_text},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The clocks of a database, in microseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The clock of this process.
    pub own_micros: i64,
    /// The clock of the database. On SQLite it is that of the process.
    pub database_micros: i64,
    /// The last instant of the intake, 0 before the first one.
    pub last_micros: i64,
}

/// The time of a group of requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IntakeTime {
    /// The instant of the group's events, in microseconds since 1970 (UTC).
    pub(crate) at_micros: i64,
    /// The time of view windows, sessions and replies, in microseconds. Only differences have a
    /// meaning.
    pub(crate) passed_micros: i64,
    /// The same for the last group.
    pub(crate) last_passed_micros: i64,
}

impl Store {
    /// Checks that the system time is not behind the last instant of the intake, nor behind the end of
    /// the last closed day. A difference of [`CLOCK_TOLERANCE_MICROS`] is accepted.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] with both instants, or the error of the database.
    pub async fn check_intake_clock(&self, timezone: BusinessTimezone) -> StoreResult<()> {
        let mut tx = self.db.read().await?;
        let closed = closed_through(&mut tx, "").await?;
        let row = read(&mut tx, "").await?;
        check(row, closed_end(closed, timezone)?, tx.clock_micros())
    }

    /// Advances the stored clock to now, unless the clock was set back. The next process sees how long
    /// this one has been stopped.
    ///
    /// # Errors
    /// The error of the database.
    pub async fn advance_intake_clock(&self, timezone: BusinessTimezone) -> StoreResult<()> {
        let mut tx = self.db.write().await?;
        let lock = tx.for_share();
        let closed = closed_through(&mut tx, lock).await?;
        match advance(self, &mut tx, closed, timezone).await {
            Ok(_) => tx.commit().await,
            Err(StoreError::Unusable(_)) => tx.rollback().await,
            Err(error) => Err(error),
        }
    }

    /// Reads the clocks.
    ///
    /// # Errors
    /// The error of the database.
    pub async fn clocks(&self) -> StoreResult<Clocks> {
        let mut tx = self.db.read().await?;
        let last_micros = read(&mut tx, "").await?.last_micros;
        let database_micros = tx.now_micros().await?;
        Ok(Clocks {
            own_micros: tx.clock_micros(),
            database_micros,
            last_micros,
        })
    }
}

/// Locks the clock and advances it. `closed` is the last closed day, which the caller has locked: events
/// are later, even if the clock was set back a little.
pub(crate) async fn advance(
    store: &Store,
    tx: &mut Tx,
    closed: Option<NaiveDate>,
    timezone: BusinessTimezone,
) -> StoreResult<IntakeTime> {
    let lock = tx.for_update();
    let row = read(tx, lock).await?;
    let (clock_micros, elapsed_micros) = (tx.clock_micros(), tx.elapsed_micros());
    let open_from = closed_end(closed, timezone)?;
    check(row, open_from, clock_micros)?;
    let at_micros = clock_micros
        .max(row.last_micros)
        .max(open_from.map_or(i64::MIN, |(_, end)| end));
    let timer = &store.intake_time;
    let passed_micros = timer.passed_micros(row, clock_micros, elapsed_micros);
    let new = ClockRow {
        last_micros: at_micros,
        offset_micros: passed_micros - at_micros,
    };
    write(tx, new).await?;
    Ok(IntakeTime {
        at_micros,
        passed_micros,
        last_passed_micros: row.passed_micros(),
    })
}

/// Returns the stored clock. `lock` is the end of the SELECT and may lock the row.
pub(crate) async fn read(tx: &mut Tx, lock: &str) -> StoreResult<ClockRow> {
    let (last_micros, offset_micros): (i64, i64) = tx
        .fetch_one(
            AssertSqlSafe(format!(
                "SELECT last_micros, offset_micros FROM intake_clock WHERE id = 1{lock}"
            )),
            &[],
        )
        .await?;
    Ok(ClockRow {
        last_micros,
        offset_micros,
    })
}

pub(crate) async fn write(tx: &mut Tx, row: ClockRow) -> StoreResult<()> {
    tx.execute(
        "UPDATE intake_clock SET last_micros = ?, offset_micros = ? WHERE id = 1",
        &params![row.last_micros, row.offset_micros],
    )
    .await?;
    Ok(())
}

/// Returns the last closed day with its end, in microseconds since 1970 (UTC).
fn closed_end(
    closed: Option<NaiveDate>,
    timezone: BusinessTimezone,
) -> StoreResult<Option<(NaiveDate, i64)>> {
    closed
        .map(|date| {
            let day = timezone.day(date);
            let day = day.map_err(|error: OutOfCalendar| StoreError::Data(error.to_string()))?;
            Ok((date, day.end_micros))
        })
        .transpose()
}

fn check(row: ClockRow, closed: Option<(NaiveDate, i64)>, clock_micros: i64) -> StoreResult<()> {
    let is_ahead = |micros: i64| micros > clock_micros.saturating_add(CLOCK_TOLERANCE_MICROS);
    let what = match closed {
        _ if is_ahead(row.last_micros) => format!(
            "the last play or pause was at {}",
            instant_text(row.last_micros)
        ),
        Some((date, end)) if is_ahead(end) => {
            format!("the day {date} is closed and ends at {}", instant_text(end))
        }
        _ => return Ok(()),
    };
    Err(StoreError::Unusable(format!(
        "{what}, and the clock is at {}; correct the clock, or run `balance clock repair` if it is right",
        instant_text(clock_micros)
    )))
}
