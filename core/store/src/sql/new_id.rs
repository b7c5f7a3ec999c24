//! Ids for what people make: users, videos, ads. They go on behind those that imports brought.

use crate::{
    StoreResult,
    sql::{statement::params, tx::Tx},
};
use sqlx::AssertSqlSafe;

/// What an id is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NewId {
    User,
    Video,
    Ad,
}

impl NewId {
    const fn table(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Video => "video",
            Self::Ad => "ad",
        }
    }
}

/// From here on ids are those of synthetic creators, behind which nothing goes on while there is
/// room before them.
const SYNTHETIC_BASE: i64 = 9_000_000_000;

/// An id that nobody has. Its row stays locked until the commit: whoever makes the same kind of
/// thing waits.
pub(crate) async fn next_id(tx: &mut Tx, of: NewId) -> StoreResult<i64> {
    let table = of.table();
    tx.execute(
        "UPDATE next_id SET id = id + 1 WHERE name = ?",
        &params![table],
    )
    .await?;
    let (id,): (i64,) = tx
        .fetch_one("SELECT id - 1 FROM next_id WHERE name = ?", &params![table])
        .await?;
    let found: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!("SELECT id FROM {table} WHERE id = ?")),
            &params![id],
        )
        .await?;
    if found.is_none() {
        return Ok(id);
    }
    // An import came in between.
    let bound = if id < SYNTHETIC_BASE {
        SYNTHETIC_BASE
    } else {
        i64::MAX
    };
    let (last,): (i64,) = tx
        .fetch_one(
            AssertSqlSafe(format!(
                "SELECT COALESCE(MAX(id), 0) FROM {table} WHERE id < ?"
            )),
            &params![bound],
        )
        .await?;
    tx.execute(
        "UPDATE next_id SET id = ? WHERE name = ?",
        &params![last + 2, table],
    )
    .await?;
    Ok(last + 1)
}
