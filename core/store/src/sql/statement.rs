//! Statements: one SQL text for all databases, with one time limit and one mapping of errors.

use crate::{
    StoreResult,
    sql::{errors::store_error, timeout::limited, tx::Tx},
};
use chrono::{NaiveDate, NaiveDateTime};
use futures_util::{TryStreamExt, stream::BoxStream};
use sqlx::{
    Arguments, AssertSqlSafe, Encode, FromRow, SqlSafeStr, Type,
    mysql::{MySqlArguments, MySqlRow},
    sqlite::{SqliteArguments, SqliteRow},
};
use std::borrow::Cow;

/// A parameter of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Date(NaiveDate),
    DateTime(NaiveDateTime),
}

macro_rules! value_from {
    ($($from:ty => |$value:ident| $to:expr;)+) => {
        $(impl<'a> From<$from> for Value<'a> {
            fn from($value: $from) -> Self {
                $to
            }
        })+
    };
}

value_from! {
    i64 => |value| Self::Integer(value);
    i32 => |value| Self::Integer(value.into());
    u32 => |value| Self::Integer(value.into());
    u16 => |value| Self::Integer(value.into());
    bool => |value| Self::Integer(value.into());
    &'a str => |value| Self::Text(value.into());
    &'a String => |value| Self::Text(value.into());
    String => |value| Self::Text(value.into());
    &'a [u8] => |value| Self::Bytes(value.into());
    Vec<u8> => |value| Self::Bytes(value.into());
    NaiveDate => |value| Self::Date(value);
    NaiveDateTime => |value| Self::DateTime(value);
}

impl<'a, T: Into<Self>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Builds the parameters of a statement, in the order of its placeholders.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::sql::statement::Value::from($value)),*]
    };
}
pub(crate) use params;

/// A type that rows of both databases convert to: a tuple or a `FromRow` struct.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}

/// The length to which callers split long lists of values.
pub(crate) const LIST_CHUNK: usize = 1_000;

/// A statement built from parts.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    sql: String,
    params: Vec<Value<'a>>,
}

impl<'a> Query<'a> {
    /// Starts a statement with a text.
    pub(crate) fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            params: Vec::new(),
        }
    }

    /// Appends a text.
    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Appends a placeholder and its value.
    pub(crate) fn bind(&mut self, value: impl Into<Value<'a>>) -> &mut Self {
        self.sql.push('?');
        self.params.push(value.into());
        self
    }

    /// Appends a list of values in parentheses. The list must contain at least one value and at most
    /// 16,384, because SQLite allows 32,766 placeholders.
    pub(crate) fn bind_list<T: Copy + Into<Value<'a>>>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        self.sql.push('(');
        for (index, value) in padded(values).into_iter().enumerate() {
            if index > 0 {
                self.sql.push_str(", ");
            }
            self.bind(value);
        }
        self.sql.push(')');
        self
    }
}

/// Runs a query on the transaction's database and maps its error.
macro_rules! on_database {
    ($tx:expr, $query:ident, $sql:expr, $params:expr, |$statement:ident, $connection:ident| $run:expr) => {
        match $tx {
            Tx::Sqlite(tx, _) => {
                let $statement =
                    sqlx::$query($sql.into_sql_str(), arguments::<SqliteArguments>($params)?);
                let $connection = &mut **tx;
                limited($run).await.map_err(store_error)
            }
            Tx::MySql(tx, _, failover) => {
                let $statement =
                    sqlx::$query($sql.into_sql_str(), arguments::<MySqlArguments>($params)?);
                let $connection = &mut **tx;
                let result = limited($run).await;
                result.map_err(|error| failover.store_error(error))
            }
        }
    };
}

impl Tx {
    /// Runs a statement. Returns the number of changed rows.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr,
        params: &[Value<'_>],
    ) -> StoreResult<u64> {
        on_database!(self, query_with, sql, params, |query, connection| async {
            Ok(query.execute(connection).await?.rows_affected())
        })
    }

    /// Runs a statement. Returns its rows.
    pub(crate) async fn fetch_all<T: Row>(
        &mut self,
        sql: impl SqlSafeStr,
        params: &[Value<'_>],
    ) -> StoreResult<Vec<T>> {
        on_database!(self, query_as_with, sql, params, |query, connection| {
            query.fetch_all(connection)
        })
    }

    /// Runs a statement. Returns its first row, if any.
    pub(crate) async fn fetch_optional<T: Row>(
        &mut self,
        sql: impl SqlSafeStr,
        params: &[Value<'_>],
    ) -> StoreResult<Option<T>> {
        on_database!(self, query_as_with, sql, params, |query, connection| {
            query.fetch_optional(connection)
        })
    }

    /// Runs a statement. Returns its only row.
    pub(crate) async fn fetch_one<T: Row>(
        &mut self,
        sql: impl SqlSafeStr,
        params: &[Value<'_>],
    ) -> StoreResult<T> {
        on_database!(self, query_as_with, sql, params, |query, connection| {
            query.fetch_one(connection)
        })
    }

    /// Runs a statement built from parts. Returns the number of rows that it changed.
    pub(crate) async fn execute_query(&mut self, query: Query<'_>) -> StoreResult<u64> {
        self.execute(AssertSqlSafe(query.sql), &query.params).await
    }

    /// Runs a statement built from parts. Returns its rows.
    pub(crate) async fn fetch_query<T: Row>(&mut self, query: Query<'_>) -> StoreResult<Vec<T>> {
        self.fetch_all(AssertSqlSafe(query.sql), &query.params)
            .await
    }

    /// Runs a statement with a list of values in parentheses between `head` and `tail`. Returns its
    /// rows. `params` are the values of the placeholders in `tail`. The list has the limits of
    /// [`Query::bind_list`].
    pub(crate) async fn fetch_in<'a, T: Row, V: Copy + Into<Value<'a>>>(
        &mut self,
        head: &str,
        values: impl IntoIterator<Item = V>,
        tail: &str,
        params: &[Value<'a>],
    ) -> StoreResult<Vec<T>> {
        let mut query = Query::new(head);
        query.bind_list(values).push(tail);
        query.params.extend_from_slice(params);
        self.fetch_query(query).await
    }

    /// Runs a statement and passes each row to a closure as it arrives, so that the memory does not
    /// grow with the result.
    pub(crate) async fn fetch_each<T: Row>(
        &mut self,
        sql: impl SqlSafeStr,
        params: &[Value<'_>],
        mut each: impl FnMut(T),
    ) -> StoreResult<()> {
        let sql = sql.into_sql_str();
        let mut rows: BoxStream<'_, Result<T, sqlx::Error>> = match self {
            Self::Sqlite(tx, _) => {
                sqlx::query_as_with(sql, arguments::<SqliteArguments>(params)?).fetch(&mut **tx)
            }
            Self::MySql(tx, _, _) => {
                sqlx::query_as_with(sql, arguments::<MySqlArguments>(params)?).fetch(&mut **tx)
            }
        };
        while let Some(row) = limited(rows.try_next()).await.map_err(store_error)? {
            each(row);
        }
        Ok(())
    }

    /// Inserts rows, many per statement. `head` is the text before `VALUES`, `tail` the text after
    /// the rows, and `bind` returns the values of a row. Returns the number of changed rows.
    pub(crate) async fn insert_rows<'r, R, const N: usize>(
        &mut self,
        head: &str,
        rows: &'r [R],
        bind: impl Fn(&'r R) -> [Value<'r>; N],
        tail: &str,
    ) -> StoreResult<u64> {
        let row = format!("({})", ["?"; N].join(", "));
        let mut inserted = 0;
        let mut rest = rows;
        while !rest.is_empty() {
            let (rows, later) = rest.split_at(rows_of_insert(rest.len()));
            rest = later;
            let values = vec![row.as_str(); rows.len()].join(", ");
            let params: Vec<Value<'_>> = rows.iter().flat_map(&bind).collect();
            let sql = format!("{head}VALUES {values}{tail}");
            inserted += self.execute(AssertSqlSafe(sql), &params).await?;
        }
        Ok(inserted)
    }
}

/// Converts the parameters to the argument type of a database.
fn arguments<A>(params: &[Value<'_>]) -> StoreResult<A>
where
    A: Arguments,
    for<'t> Option<i64>: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> &'t str: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> &'t [u8]: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> NaiveDate: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> NaiveDateTime: Encode<'t, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    arguments.reserve(params.len(), 0);
    for param in params {
        match param {
            Value::Null => arguments.add(None::<i64>),
            Value::Integer(value) => arguments.add(Some(*value)),
            Value::Text(value) => arguments.add(value.as_ref()),
            Value::Bytes(value) => arguments.add(value.as_ref()),
            Value::Date(value) => arguments.add(*value),
            Value::DateTime(value) => arguments.add(*value),
        }
        .map_err(|error| store_error(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

/// The maximum number of rows of one INSERT: with up to 60 columns it stays below SQLite's limit of
/// 32,766 placeholders. Measured: thousands of rows are no faster than hundreds.
pub(crate) const ROWS_PER_INSERT: usize = 512;

/// Returns how many of the remaining rows (1 and up) the next INSERT contains: a power of two, so
/// that the number of prepared statements stays small.
fn rows_of_insert(rows: usize) -> usize {
    match rows {
        0..ROWS_PER_INSERT => 1 << rows.max(1).ilog2(),
        _ => ROWS_PER_INSERT,
    }
}

/// Repeats the last value of an IN list until its length is a power of two, so that the number of
/// prepared statements stays small.
fn padded<T: Copy>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    if let Some(last) = values.last().copied() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}
