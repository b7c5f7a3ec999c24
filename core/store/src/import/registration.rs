//! The users and videos that an import registers.

use crate::{
    StoreResult,
    import::{ImportId, ImportStatus, PlayImportError, SourcedPlay, types::unassigned},
    settlement::days::{closed_through, next_active_day},
    sql::{
        statement::{Query, params},
        tx::Tx,
    },
    videos::catalog::{self, known_users, known_videos},
};
use balance_batch::job::Step;
use balance_domain::{
    accounts::UserId,
    ids::ASSIGNED_IDS,
    videos::{Video, VideoId},
};
use chrono::NaiveDate;
use std::collections::{HashMap, HashSet};

/// The users of a batch.
pub(super) struct BatchUsers {
    ids: HashSet<UserId>,
    /// Those that are registered, each with the import that registered it.
    pub(super) known: HashMap<UserId, Option<i64>>,
}

impl BatchUsers {
    pub(super) async fn find(tx: &mut Tx, batch: &[SourcedPlay]) -> StoreResult<Self> {
        let ids = batch
            .iter()
            .flat_map(|row| [row.play.user_id, row.play.owner_id]);
        let ids: HashSet<UserId> = ids.collect();
        let known = known_users(tx, &ids).await?;
        Ok(Self { ids, known })
    }
}

/// Registers the videos and users of a batch. Rejects a video whose stored owner or length differs,
/// unless an undone import registered it and it has no plays.
pub(super) async fn register(
    tx: &mut Tx,
    import: ImportId,
    batch: &[SourcedPlay],
    users: &BatchUsers,
) -> Result<(), PlayImportError> {
    let ids: HashSet<VideoId> = batch.iter().map(|row| row.play.video_id).collect();
    let mut known = known_videos(tx, &ids).await?;
    for row in batch {
        reject_assigned(row, &users.known, &known)?;
    }
    replace_undone(tx, batch, &mut known).await?;
    let mut videos = Vec::new();
    for row in batch {
        let play = &row.play;
        let here = (play.owner_id, play.duration_s);
        let (owner, duration) = *known.entry(play.video_id).or_insert_with(|| {
            videos.push(Video {
                id: play.video_id,
                owner_id: play.owner_id,
                title: format!("video-{}", play.video_id),
                duration_s: play.duration_s,
            });
            here
        });
        if owner != play.owner_id {
            return Err(row.rejected(
                "owner_id",
                format!(
                    "video {} is registered with owner {owner}, here with {}",
                    play.video_id, play.owner_id
                ),
            ));
        }
        if duration != play.duration_s {
            return Err(row.rejected(
                "video_duration_s",
                format!(
                    "video {} is registered with {duration} seconds, here with {}",
                    play.video_id, play.duration_s
                ),
            ));
        }
    }
    let ids = users.ids.iter().copied();
    let new = ids.filter(|id| !users.known.contains_key(id));
    catalog::insert_imported_users(tx, new, Some(import.0)).await?;
    catalog::insert_videos(tx, &videos, Some(import.0)).await?;
    Ok(())
}

/// Rejects unregistered ids that Balance assigns: a later account or video would take them.
fn reject_assigned(
    row: &SourcedPlay,
    users: &HashMap<UserId, Option<i64>>,
    videos: &HashMap<VideoId, (UserId, i64)>,
) -> Result<(), PlayImportError> {
    let play = &row.play;
    let is_assigned = |id: i64| ASSIGNED_IDS.contains(&id);
    let (user, video, owner) = (play.user_id, play.video_id, play.owner_id);
    let (column, id) = if is_assigned(user.0) && !users.contains_key(&user) {
        ("user_id", user.0)
    } else if is_assigned(video.0) && !videos.contains_key(&video) {
        ("video_id", video.0)
    } else if is_assigned(owner.0) && !users.contains_key(&owner) {
        ("owner_id", owner.0)
    } else {
        return Ok(());
    };
    Err(row.rejected(column, unassigned(id)))
}

/// Gives videos of undone imports the owner and the length of the batch if they have no plays: the
/// correction of a file with wrong values must not fail on the values of the wrong one. They stay videos of
/// the undone import: if this import fails, they are not removed.
async fn replace_undone(
    tx: &mut Tx,
    batch: &[SourcedPlay],
    known: &mut HashMap<VideoId, (UserId, i64)>,
) -> StoreResult<()> {
    let mut different: HashMap<VideoId, (UserId, i64)> = HashMap::new();
    for SourcedPlay { play, .. } in batch {
        let here = (play.owner_id, play.duration_s);
        if known
            .get(&play.video_id)
            .is_some_and(|known| *known != here)
        {
            different.entry(play.video_id).or_insert(here);
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    for id in unplayed_of_undone(tx, different.keys().map(|id| id.0)).await? {
        let id = VideoId(id);
        if let Some(&(owner, duration_s)) = different.get(&id) {
            tx.execute(
                "UPDATE video SET owner_id = ?, duration_s = ? WHERE id = ?",
                &params![owner.0, duration_s, id.0],
            )
            .await?;
            known.insert(id, (owner, duration_s));
        }
    }
    Ok(())
}

/// Returns those of the videos (1 and up) that an undone import registered and that have no plays.
async fn unplayed_of_undone(
    tx: &mut Tx,
    ids: impl Iterator<Item = i64>,
) -> StoreResult<HashSet<i64>> {
    let found: Vec<(i64,)> = tx
        .fetch_in(
            "SELECT v.id FROM video v JOIN play_import i ON i.id = v.import_id WHERE v.id IN ",
            ids,
            " AND i.status = ?",
            &params![ImportStatus::Undone.name()],
        )
        .await?;
    unplayed(tx, found.into_iter().map(|(id,)| id).collect()).await
}

/// Returns those of the videos (1 and up) that have no plays.
pub(super) async fn unplayed(tx: &mut Tx, mut unplayed: HashSet<i64>) -> StoreResult<HashSet<i64>> {
    // A video with plays on a settled day has statistics, or was skipped.
    let statistics = "SELECT DISTINCT video_id FROM video_statistics WHERE video_id IN ";
    remove_found(tx, &mut unplayed, Query::new(statistics)).await?;
    for step in [Step::DayStatistics, Step::DayRevenue] {
        let mut skipped =
            Query::new("SELECT DISTINCT video_id FROM rejected_item WHERE step_name = ");
        skipped.bind(step.name()).push(" AND video_id IN ");
        remove_found(tx, &mut unplayed, skipped).await?;
    }
    let mut day: Option<NaiveDate> = closed_through(tx, "")
        .await?
        .and_then(|closed| closed.pred_opt());
    while let Some(date) = next_active_day(tx, day).await?
        && !unplayed.is_empty()
    {
        let mut plays = Query::new("SELECT DISTINCT video_id FROM play_history WHERE date = ");
        plays.bind(date).push(" AND video_id IN ");
        remove_found(tx, &mut unplayed, plays).await?;
        day = Some(date);
    }
    Ok(unplayed)
}

/// Removes the videos that a query returns, which ends with a list of videos.
pub(super) async fn remove_found(
    tx: &mut Tx,
    ids: &mut HashSet<i64>,
    mut query: Query<'_>,
) -> StoreResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    query.bind_list(ids.iter().copied());
    let found: Vec<(i64,)> = tx.fetch_query(query).await?;
    for (id,) in found {
        ids.remove(&id);
    }
    Ok(())
}
