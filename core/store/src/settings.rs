//! Settings that the first start of a database fixes.

use crate::{Store, StoreResult, sql::statement::params};
use sqlx::AssertSqlSafe;

/// The setting that holds the number of shards of the event stream.
pub const INTAKE_SHARDS: &str = "intake_shards";

impl Store {
    /// Returns whether the database contains no users, no videos and no history.
    pub async fn is_empty(&self) -> StoreResult<bool> {
        let mut tx = self.db.read().await?;
        let (rows,): (i64,) = tx
            .fetch_one(
                "SELECT EXISTS (SELECT 1 FROM users) + EXISTS (SELECT 1 FROM video) \
             + EXISTS (SELECT 1 FROM play_history)",
                &[],
            )
            .await?;
        Ok(rows == 0)
    }

    /// Returns the value of a stored setting.
    pub async fn setting(&self, name: &str) -> StoreResult<Option<String>> {
        let mut tx = self.db.read().await?;
        let row: Option<(String,)> = tx
            .fetch_optional("SELECT value FROM setting WHERE name = ?", &params![name])
            .await?;
        Ok(row.map(|(value,)| value))
    }

    /// Stores a setting if it has no value yet. Returns the stored value.
    pub async fn setting_or_insert(&self, name: &str, value: &str) -> StoreResult<String> {
        if let Some(stored) = self.setting(name).await? {
            return Ok(stored);
        }
        let mut tx = self.db.write().await?;
        let keep = tx.on_conflict_keep("name");
        tx.execute(
            AssertSqlSafe(format!(
                "INSERT INTO setting (name, value) VALUES (?, ?){keep}"
            )),
            &params![name, value],
        )
        .await?;
        let (stored,): (String,) = tx
            .fetch_one("SELECT value FROM setting WHERE name = ?", &params![name])
            .await?;
        tx.commit().await?;
        Ok(stored)
    }
}
