//! Ids of new users, videos and ads. They follow the ids registered by imports.

use crate::{
    StoreResult,
    sql::{statement::params, tx::Tx},
};
use sqlx::AssertSqlSafe;

/// The kind of row that an id is allocated for.
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

/// The first id of synthetic creators. New ids stay below it while lower ids are free.
const SYNTHETIC_BASE: i64 = 9_000_000_000;

/// Allocates an unused id. The counter's row stays locked until the commit, so that concurrent
/// transactions that create the same kind of row wait.
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
    // An import has registered the id.
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
