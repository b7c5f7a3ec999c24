//! Direct access to the test's database: a SQLite file, or a database on the server of
//! `TEST_SERVER_URL`.

use super::TestEnv;
use crate::day_job::RESULT_TABLES;
use chrono::NaiveDate;
use sqlx::{Connection, MySqlConnection, Row, SqliteConnection, TypeInfo, ValueRef};
use std::sync::atomic::{AtomicI64, Ordering};

impl TestEnv {
    /// Whether the database is on a server.
    pub const fn is_server(&self) -> bool {
        self.server.is_some()
    }

    /// Returns the names of the tables, without the table of the migrations.
    pub async fn tables(&self) -> Vec<String> {
        let sql = if self.is_server() {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
             AND table_name <> '_sqlx_migrations' ORDER BY table_name"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '_sqlx_migrations' \
             AND name NOT LIKE 'sqlite_%' ORDER BY name"
        };
        let mut tables = self.rows(sql).await;
        tables.sort();
        tables
    }

    /// Returns the columns of a table in order: name, type, and 1 for `NOT NULL`.
    pub async fn columns(&self, table: &str) -> Vec<String> {
        if !self.is_server() {
            let sql = "SELECT name || ' ' || type || ' ' || \"notnull\" FROM pragma_table_info";
            return self.rows(&format!("{sql}('{table}') ORDER BY cid")).await;
        }
        let rows = self
            .rows(&format!(
                "SELECT column_name, UPPER(column_type), is_nullable = 'NO' \
                 FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = '{table}' ORDER BY ordinal_position"
            ))
            .await;
        // MariaDB reports the display width of a number.
        let strip = |row: String| {
            row.replace("BIGINT(20)", "BIGINT")
                .replace("SMALLINT(6)", "SMALLINT")
                .replace("|INT(11)", "|INT")
        };
        rows.into_iter()
            .map(|row| strip(row).replace('|', " "))
            .collect()
    }

    /// Advances the clock. A server has its own clock: its leases are aged instead.
    pub async fn advance(&self, micros: i64) {
        self.clock.advance(micros);
        if self.server.is_some() {
            self.execute(&format!(
                "UPDATE step_lease SET lease_until_micros = lease_until_micros - {micros} \
                 WHERE lease_until_micros > 0"
            ))
            .await;
            self.execute(&format!(
                "UPDATE worker SET last_seen_micros = last_seen_micros - {micros}, \
                 alive_until_micros = alive_until_micros - {micros}"
            ))
            .await;
        }
    }

    /// Creates a trigger that runs statements after each update of a column, if a condition is true.
    pub async fn trigger(
        &self,
        name: &str,
        (table, column): (&str, &str),
        condition: &str,
        statements: &str,
    ) {
        self.execute(&match &self.server {
            Some(_) => format!(
                "CREATE TRIGGER {name} AFTER UPDATE ON {table} FOR EACH ROW BEGIN \
                 IF {condition} THEN {statements} END IF; END"
            ),
            None => format!(
                "CREATE TRIGGER {name} AFTER UPDATE OF {column} ON {table} \
                 WHEN {condition} BEGIN {statements} END"
            ),
        })
        .await;
    }

    /// Creates a trigger that sets a column of each updated row, if a condition is true. `key` is
    /// the table's primary key.
    pub async fn set_on_update(
        &self,
        name: &str,
        (table, key): (&str, &str),
        condition: &str,
        (column, value): (&str, &str),
    ) {
        self.execute(&match &self.server {
            Some(_) => format!(
                "CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW BEGIN \
                 IF {condition} THEN SET NEW.{column} = {}; END IF; END",
                value.replace(column, &format!("NEW.{column}"))
            ),
            None => format!(
                "CREATE TRIGGER {name} AFTER UPDATE ON {table} WHEN {condition} BEGIN \
                 UPDATE {table} SET {column} = {value} WHERE {key} = NEW.{key}; END"
            ),
        })
        .await;
    }

    /// Creates a trigger that rejects new rows of a table, if a condition is true.
    pub async fn reject_inserts(&self, table: &str, condition: &str, message: &str) {
        self.execute(&match &self.server {
            Some(_) => format!(
                "CREATE TRIGGER reject BEFORE INSERT ON {table} FOR EACH ROW BEGIN \
                 IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'; \
                 END IF; END"
            ),
            None => format!(
                "CREATE TRIGGER reject BEFORE INSERT ON {table} WHEN {condition} \
                 BEGIN SELECT RAISE(ABORT, '{message}'); END"
            ),
        })
        .await;
    }

    /// Executes statements on a separate connection, and returns the number of affected rows.
    pub async fn execute(&self, sql: &str) -> u64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.server {
            Some(url) => {
                let mut connection = MySqlConnection::connect(url).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                done.rows_affected()
            }
            None => {
                let url = format!("sqlite://{}", self.path().display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                let done = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                done.rows_affected()
            }
        }
    }

    /// Returns the rows of a query as text, with the columns joined by a bar.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.server {
            Some(url) => {
                let mut connection = MySqlConnection::connect(url).await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(mysql_row).collect()
            }
            None => {
                let url = format!("sqlite://{}", self.path().display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(sqlite_row).collect()
            }
        }
    }

    /// Returns all results of settlements.
    pub async fn results(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (table, order) in RESULT_TABLES {
            let rows = self
                .rows(&format!("SELECT * FROM {table} ORDER BY {order}"))
                .await;
            all.extend(rows.into_iter().map(|row| format!("{table}|{row}")));
        }
        all
    }
}

/// Creates a fresh database on the server of `TEST_SERVER_URL`, a URL without a database name.
pub(super) async fn server_database() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a setting of the tests, not of the program"
    )]
    let server = std::env::var("TEST_SERVER_URL").ok()?;
    static NUMBER: AtomicI64 = AtomicI64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("balance_test_{}_{number}", std::process::id());
    let mut connection = MySqlConnection::connect(&server).await.unwrap();
    for sql in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ] {
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    Some(format!("{}/{name}", server.trim_end_matches('/')))
}

fn sqlite_row(row: &sqlx::sqlite::SqliteRow) -> String {
    let cells = (0..row.len()).map(|column| {
        let value = row.try_get_raw(column).unwrap();
        if value.is_null() {
            return "NULL".to_owned();
        }
        match value.type_info().name() {
            "INTEGER" | "BIGINT" => row.get_unchecked::<i64, _>(column).to_string(),
            "BLOB" => format!("{:02x?}", row.get_unchecked::<Vec<u8>, _>(column)),
            _ => row.get_unchecked::<String, _>(column),
        }
    });
    cells.collect::<Vec<_>>().join("|")
}

fn mysql_row(row: &sqlx::mysql::MySqlRow) -> String {
    let cells = (0..row.len()).map(|column| {
        let value = row.try_get_raw(column).unwrap();
        if value.is_null() {
            return "NULL".to_owned();
        }
        match value.type_info().name() {
            "DATE" => row.get::<NaiveDate, _>(column).to_string(),
            "DATETIME" => row.get::<chrono::NaiveDateTime, _>(column).to_string(),
            // Sums, which are whole numbers; the server sends them as text.
            "DECIMAL" => row.get_unchecked::<String, _>(column),
            name if name.contains("INT") => row.get_unchecked::<i64, _>(column).to_string(),
            // Text of a binary collation has these types too.
            "BINARY" | "VARBINARY" | "BLOB" => {
                let bytes = row.get_unchecked::<Vec<u8>, _>(column);
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| format!("{:02x?}", error.as_bytes()))
            }
            _ => row.get_unchecked::<String, _>(column),
        }
    });
    cells.collect::<Vec<_>>().join("|")
}
