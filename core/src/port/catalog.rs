//! People, videos and ads.

use super::error::StoreResult;
use crate::domain::{user::User, video::Video};
use async_trait::async_trait;

/// Writes what the platform consists of.
#[async_trait]
pub trait CatalogStore: Send + Sync {
    /// Registers people and videos in one transaction. Ids that exist stay as they are.
    async fn register(&self, users: &[User], videos: &[Video]) -> StoreResult<()>;

    /// Whether the database holds nothing yet: no people, no videos, no history.
    async fn is_empty(&self) -> StoreResult<bool>;

    /// A stored setting.
    async fn setting(&self, name: &str) -> StoreResult<Option<String>>;

    /// Stores a setting unless there is one; answers what is stored now.
    async fn setting_or_insert(&self, name: &str, value: &str) -> StoreResult<String>;
}
