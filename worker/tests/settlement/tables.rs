//! What a test sees of the tables, and does to them, by a connection of its own: on a file, or on
//! the server that `TEST_SERVER_URL` names.

use crate::env::TestEnv;
use balance_domain::clock::Clock;
use chrono::NaiveDate;
use sqlx::{Connection, MySqlConnection, Row, SqliteConnection, TypeInfo, ValueRef};
use std::sync::atomic::{AtomicI64, Ordering};

impl TestEnv {
    /// Whether this is a server's database.
    pub(crate) const fn is_server(&self) -> bool {
        self.server.is_some()
    }

    /// The tables, but for the migrations' own.
    pub(crate) async fn tables(&self) -> Vec<String> {
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

    /// A table's columns in order: name, type, and 1 where it takes no NULL.
    pub(crate) async fn columns(&self, table: &str) -> Vec<String> {
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
        // MariaDB tells how wide it would print a number.
        let strip = |row: String| {
            row.replace("BIGINT(20)", "BIGINT")
                .replace("SMALLINT(6)", "SMALLINT")
        };
        rows.into_iter()
            .map(|row| strip(row).replace('|', " "))
            .collect()
    }

    /// Lets time pass: for leases on a server, whose clock is its own, by making them older.
    pub(crate) async fn pass(&self, micros: i64) {
        self.clock.set(self.clock.now_micros() + micros);
        if self.server.is_some() {
            self.sql(&format!(
                "UPDATE step_lease SET lease_until_micros = lease_until_micros - {micros} \
                 WHERE lease_until_micros > 0"
            ))
            .await;
            self.sql(&format!(
                "UPDATE worker SET last_seen_micros = last_seen_micros - {micros}, \
                 alive_until_micros = alive_until_micros - {micros}"
            ))
            .await;
        }
    }

    /// Has the database run statements after each update of a column where a condition holds.
    pub(crate) async fn trigger(
        &self,
        name: &str,
        (table, column): (&str, &str),
        condition: &str,
        statements: &str,
    ) {
        self.sql(&match &self.server {
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

    /// Has the database set a column of a row that is updated, where a condition holds. `key` is
    /// the table's primary key.
    pub(crate) async fn meddle(
        &self,
        name: &str,
        (table, key): (&str, &str),
        condition: &str,
        (column, value): (&str, &str),
    ) {
        self.sql(&match &self.server {
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

    /// Has the database refuse a table's rows where a condition holds.
    pub(crate) async fn refuse(&self, table: &str, condition: &str, message: &str) {
        self.sql(&match &self.server {
            Some(_) => format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW BEGIN \
                 IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'; \
                 END IF; END"
            ),
            None => format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {condition} \
                 BEGIN SELECT RAISE(ABORT, '{message}'); END"
            ),
        })
        .await;
    }

    /// Runs a statement on the test's own connection.
    pub(crate) async fn sql(&self, sql: &str) -> u64 {
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

    /// The rows of a query as text, one string a row, columns joined by a bar.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
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

    /// Everything that settling makes, for comparison: statistics, revenue, weeks and months.
    pub(crate) async fn results(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (table, order) in [
            ("video_statistics", "video_id, date"),
            ("video_revenue", "video_id, date"),
            ("period_rollup", "period, start_date, video_id"),
        ] {
            let rows = self
                .rows(&format!("SELECT * FROM {table} ORDER BY {order}"))
                .await;
            all.extend(rows.into_iter().map(|row| format!("{table}|{row}")));
        }
        all
    }
}

/// A fresh database of the server that `TEST_SERVER_URL` names (without a database's name).
pub(crate) async fn server_database() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "which server to test on is the tests' setting"
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
            // Sums: whole numbers here, sent as text.
            "DECIMAL" => row.get_unchecked::<String, _>(column),
            name if name.contains("INT") => row.get_unchecked::<i64, _>(column).to_string(),
            // Text of a binary collation is called so too.
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
