//! A database of a test's own on the tests' MariaDB, as the test sees it: by a connection of its
//! own, which is made again where it was lost.

use crate::common::program::until;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row, raw_sql};
use std::{cell::RefCell, time::Duration};
use tokio::runtime::Runtime;

/// How long a statement of a test may take. A frozen server answers nothing.
const ANSWER: Duration = Duration::from_secs(20);
/// What the server says of a lock that is taken.
const LOCKED: &str = "Lock wait timeout exceeded; try restarting transaction";

pub(crate) struct Database {
    pub(crate) url: String,
    runtime: Runtime,
    connection: RefCell<Option<MySqlConnection>>,
}

impl Database {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            connection: RefCell::default(),
        }
    }

    /// Runs statements; waits until the server is there.
    pub(crate) fn execute(&self, sql: &str) {
        let _ = self.rows(sql);
    }

    /// The rows of a query as text, columns joined by a bar; waits until the server is there.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let mut rows = None;
        until("an answer of MariaDB", || {
            rows = self.try_rows(sql);
            rows.is_some()
        });
        rows.unwrap_or_default()
    }

    /// The one value of a query.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.remove(0)
    }

    /// The one number of a query.
    #[track_caller]
    pub(crate) fn number(&self, sql: &str) -> u64 {
        self.value(sql).parse().unwrap()
    }

    /// The rows of a query, where the server is there. Fails the test where it refuses the query.
    #[track_caller]
    pub(crate) fn try_rows(&self, sql: &str) -> Option<Vec<String>> {
        let asked = self.runtime.block_on(async {
            tokio::time::timeout(ANSWER, self.ask(sql))
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?
        });
        match asked {
            Ok(rows) => Some(rows),
            Err(sqlx::Error::Database(error)) if !is_ending(error.as_ref()) => {
                panic!("{sql}: {error}")
            }
            Err(_) => {
                self.connection.take();
                None
            }
        }
    }

    /// Whether somebody else has a lock on the rows of a query (without its locking clause).
    pub(crate) fn is_locked(&self, sql: &str) -> bool {
        let asked = self
            .runtime
            .block_on(self.ask(&format!("{sql} FOR UPDATE NOWAIT")));
        // A lock of our own would be gone already: each statement is a transaction.
        match asked {
            Ok(_) => false,
            Err(sqlx::Error::Database(error)) => {
                assert_eq!(error.message(), LOCKED, "{sql}");
                true
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    async fn ask(&self, sql: &str) -> sqlx::Result<Vec<String>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => MySqlConnection::connect(&self.url).await?,
        };
        // In the text protocol, which has a text for every type.
        let rows = raw_sql(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut connection)
            .await?;
        self.connection.replace(Some(connection));
        Ok(rows.iter().map(text).collect())
    }
}

/// Whether the server is going down.
fn is_ending(error: &dyn sqlx::error::DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("08S01" | "70100"))
}

fn text(row: &sqlx::mysql::MySqlRow) -> String {
    let cell = |column| {
        let cell: Option<String> = row.get_unchecked(column);
        cell.unwrap_or_else(|| "NULL".to_owned())
    };
    (0..row.len()).map(cell).collect::<Vec<_>>().join("|")
}
