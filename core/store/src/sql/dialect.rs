//! What differs between the databases' SQL: upsert tails, row locks, id sequences.

use crate::{
    StoreResult,
    sql::{
        statement::{Value, params},
        tx::Tx,
    },
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;
use std::collections::HashSet;

/// The most rows of one INSERT: under SQLite's 32,766 placeholders with room for 60 columns.
/// Measured: hundreds are enough, thousands no better.
const ROWS_PER_INSERT: usize = 512;

/// How many of so many rows (1 and up) the next INSERT takes: a power of two, so that few
/// different texts are ever prepared.
pub(crate) fn rows_of_insert(rows: usize) -> usize {
    match rows {
        0..ROWS_PER_INSERT => 1 << rows.max(1).ilog2(),
        _ => ROWS_PER_INSERT,
    }
}

/// The values of an IN list, the last one repeated up to a power of two, for the same reason.
pub(crate) fn padded<T: Copy>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    if let Some(last) = values.last().copied() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}

/// The sequences of ids of the job tables.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sequence {
    JobInstance,
    JobExecution,
    StepExecution,
}

impl Sequence {
    const fn table(self) -> &'static str {
        match self {
            Self::JobInstance => "BATCH_JOB_INSTANCE_SEQ",
            Self::JobExecution => "BATCH_JOB_EXECUTION_SEQ",
            Self::StepExecution => "BATCH_STEP_EXECUTION_SEQ",
        }
    }
}

impl Tx {
    /// The end of a SELECT that locks its rows until the commit.
    pub(crate) const fn for_update(&self) -> &'static str {
        match self {
            // BEGIN IMMEDIATE has locked the whole file.
            Self::Sqlite(..) => "",
            Self::MySql(..) => " FOR UPDATE",
        }
    }

    /// The end of a SELECT that keeps its rows from being changed until the commit.
    pub(crate) const fn for_share(&self) -> &'static str {
        match self {
            Self::Sqlite(..) => "",
            // The form that both MySQL and MariaDB take.
            Self::MySql(..) => " LOCK IN SHARE MODE",
        }
    }

    /// The end of a SELECT that locks its rows, and leaves out those that somebody else holds.
    pub(crate) const fn for_update_skip_locked(&self) -> &'static str {
        match self {
            Self::Sqlite(..) => "",
            Self::MySql(..) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The end of an INSERT that leaves rows alone whose `key` is there already.
    pub(crate) fn on_conflict_keep(&self, key: &str) -> String {
        match self {
            Self::Sqlite(..) => format!(" ON CONFLICT ({key}) DO NOTHING"),
            // Never INSERT IGNORE: it would swallow every other fault as well.
            Self::MySql(..) => {
                let column = key.split(',').next().unwrap_or(key);
                format!(" ON DUPLICATE KEY UPDATE {column} = {column}")
            }
        }
    }

    /// The end of an INSERT that adds to `column` where a row with its `key` is there already.
    pub(crate) fn on_conflict_add(&self, key: &str, column: &str) -> String {
        match self {
            Self::Sqlite(..) => {
                format!(
                    " ON CONFLICT ({key}) DO UPDATE SET {column} = {column} + excluded.{column}"
                )
            }
            // The form that both MySQL and MariaDB take.
            Self::MySql(..) => {
                format!(" ON DUPLICATE KEY UPDATE {column} = {column} + VALUES({column})")
            }
        }
    }

    /// The end of an INSERT that raises `column` where a row with its `key` is there already, and
    /// never lowers it.
    pub(crate) fn on_conflict_raise(&self, key: &str, column: &str) -> String {
        match self {
            Self::Sqlite(..) => format!(
                " ON CONFLICT ({key}) DO UPDATE SET {column} = MAX({column}, excluded.{column})"
            ),
            Self::MySql(..) => {
                format!(" ON DUPLICATE KEY UPDATE {column} = GREATEST({column}, VALUES({column}))")
            }
        }
    }

    /// How many of these keys of `ad_history` an insert that keeps what is there will count though
    /// it leaves them alone.
    pub(crate) async fn known_ad_views(
        &mut self,
        keys: &HashSet<(NaiveDate, i64, i64, i64)>,
    ) -> StoreResult<u64> {
        if matches!(self, Self::Sqlite(..)) {
            return Ok(0);
        }
        // The server counts rows that it found as changed.
        let keys: Vec<_> = keys.iter().collect();
        let mut known = 0;
        for keys in keys.chunks(ROWS_PER_INSERT) {
            let list = vec!["(?, ?, ?, ?)"; keys.len()].join(", ");
            let params: Vec<Value<'_>> = keys
                .iter()
                .flat_map(|(date, video, user, slot)| params![*date, *video, *user, *slot])
                .collect();
            let (count,): (i64,) = self
                .fetch_one(
                    AssertSqlSafe(format!(
                        "SELECT COUNT(*) FROM ad_history \
                         WHERE (date, video_id, user_id, slot_s) IN ({list})"
                    )),
                    &params,
                )
                .await?;
            known += u64::try_from(count).unwrap_or(0);
        }
        Ok(known)
    }

    /// Takes `count` (1 and up) consecutive ids; answers the first.
    pub(crate) async fn next_ids(&mut self, sequence: Sequence, count: i64) -> StoreResult<i64> {
        let table = sequence.table();
        match self {
            // Spring's form for SQLite: a row with the last id, kept from being reused by
            // AUTOINCREMENT.
            Self::Sqlite(..) => {
                let last: (i64,) = self
                    .fetch_one(
                        AssertSqlSafe(format!("SELECT COALESCE(MAX(ID), 0) FROM {table}")),
                        &[],
                    )
                    .await?;
                let last = last.0 + count;
                self.execute(
                    AssertSqlSafe(format!("INSERT INTO {table} (ID) VALUES (?)")),
                    &params![last],
                )
                .await?;
                self.execute(
                    AssertSqlSafe(format!("DELETE FROM {table} WHERE ID < ?")),
                    &params![last],
                )
                .await?;
                Ok(last - count + 1)
            }
            Self::MySql(..) => {
                self.execute(
                    AssertSqlSafe(format!("UPDATE {table} SET ID = LAST_INSERT_ID(ID + ?)")),
                    &params![count],
                )
                .await?;
                let (last,): (i64,) = self
                    .fetch_one("SELECT CAST(LAST_INSERT_ID() AS SIGNED)", &[])
                    .await?;
                Ok(last - count + 1)
            }
        }
    }
}
