//! Creation of videos.

use crate::{
    Store, StoreResult,
    sql::{
        new_id::{NewId, next_id},
        retry::on_conflict,
        statement::params,
    },
    videos::creation_reply::{self, Created, Creation, Earlier},
};
use balance_domain::videos::{Title, VideoId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVideo {
    pub title: Title,
    /// The length in seconds, 1 to [`balance_domain::videos::MAX_DURATION_S`].
    pub duration_s: i64,
}

impl Store {
    /// Creates a video owned by the requesting user. A repeated request with the same key returns the
    /// id of the first one.
    pub async fn create_video(
        &self,
        creation: &Creation,
        video: &NewVideo,
    ) -> StoreResult<Created<VideoId>> {
        on_conflict(|| create(self, creation, video)).await
    }
}

async fn create(
    store: &Store,
    creation: &Creation,
    video: &NewVideo,
) -> StoreResult<Created<VideoId>> {
    let mut tx = store.db.write().await?;
    let id = next_id(&mut tx, NewId::Video).await?;
    store.ids.check_id(NewId::Video, id)?;
    let request = format!("video {} {}", video.duration_s, video.title.as_str());
    match creation_reply::find(&mut tx, creation, &request).await? {
        Earlier::None => {}
        Earlier::Created(id) => return Ok(Created::Id(VideoId(id))),
        Earlier::Different => return Ok(Created::KeyReused),
    }
    let now = tx.now();
    tx.execute(
        "INSERT INTO video (id, owner_id, title, duration_s, created_at) VALUES (?, ?, ?, ?, ?)",
        &params![
            id,
            creation.user_id.0,
            video.title.as_str(),
            video.duration_s,
            now
        ],
    )
    .await?;
    creation_reply::store(&mut tx, creation, &request, id).await?;
    tx.commit().await?;
    Ok(Created::Id(VideoId(id)))
}
