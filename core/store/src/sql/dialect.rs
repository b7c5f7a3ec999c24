//! SQL that differs between the databases: upserts, row locks, id sequences and overflowing sums.

use crate::{
    StoreResult,
    sql::{
        statement::{ROWS_PER_INSERT, Value, params},
        tx::Tx,
    },
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;
use std::collections::HashSet;

/// The value of a sum that a server clamps because it exceeds 64 bits. SQLite reports an error instead.
pub(crate) const CLAMPED_SUM: i64 = i64::MAX;

/// The id sequences of the job tables.
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
    /// Returns the end of a SELECT that locks its rows exclusively until the commit.
    pub(crate) const fn for_update(&self) -> &'static str {
        match self {
            // `BEGIN IMMEDIATE` has locked the whole file.
            Self::Sqlite(..) => "",
            Self::MySql(..) => " FOR UPDATE",
        }
    }

    /// Returns the end of a SELECT that locks its rows against changes until the commit.
    pub(crate) const fn for_share(&self) -> &'static str {
        match self {
            Self::Sqlite(..) => "",
            // The syntax that both MySQL and MariaDB support.
            Self::MySql(..) => " LOCK IN SHARE MODE",
        }
    }

    /// Returns the end of a SELECT that locks its rows exclusively and skips rows locked by another
    /// transaction.
    pub(crate) const fn for_update_skip_locked(&self) -> &'static str {
        match self {
            Self::Sqlite(..) => "",
            Self::MySql(..) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Returns the end of an INSERT that keeps an existing row with the same `key`.
    pub(crate) fn on_conflict_keep(&self, key: &str) -> String {
        match self {
            Self::Sqlite(..) => format!(" ON CONFLICT ({key}) DO NOTHING"),
            // Not INSERT IGNORE: it hides all other errors too.
            Self::MySql(..) => {
                let column = key.split(',').next().unwrap_or(key);
                format!(" ON DUPLICATE KEY UPDATE {column} = {column}")
            }
        }
    }

    /// Returns the end of an INSERT that keeps an existing row with the same `key` and clears its import:
    /// the row stays if the import is undone.
    pub(crate) fn on_conflict_release(&self, key: &str) -> String {
        match self {
            Self::Sqlite(..) => format!(" ON CONFLICT ({key}) DO UPDATE SET import_id = NULL"),
            Self::MySql(..) => " ON DUPLICATE KEY UPDATE import_id = NULL".to_owned(),
        }
    }

    /// Returns the end of an INSERT that adds to `column` of an existing row with the same `key`.
    pub(crate) fn on_conflict_add(&self, key: &str, column: &str) -> String {
        match self {
            Self::Sqlite(..) => {
                format!(
                    " ON CONFLICT ({key}) DO UPDATE SET {column} = {column} + excluded.{column}"
                )
            }
            // The syntax that both MySQL and MariaDB support.
            Self::MySql(..) => {
                format!(" ON DUPLICATE KEY UPDATE {column} = {column} + VALUES({column})")
            }
        }
    }

    /// Returns the end of an INSERT that raises `column` of an existing row with the same `key` to
    /// the new value, and never lowers it.
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

    /// Returns the option that makes the server read-only, if any. An account with the right to write
    /// in spite of it gets no error from a replica.
    pub(crate) async fn read_only_option(&mut self) -> StoreResult<Option<&'static str>> {
        if matches!(self, Self::Sqlite(..)) {
            return Ok(None);
        }
        // Text, because the type differs between the servers and their versions.
        let (server, engine): (String, String) = self
            .fetch_one(
                "SELECT CAST(@@GLOBAL.read_only AS CHAR), \
                 CAST(@@GLOBAL.innodb_read_only AS CHAR)",
                &[],
            )
            .await?;
        let is_on = |value: &str| !matches!(value, "0" | "OFF");
        Ok(if is_on(&server) {
            Some("read_only")
        } else {
            is_on(&engine).then_some("innodb_read_only")
        })
    }

    /// Returns how many of these keys of `ad_history` an upsert reports as changed although it keeps
    /// the existing rows.
    pub(crate) async fn known_ad_views(
        &mut self,
        keys: &HashSet<(NaiveDate, i64, i64, i64)>,
    ) -> StoreResult<u64> {
        if matches!(self, Self::Sqlite(..)) {
            return Ok(0);
        }
        // MySQL counts existing rows as changed.
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

    /// Allocates `count` (1 and up) consecutive ids. Returns the first.
    pub(crate) async fn next_ids(&mut self, sequence: Sequence, count: i64) -> StoreResult<i64> {
        let table = sequence.table();
        match self {
            // Spring's layout for SQLite: one row with the last id. AUTOINCREMENT prevents reuse.
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
