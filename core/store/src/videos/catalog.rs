//! The catalog of users, videos and ads that imports and the intake use.

use crate::{
    Store, StoreResult,
    playback::VideoFacts,
    sql::{
        new_id::{self, NewId},
        statement::params,
        tx::Tx,
    },
};
use balance_domain::{
    accounts::{User, UserId},
    videos::{Video, VideoId},
};
use std::collections::{HashMap, HashSet};

impl Store {
    /// Registers users and videos in one transaction. Existing rows stay unchanged.
    pub async fn register(&self, users: &[User], videos: &[Video]) -> StoreResult<()> {
        let mut tx = self.db.write().await?;
        insert_users(&mut tx, users, None).await?;
        insert_videos(&mut tx, videos, None).await?;
        tx.commit().await
    }

    /// Registers the videos that a restored database lacks, and their owners, under generated names.
    /// Returns the number of new videos. Existing rows stay unchanged.
    pub async fn register_played(&self, played: &[VideoFacts]) -> StoreResult<u64> {
        let played: HashMap<VideoId, &VideoFacts> =
            played.iter().map(|facts| (facts.id, facts)).collect();
        if played.is_empty() {
            return Ok(0);
        }
        let mut tx = self.db.write().await?;
        let known = known_videos(&mut tx, &played.keys().copied().collect()).await?;
        let lost: Vec<Video> = played
            .into_values()
            .filter(|facts| !known.contains_key(&facts.id))
            .map(|facts| Video {
                id: facts.id,
                owner_id: facts.owner_id,
                title: format!("video-{}", facts.id),
                duration_s: facts.duration_s,
            })
            .collect();
        let owners: HashSet<UserId> = lost.iter().map(|video| video.owner_id).collect();
        let users = known_users(&mut tx, &owners).await?;
        let new = owners.into_iter().filter(|id| !users.contains_key(id));
        insert_imported_users(&mut tx, new, None).await?;
        insert_videos(&mut tx, &lost, None).await?;
        tx.commit().await?;
        Ok(u64::try_from(lost.len()).unwrap_or(u64::MAX))
    }
}

async fn insert_users(tx: &mut Tx, users: &[User], import: Option<i64>) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("id");
    tx.insert_rows(
        "INSERT INTO users (id, username, role, created_at, import_id) ",
        users,
        |user| params![user.id.0, user.username.as_str(), "USER", now, import],
        keep.as_str(),
    )
    .await?;
    Ok(())
}

/// Returns those of the users that are registered, each with the import that registered it.
pub(crate) async fn known_users(
    tx: &mut Tx,
    ids: &HashSet<UserId>,
) -> StoreResult<HashMap<UserId, Option<i64>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(i64, Option<i64>)> = tx
        .fetch_in(
            "SELECT id, import_id FROM users WHERE id IN ",
            ids.iter().map(|id| id.0),
            "",
            &[],
        )
        .await?;
    Ok(found
        .into_iter()
        .map(|(id, import)| (UserId(id), import))
        .collect())
}

/// Registers users of imported plays, or of a restored database, under generated names.
pub(crate) async fn insert_imported_users(
    tx: &mut Tx,
    ids: impl Iterator<Item = UserId>,
    import: Option<i64>,
) -> StoreResult<()> {
    let new: Vec<User> = ids
        .map(|id| User {
            id,
            username: id.imported_username(),
        })
        .collect();
    insert_users(tx, &new, import).await
}

/// Inserts videos, with the id of the import that registers them. Existing videos stay unchanged.
pub(crate) async fn insert_videos(
    tx: &mut Tx,
    videos: &[Video],
    import: Option<i64>,
) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("id");
    tx.insert_rows(
        "INSERT INTO video (id, owner_id, title, duration_s, created_at, import_id) ",
        videos,
        |video| {
            params![
                video.id.0,
                video.owner_id.0,
                video.title.as_str(),
                video.duration_s,
                now,
                import
            ]
        },
        keep.as_str(),
    )
    .await?;
    Ok(())
}

/// Returns the owner and the length in seconds of each of the videos that is registered.
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

/// Creates ads until at least `wanted` exist, with the id of the import that creates them. Returns the
/// ids of all ads.
pub(crate) async fn ensure_ads(
    tx: &mut Tx,
    wanted: u32,
    import: Option<i64>,
) -> StoreResult<Vec<i64>> {
    let (mut ids, new) = planned_ads(tx, wanted).await?;
    insert_ads(tx, &new, import).await?;
    ids.extend(new);
    Ok(ids)
}

/// Returns the ids of all ads, and those of the ads that must be created so that at least `wanted` exist.
pub(crate) async fn planned_ads(tx: &mut Tx, wanted: u32) -> StoreResult<(Vec<i64>, Vec<i64>)> {
    let rows: Vec<(i64,)> = tx.fetch_all("SELECT id FROM ad ORDER BY id", &[]).await?;
    let ids: Vec<i64> = rows.into_iter().map(|(id,)| id).collect();
    let missing = usize::try_from(wanted)
        .unwrap_or(usize::MAX)
        .saturating_sub(ids.len());
    let assigned = new_id::highest(tx, NewId::Ad).await?;
    let first = ids.last().copied().unwrap_or(0).max(assigned) + 1;
    let new = (first..).take(missing).collect();
    Ok((ids, new))
}

/// Creates ads under given ids. Existing ads stay unchanged.
pub(crate) async fn insert_ads(tx: &mut Tx, new: &[i64], import: Option<i64>) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("id");
    tx.insert_rows(
        "INSERT INTO ad (id, title, created_at, import_id) ",
        new,
        |id| params![*id, format!("ad-{id}"), now, import],
        keep.as_str(),
    )
    .await?;
    Ok(())
}
