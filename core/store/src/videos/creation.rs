//! Creation of videos.

use crate::{
    Store, StoreResult,
    playback::play_rules,
    sql::{
        new_id::{NewId, next_id},
        retry::on_conflict,
        statement::params,
        tx::Tx,
    },
    videos::creation_reply::{self, Created, Creation, Earlier},
};
use balance_domain::{
    accounts::UserId,
    playback::TooMany,
    videos::{Title, VideoId},
};
use sqlx::AssertSqlSafe;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVideo {
    pub title: Title,
    /// The length in seconds, 1 to [`balance_domain::videos::MAX_DURATION_S`].
    pub duration_s: i64,
}

impl Store {
    /// Creates a video owned by the requesting user. A repeated request with the same key returns the
    /// id of the first one, and takes nothing from the account's limit.
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
    if let Err(limit) = take(&mut tx, creation.user_id).await? {
        return Ok(Created::TooMany(limit));
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

/// Takes a registration from the limit of an account. Locks the account's row until the commit.
async fn take(tx: &mut Tx, user_id: UserId) -> StoreResult<Result<(), TooMany>> {
    let limit = play_rules::required(tx).await?.rules.video_limit();
    let lock = tx.for_update();
    let row: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!(
                "SELECT video_tat_micros FROM users WHERE id = ?{lock}"
            )),
            &params![user_id.0],
        )
        .await?;
    let Some((tat_micros,)) = row else {
        // The video cannot refer to the account either.
        return Ok(Ok(()));
    };
    let now_micros = tx.now_micros().await?;
    match limit.take(tat_micros, now_micros) {
        Ok(next) => {
            tx.execute(
                "UPDATE users SET video_tat_micros = ? WHERE id = ?",
                &params![next, user_id.0],
            )
            .await?;
            Ok(Ok(()))
        }
        Err(retry_after_micros) => Ok(Err(TooMany { retry_after_micros })),
    }
}
