//! Rows of any table as text, and their comparison.

pub(crate) use balance_test_support::rows::assert_same;

use sqlx::{AssertSqlSafe, Column, Row, SqliteConnection, TypeInfo, ValueRef};

/// Returns the rows of a query as text, with the columns joined by a bar.
pub(crate) async fn rows(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    let rows = query.fetch_all(connection).await.unwrap();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .columns()
                .iter()
                .map(|column| cell(row, column.ordinal()))
                .collect();
            cells.join("|")
        })
        .collect()
}

fn cell(row: &sqlx::sqlite::SqliteRow, column: usize) -> String {
    let value = row.try_get_raw(column).unwrap();
    if value.is_null() {
        return "NULL".to_owned();
    }
    match value.type_info().name() {
        "INTEGER" | "BIGINT" => row.get_unchecked::<i64, _>(column).to_string(),
        "BLOB" => format!("{:02x?}", row.get_unchecked::<Vec<u8>, _>(column)),
        _ => row.get_unchecked::<String, _>(column),
    }
}
