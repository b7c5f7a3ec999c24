//! Registering and listing videos and ads.

use crate::listing::Listing;
use balance_domain::videos::{AdId, MAX_DURATION_S, Title, VideoId};
use balance_store::{
    Store, StoreError,
    videos::{Ad, Created, Creation, ListedVideo, NewVideo, VideoOrder, VideoQuery},
};
use std::sync::Arc;

/// Why a video or an ad is not there.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// There is no such video.
    #[error("there is no video {0}")]
    NoSuchVideo(VideoId),
    /// A field of the request is invalid_input.
    #[error("{field} {reason}")]
    InvalidInput {
        /// Which.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// The key named another request before.
    #[error("the Idempotency-Key named another request before")]
    KeyReused,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Knows what can be watched.
#[derive(Clone)]
pub struct Videos {
    store: Arc<Store>,
}

impl Videos {
    /// A service on a store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Registers a video of so many seconds.
    ///
    /// # Errors
    /// Where title or length are invalid_input, the key named another request, or the store fails.
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
        self.video(is(created)?).await
    }

    /// A video.
    ///
    /// # Errors
    /// Where there is none, or the store fails.
    pub async fn video(&self, id: VideoId) -> Result<ListedVideo, VideoError> {
        let video = self.store.video(id).await?;
        video.ok_or(VideoError::NoSuchVideo(id))
    }

    /// A page of videos of `query.limit` (1 to [`balance_store::videos::MAX_PAGE`]).
    ///
    /// # Errors
    /// Where the store fails.
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
    /// Where the title is invalid_input, the key named another request, or the store fails.
    pub async fn register_ad(&self, creation: &Creation, title: &str) -> Result<Ad, VideoError> {
        let title = parse_title(title)?;
        let created = self.store.create_ad(creation, &title).await?;
        Ok(Ad {
            id: is(created)?,
            title: title.as_str().to_owned(),
        })
    }

    /// A page of ads by id.
    ///
    /// # Errors
    /// Where the store fails.
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

fn is<T>(created: Created<T>) -> Result<T, VideoError> {
    match created {
        Created::Is(id) => Ok(id),
        Created::KeyReused => Err(VideoError::KeyReused),
    }
}
