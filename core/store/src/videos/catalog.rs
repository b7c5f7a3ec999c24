//! People, videos and ads.

use crate::{
    Store, StoreResult,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{
    accounts::{User, UserId},
    videos::{Video, VideoId},
};
use sqlx::AssertSqlSafe;
use std::collections::{HashMap, HashSet};

impl Store {
    /// Registers people and videos in one transaction. Ids that exist stay as they are.
    pub async fn register(&self, users: &[User], videos: &[Video]) -> StoreResult<()> {
        let mut tx = self.db.write().await?;
        insert_users(&mut tx, users).await?;
        insert_videos(&mut tx, videos).await?;
        tx.commit().await
    }

    /// Whether the database holds nothing yet: no people, no videos, no history.
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

    /// A stored setting.
    pub async fn setting(&self, name: &str) -> StoreResult<Option<String>> {
        let mut tx = self.db.read().await?;
        let row: Option<(String,)> = tx
            .fetch_optional("SELECT value FROM setting WHERE name = ?", &params![name])
            .await?;
        Ok(row.map(|(value,)| value))
    }

    /// Stores a setting unless there is one; answers what is stored now.
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

async fn insert_users(tx: &mut Tx, users: &[User]) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("id");
    tx.insert_rows(
        "INSERT INTO users (id, username, role, created_at) ",
        &users[..],
        |user| params![user.id.0, user.username.as_str(), "USER", now],
        keep.as_str(),
    )
    .await?;
    Ok(())
}

/// Registers people who came with plays, under made-up names. Those who exist stay as they are.
pub(crate) async fn insert_people(tx: &mut Tx, people: &HashSet<UserId>) -> StoreResult<()> {
    if people.is_empty() {
        return Ok(());
    }
    let found: Vec<(i64,)> = tx
        .fetch_in(
            "SELECT id FROM users WHERE id IN ",
            people.iter().map(|id| id.0),
            "",
            &[],
        )
        .await?;
    let found: HashSet<i64> = found.into_iter().map(|(id,)| id).collect();
    let new: Vec<User> = people
        .iter()
        .filter(|id| !found.contains(&id.0))
        .map(|&id| User {
            id,
            username: id.imported_username(),
        })
        .collect();
    insert_users(tx, &new).await
}

pub(crate) async fn insert_videos(tx: &mut Tx, videos: &[Video]) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("id");
    tx.insert_rows(
        "INSERT INTO video (id, owner_id, title, duration_s, created_at) ",
        &videos[..],
        |video| {
            params![
                video.id.0,
                video.owner_id.0,
                video.title.as_str(),
                video.duration_s,
                now
            ]
        },
        keep.as_str(),
    )
    .await?;
    Ok(())
}

/// Owner and length in seconds of those of the videos that are registered.
pub(crate) async fn known_videos(
    tx: &mut Tx,
    ids: &HashSet<VideoId>,
) -> StoreResult<HashMap<VideoId, (UserId, i64)>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, i64, i64)> = tx
        .fetch_in(
            "SELECT id, owner_id, duration_s FROM video WHERE id IN ",
            ids.iter().map(|id| id.0),
            "",
            &[],
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, owner, duration)| (VideoId(id), (UserId(owner), duration)))
        .collect())
}

/// Makes ads until there are `wanted`; answers the ids of all there are.
pub(crate) async fn ensure_ads(tx: &mut Tx, wanted: u32) -> StoreResult<Vec<i64>> {
    let rows: Vec<(i64,)> = tx.fetch_all("SELECT id FROM ad ORDER BY id", &[]).await?;
    let mut ids: Vec<i64> = rows.into_iter().map(|(id,)| id).collect();
    let missing = usize::try_from(wanted)
        .unwrap_or(usize::MAX)
        .saturating_sub(ids.len());
    let first = ids.last().copied().unwrap_or(0) + 1;
    let new: Vec<i64> = (first..).take(missing).collect();
    let now = tx.now();
    tx.insert_rows(
        "INSERT INTO ad (id, title, created_at) ",
        &new[..],
        |id| params![*id, format!("ad-{id}"), now],
        "",
    )
    .await?;
    ids.extend(new);
    Ok(ids)
}
