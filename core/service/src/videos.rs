//! Videos and ads.

use crate::listing::Listing;
use balance_domain::{
    playback::TooMany,
    videos::{AdId, MAX_ADS, MAX_DURATION_S, Title, VideoId},
};
use balance_store::{
    Store, StoreError,
    videos::{Ad, Created, Creation, ListedVideo, NewVideo, VideoOrder, VideoQuery},
};
use std::sync::Arc;

/// An error of the video service.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// A field of the request is invalid.
    #[error("{field} {reason}")]
    InvalidInput { field: &'static str, reason: String },
    /// The idempotency key was used for a different request.
    #[error("the Idempotency-Key was used for a different request")]
    KeyReused,
    #[error("{MAX_ADS} ads are registered, the maximum number")]
    TooManyAds,
    #[error("the account registered too many videos")]
    TooManyVideos(TooMany),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Registers and lists videos and ads.
#[derive(Clone)]
pub struct Videos {
    store: Arc<Store>,
}

impl Videos {
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Registers a video. `duration_s` is 1 to [`MAX_DURATION_S`] seconds.
    ///
    /// # Errors
    /// If the title or the duration is invalid, the key was used for a different request, the account has
    /// registered too many videos, or the store fails.
    pub async fn register(
        &self,
        creation: &Creation,
        title: &str,
        duration_s: i64,
    ) -> Result<ListedVideo, VideoError> {
        if !(1..=MAX_DURATION_S).contains(&duration_s) {
            return Err(VideoError::InvalidInput {
                field: "duration",
                reason: format!("must be from 1 to {MAX_DURATION_S} seconds"),
            });
        }
        let video = NewVideo {
            title: parse_title(title)?,
            duration_s,
        };
        let created = self.store.create_video(creation, &video).await?;
        self.video(created_id(created)?).await
    }

    /// Returns a video.
    ///
    /// # Errors
    /// If the video does not exist, or the store fails.
    pub async fn video(&self, id: VideoId) -> Result<ListedVideo, VideoError> {
        let video = self.store.video(id).await?;
        video.ok_or(VideoError::NoSuchVideo(id))
    }

    /// Returns a page of at most `query.limit` videos, 1 to [`balance_store::videos::MAX_PAGE`].
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list(
        &self,
        mut query: VideoQuery,
    ) -> Result<Listing<ListedVideo, VideoOrder>, VideoError> {
        let limit = query.limit;
        query.limit = limit.saturating_add(1);
        let items = self.store.videos(&query).await?;
        Ok(Listing::of(items, limit, |last| {
            let id = last.video.id;
            match query.order {
                VideoOrder::Newest(_) => VideoOrder::Newest(Some(id)),
                VideoOrder::Oldest(_) => VideoOrder::Oldest(Some(id)),
                VideoOrder::Title(_) => VideoOrder::Title(Some((last.video.title.clone(), id))),
            }
        }))
    }

    /// Registers an ad.
    ///
    /// # Errors
    /// If the title is invalid, [`MAX_ADS`] ads are registered, the key was used for a different request,
    /// or the store fails.
    pub async fn register_ad(&self, creation: &Creation, title: &str) -> Result<Ad, VideoError> {
        let title = parse_title(title)?;
        let created = self.store.create_ad(creation, &title).await?;
        Ok(Ad {
            id: created_id(created)?,
            title: title.as_str().to_owned(),
        })
    }

    /// Returns a page of ads, ordered by id.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn ads(
        &self,
        after: Option<AdId>,
        limit: u32,
    ) -> Result<Listing<Ad, AdId>, VideoError> {
        let items = self.store.ads(after, limit.saturating_add(1)).await?;
        Ok(Listing::of(items, limit, |last| last.id))
    }
}

fn parse_title(text: &str) -> Result<Title, VideoError> {
    Title::parse(text).map_err(|reason| VideoError::InvalidInput {
        field: "title",
        reason: reason.to_owned(),
    })
}

fn created_id<T>(created: Created<T>) -> Result<T, VideoError> {
    match created {
        Created::Id(id) => Ok(id),
        Created::KeyReused => Err(VideoError::KeyReused),
        Created::Full => Err(VideoError::TooManyAds),
        Created::TooMany(limit) => Err(VideoError::TooManyVideos(limit)),
    }
}
