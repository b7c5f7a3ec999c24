//! The readiness of the database.

use crate::{Store, StoreError, StoreResult, settlement::days};

impl Store {
    /// Checks that the database answers, has a schema and accepts writes.
    ///
    /// # Errors
    /// If it does not, with the reason.
    pub async fn check_ready(&self) -> StoreResult<()> {
        let mut tx = self.db.read().await?;
        days::closed_through(&mut tx, "").await?;
        if let Some(option) = tx.read_only_option().await? {
            self.db.leave();
            return Err(StoreError::ReadOnly(format!("the server has {option}")));
        }
        tx.rollback().await
    }
}
