//! A test's direct access to a database on MariaDB. A lost connection is opened again.

use crate::process::until;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row, raw_sql};
use std::{cell::RefCell, time::Duration};
use tokio::runtime::Runtime;

/// The time limit of a statement. A frozen server does not answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// The server's message for a lock that another transaction has.
const LOCKED: &str = "Lock wait timeout exceeded; try restarting transaction";

pub struct Database {
    pub url: String,
    runtime: Runtime,
    connection: RefCell<Option<MySqlConnection>>,
}

impl Database {
    pub fn new(url: String) -> Self {
        Self {
            url,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            connection: RefCell::default(),
        }
    }

    /// Executes statements; waits until the server is available.
    pub fn execute(&self, sql: &str) {
        let _ = self.rows(sql);
    }

    /// Returns the rows of a query as text, with the columns joined by a bar. Waits until the server
    /// is available.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let mut rows = None;
        until("an answer of MariaDB", || {
            rows = self.try_rows(sql);
            rows.is_some()
        });
        rows.unwrap_or_default()
    }

    /// Returns the only value of a query.
    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.remove(0)
    }

    /// Returns the only number of a query.
    #[track_caller]
    pub fn number(&self, sql: &str) -> u64 {
        self.value(sql).parse().unwrap()
    }

    /// Returns the rows of a query, or `None` if the server is unavailable.
    ///
    /// # Panics
    /// If the server rejects the query.
    #[track_caller]
    pub fn try_rows(&self, sql: &str) -> Option<Vec<String>> {
        let result = self.runtime.block_on(async {
            tokio::time::timeout(ANSWER_LIMIT, self.fetch(sql))
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?
        });
        match result {
            Ok(rows) => Some(rows),
            Err(sqlx::Error::Database(error)) if !is_shutdown(error.as_ref()) => {
                panic!("{sql}: {error}")
            }
            Err(_) => {
                self.connection.take();
                None
            }
        }
    }

    /// Whether another transaction has locked the rows of a query. The query has no locking clause.
    pub fn is_locked(&self, sql: &str) -> bool {
        let result = self
            .runtime
            .block_on(self.fetch(&format!("{sql} FOR UPDATE NOWAIT")));
        // Each statement is a transaction, so this connection holds no lock.
        match result {
            Ok(_) => false,
            Err(sqlx::Error::Database(error)) => {
                assert_eq!(error.message(), LOCKED, "{sql}");
                true
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    async fn fetch(&self, sql: &str) -> sqlx::Result<Vec<String>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => MySqlConnection::connect(&self.url).await?,
        };
        // The text protocol returns every type as text.
        let rows = raw_sql(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut connection)
            .await?;
        self.connection.replace(Some(connection));
        Ok(rows.iter().map(text).collect())
    }
}

/// Whether the error reports a shutdown of the server.
fn is_shutdown(error: &dyn sqlx::error::DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("08S01" | "70100"))
}

fn text(row: &sqlx::mysql::MySqlRow) -> String {
    let cell = |column| {
        let cell: Option<String> = row.get_unchecked(column);
        cell.unwrap_or_else(|| "NULL".to_owned())
    };
    (0..row.len()).map(cell).collect::<Vec<_>>().join("|")
}
