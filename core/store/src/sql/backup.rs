//! The backup of an SQLite file.

use crate::{
    StoreError, StoreResult,
    sql::{db::read_only_options, errors::store_error, timeout::limited_to},
};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{path::Path, time::Duration};

/// The time limit of the copy and of its check, each: more than 100 GB take.
const LIMIT: Duration = Duration::from_secs(6 * 3_600);

/// How long the copy waits for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The setting that marks a backup. The first process that opens the copy to write completes the restore
/// and removes the mark.
pub(crate) const MARK: &str = "restore";

/// Copies the last committed state of a file to an empty file, marks the copy as a backup and checks it.
/// Other processes can write meanwhile.
pub(crate) async fn backup(from: &Path, to: &Path) -> StoreResult<()> {
    let target = to.to_str().ok_or_else(|| {
        StoreError::Unusable("the name of the copy is not valid UTF-8".to_owned())
    })?;
    // As by a process that writes, so that the journal is completed and removed if this is the only
    // process. A file or folder without the right to write is only read.
    let options = SqliteConnectOptions::new().filename(from);
    match copy(options, target).await {
        Err(StoreError::Unusable(_)) => copy(read_only_options(from), target).await?,
        copied => copied?,
    }
    let marked = async {
        let mut connection = SqliteConnectOptions::new().filename(to).connect().await?;
        mark(&mut connection).await?;
        connection.close().await
    };
    limited_to(LIMIT, marked).await.map_err(store_error)?;
    let checked = async {
        let options = SqliteConnectOptions::new().filename(to).immutable(true);
        let mut connection = options.read_only(true).connect().await?;
        let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(10)")
            .fetch_all(&mut connection)
            .await?;
        connection.close().await?;
        Ok(found)
    };
    let found = limited_to(LIMIT, checked).await.map_err(store_error)?;
    if found == ["ok"] {
        return Ok(());
    }
    Err(StoreError::Unusable(format!(
        "the copy is damaged, and so may be the database: {}",
        found.join("; ")
    )))
}

async fn copy(options: SqliteConnectOptions, target: &str) -> StoreResult<()> {
    let copied = async {
        let mut connection = options.busy_timeout(BUSY_TIMEOUT).connect().await?;
        sqlx::query("VACUUM INTO ?")
            .bind(target)
            .execute(&mut connection)
            .await?;
        connection.close().await
    };
    limited_to(LIMIT, copied).await.map_err(store_error)
}

async fn mark(copy: &mut SqliteConnection) -> sqlx::Result<()> {
    sqlx::query("REPLACE INTO setting (name, value) VALUES (?, ?)")
        .bind(MARK)
        .bind("pending")
        .execute(copy)
        .await?;
    Ok(())
}
