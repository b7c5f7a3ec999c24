//! Transactions.

use crate::{
    StoreResult,
    sql::{
        errors::store_error,
        failover::Failover,
        fault,
        timeout::{limited, limited_to},
    },
};
use balance_domain::clock::Clock;
use std::{sync::Arc, time::Duration};

/// The time limit of a commit on SQLite. The commit of a large import also copies gigabytes from the
/// journal to the file.
const SQLITE_COMMIT_TIMEOUT: Duration = Duration::from_secs(600);

/// A transaction with the process's clock.
pub(crate) enum Tx {
    Sqlite(sqlx::Transaction<'static, sqlx::Sqlite>, Arc<dyn Clock>),
    MySql(
        sqlx::Transaction<'static, sqlx::MySql>,
        Arc<dyn Clock>,
        Failover,
    ),
}

impl Tx {
    pub(crate) async fn commit(self) -> StoreResult<()> {
        fault::before_commit();
        let result = match self {
            Self::Sqlite(tx, _) => {
                let committed = limited_to(SQLITE_COMMIT_TIMEOUT, tx.commit()).await;
                committed.map_err(store_error)
            }
            Self::MySql(tx, _, failover) => {
                let committed = limited(tx.commit()).await;
                committed.map_err(|error| failover.store_error(error))
            }
        };
        fault::after_commit();
        result
    }

    /// Rolls the transaction back. Dropping it does the same, but later.
    pub(crate) async fn rollback(self) -> StoreResult<()> {
        let result = match self {
            Self::Sqlite(tx, _) => limited(tx.rollback()).await,
            Self::MySql(tx, _, _) => limited(tx.rollback()).await,
        };
        result.map_err(store_error)
    }

    /// Returns the database's time in microseconds since 1970 (UTC). Leases use this clock. SQLite
    /// has no clock of its own, so it uses the process's clock.
    pub(crate) async fn now_micros(&mut self) -> StoreResult<i64> {
        match self {
            Self::Sqlite(_, clock) => Ok(clock.now_micros()),
            Self::MySql(..) => {
                let (now,): (i64,) = self
                    .fetch_one(
                        "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)",
                        &[],
                    )
                    .await?;
                Ok(now)
            }
        }
    }

    /// Returns the process's time in microseconds since 1970 (UTC).
    pub(crate) fn clock_micros(&self) -> i64 {
        match self {
            Self::Sqlite(_, clock) | Self::MySql(_, clock, _) => clock.now_micros(),
        }
    }

    /// Returns the microseconds since an instant of this process: see [`Clock::elapsed_micros`].
    pub(crate) fn elapsed_micros(&self) -> i64 {
        match self {
            Self::Sqlite(_, clock) | Self::MySql(_, clock, _) => clock.elapsed_micros(),
        }
    }

    /// Returns the process's time in UTC, as the job tables store it.
    pub(crate) fn now(&self) -> chrono::NaiveDateTime {
        match self {
            Self::Sqlite(_, clock) | Self::MySql(_, clock, _) => clock.now(),
        }
    }
}
