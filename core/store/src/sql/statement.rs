//! Statements: macros that run one SQL text with the native types of whichever database.

use std::{io, time::Duration};

/// Runs a statement; answers how many rows it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::sql::db::Tx::Sqlite(tx, _) => sqlx::query($sql)
                $(.bind($bind))*
                .execute(&mut **tx)
                .await
                .map(|done| done.rows_affected()),
            $crate::sql::db::Tx::MySql(tx, _) => $crate::sql::statement::limited(
                sqlx::query($sql)$(.bind($bind))*.execute(&mut **tx),
            )
            .await
                .map(|done| done.rows_affected()),
        }
        .map_err($crate::sql::db::store_error)
    };
}

/// Runs a statement; answers its rows, as tuples or `FromRow` structs of the type asked for.
macro_rules! fetch_all {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::sql::db::Tx::Sqlite(tx, _) => sqlx::query_as($sql)
                $(.bind($bind))*
                .fetch_all(&mut **tx)
                .await,
            $crate::sql::db::Tx::MySql(tx, _) => $crate::sql::statement::limited(
                sqlx::query_as($sql)$(.bind($bind))*.fetch_all(&mut **tx),
            )
            .await,
        }
        .map_err($crate::sql::db::store_error)
    };
}

/// Runs a statement; answers its first row, if any.
macro_rules! fetch_optional {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::sql::db::Tx::Sqlite(tx, _) => sqlx::query_as($sql)
                $(.bind($bind))*
                .fetch_optional(&mut **tx)
                .await,
            $crate::sql::db::Tx::MySql(tx, _) => $crate::sql::statement::limited(
                sqlx::query_as($sql)$(.bind($bind))*.fetch_optional(&mut **tx),
            )
            .await,
        }
        .map_err($crate::sql::db::store_error)
    };
}

/// Runs a statement; answers its one row.
macro_rules! fetch_one {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut *$tx {
            $crate::sql::db::Tx::Sqlite(tx, _) => sqlx::query_as($sql)
                $(.bind($bind))*
                .fetch_one(&mut **tx)
                .await,
            $crate::sql::db::Tx::MySql(tx, _) => $crate::sql::statement::limited(
                sqlx::query_as($sql)$(.bind($bind))*.fetch_one(&mut **tx),
            )
            .await,
        }
        .map_err($crate::sql::db::store_error)
    };
}

/// Inserts rows, many in a statement: the text before `VALUES`, the rows, a closure-like body that
/// binds one, and the text after.
macro_rules! insert_rows {
    ($tx:expr, $head:expr, $rows:expr, |$bind:ident, $row:ident| $body:block, $tail:expr) => {{
        let mut inserted = 0_u64;
        let mut rest = &$rows[..];
        while !rest.is_empty() {
            let (rows, later) = rest.split_at($crate::sql::dialect::rows_of_insert(rest.len()));
            rest = later;
            inserted += match &mut *$tx {
                $crate::sql::db::Tx::Sqlite(tx, _) => {
                    let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new($head);
                    builder.push_values(rows, |mut $bind, $row| $body);
                    builder.push($tail);
                    builder
                        .build()
                        .execute(&mut **tx)
                        .await
                        .map(|done| done.rows_affected())
                }
                $crate::sql::db::Tx::MySql(tx, _) => {
                    let mut builder = sqlx::QueryBuilder::<sqlx::MySql>::new($head);
                    builder.push_values(rows, |mut $bind, $row| $body);
                    builder.push($tail);
                    $crate::sql::statement::limited(builder.build().execute(&mut **tx))
                        .await
                        .map(|done| done.rows_affected())
                }
            }
            .map_err($crate::sql::db::store_error)?;
        }
        inserted
    }};
}

/// Runs a statement with a list of values in parentheses between `head` and `tail`, which may go
/// on with further values and texts; answers its rows. The list must not be
/// empty, nor longer than the databases' placeholders allow.
macro_rules! fetch_in {
    ($tx:expr, $head:expr, $values:expr, $tail:expr $(, $bind:expr, $more:expr)*) => {
        match &mut *$tx {
            $crate::sql::db::Tx::Sqlite(tx, _) => {
                let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new($head);
                builder.push("(");
                let mut list = builder.separated(", ");
                for value in $crate::sql::dialect::padded($values) {
                    list.push_bind(value);
                }
                builder.push(")");
                builder.push($tail);
                $(builder.push_bind($bind); builder.push($more);)*
                builder.build_query_as().fetch_all(&mut **tx).await
            }
            $crate::sql::db::Tx::MySql(tx, _) => {
                let mut builder = sqlx::QueryBuilder::<sqlx::MySql>::new($head);
                builder.push("(");
                let mut list = builder.separated(", ");
                for value in $crate::sql::dialect::padded($values) {
                    list.push_bind(value);
                }
                builder.push(")");
                builder.push($tail);
                $(builder.push_bind($bind); builder.push($more);)*
                $crate::sql::statement::limited(builder.build_query_as().fetch_all(&mut **tx)).await
            }
        }
        .map_err($crate::sql::db::store_error)
    };
}

/// Builds a statement of parts that depend on what is asked for, and runs it; answers its rows.
macro_rules! fetch_built {
    ($tx:expr, $head:expr, |$builder:ident| $body:block) => {
        match &mut *$tx {
            $crate::sql::db::Tx::Sqlite(tx, _) => {
                let mut $builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new($head);
                $body;
                $builder.build_query_as().fetch_all(&mut **tx).await
            }
            $crate::sql::db::Tx::MySql(tx, _) => {
                let mut $builder = sqlx::QueryBuilder::<sqlx::MySql>::new($head);
                $body;
                $crate::sql::statement::limited($builder.build_query_as().fetch_all(&mut **tx))
                    .await
            }
        }
        .map_err($crate::sql::db::store_error)
    };
}

/// Runs a statement and hands each row to a closure as it arrives: no result is held whole.
macro_rules! fetch_each {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)*; |$name:ident| $body:block) => {
        match &mut *$tx {
            $crate::sql::db::Tx::Sqlite(tx, _) => {
                let mut rows = sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch(&mut **tx);
                while let Some($name) = rows.try_next().await.map_err($crate::sql::db::store_error)? $body
            }
            $crate::sql::db::Tx::MySql(tx, _) => {
                let mut rows = sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch(&mut **tx);
                while let Some($name) = $crate::sql::statement::limited(rows.try_next()).await.map_err($crate::sql::db::store_error)? $body
            }
        }
    };
}

/// How long a server may take to answer. One that is frozen answers nothing, and nobody may wait
/// for it for ever. Longer than any statement of ours on a day of 10 M plays.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A server's answer, or an error when it takes too long. What was asked may still happen.
pub(crate) async fn limited<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(ANSWER_LIMIT, answer)
        .await
        .unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", ANSWER_LIMIT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
        })
}

pub(crate) use execute;
pub(crate) use fetch_all;
pub(crate) use fetch_built;
pub(crate) use fetch_each;
pub(crate) use fetch_in;
pub(crate) use fetch_one;
pub(crate) use fetch_optional;
pub(crate) use insert_rows;
