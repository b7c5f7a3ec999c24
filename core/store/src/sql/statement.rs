//! Statements: one SQL text for every database, with one time limit and one mapping of errors.

use crate::{
    StoreResult,
    sql::{
        dialect::{padded, rows_of_insert},
        errors::store_error,
        tx::Tx,
    },
};
use chrono::{NaiveDate, NaiveDateTime};
use futures_util::{TryStreamExt, stream::BoxStream};
use sqlx::{
    Arguments, AssertSqlSafe, Encode, FromRow, SqlSafeStr, Type,
    mysql::{MySqlArguments, MySqlRow},
    sqlite::{SqliteArguments, SqliteRow},
};
use std::{borrow::Cow, io, time::Duration};

/// The longest that a statement may take. A server that hangs returns nothing, and no caller may
/// wait for it forever. Longer than any statement of a day with 10 million plays.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

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

/// The parameters of a statement, in the order of its placeholders.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::sql::statement::Value::from($value)),*]
    };
}
pub(crate) use params;

/// A row that both databases can be read into: a tuple or a `FromRow` struct.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, MySqlRow> + Send + Unpin
{
}

/// A statement that is built from parts.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    sql: String,
    params: Vec<Value<'a>>,
}

impl<'a> Query<'a> {
    /// A statement that begins with a text.
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

    /// Appends a list of values in parentheses. The list must not be empty, nor longer than the
    /// placeholders that the databases allow.
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

/// Runs a query of either database and maps its error.
macro_rules! on_database {
    ($tx:expr, $query:ident, $sql:expr, $params:expr, |$statement:ident, $connection:ident| $run:expr) => {
        match $tx {
            Tx::Sqlite(tx, _) => {
                let $statement =
                    sqlx::$query($sql.into_sql_str(), arguments::<SqliteArguments>($params)?);
                let $connection = &mut **tx;
                limited($run).await
            }
            Tx::MySql(tx, _) => {
                let $statement =
                    sqlx::$query($sql.into_sql_str(), arguments::<MySqlArguments>($params)?);
                let $connection = &mut **tx;
                limited($run).await
            }
        }
        .map_err(store_error)
    };
}

impl Tx {
    /// Runs a statement. Returns the number of rows that it changed.
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

    /// Runs a statement that was built from parts. Returns its rows.
    pub(crate) async fn fetch_query<T: Row>(&mut self, query: Query<'_>) -> StoreResult<Vec<T>> {
        self.fetch_all(AssertSqlSafe(query.sql), &query.params)
            .await
    }

    /// Runs a statement with a list of values in parentheses between `head` and `tail`. `params` are
    /// the values of the placeholders in `tail`. Returns its rows. The list must not be empty, nor
    /// longer than the placeholders that the databases allow.
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

    /// Runs a statement and passes each row to a closure as it arrives: the result is never held as
    /// a whole.
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
            Self::MySql(tx, _) => {
                sqlx::query_as_with(sql, arguments::<MySqlArguments>(params)?).fetch(&mut **tx)
            }
        };
        while let Some(row) = limited(rows.try_next()).await.map_err(store_error)? {
            each(row);
        }
        Ok(())
    }

    /// Inserts rows, many in a statement: `head` is the text before `VALUES`, `tail` the text after
    /// the rows, `bind` returns the values of a row. Returns the number of rows that changed.
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

/// The parameters as a database's arguments.
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

/// A database's answer, or an error if it takes too long. What was requested may still happen.
pub(crate) async fn limited<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(STATEMENT_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", STATEMENT_TIMEOUT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
        })
}
