//! Videos: registration and lists.

use crate::{
    auth::user::User,
    errors::{
        problem::ApiError,
        responses::{ErrorResponse, responses},
    },
    extract::{
        body::Body,
        cursor::{self, default_limit},
        idempotency,
    },
    openapi::tag::Tag,
};
use balance_domain::{accounts::UserId, videos::VideoId};
use balance_service::videos::Videos;
use balance_store::videos::{Creation, ListedVideo, VideoOrder, VideoQuery};
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::Example,
};
use serde::{Deserialize, Serialize};

/// A new video.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
#[oai(deny_unknown_fields, example)]
struct NewVideo {
    /// The title, without control characters and not only white space.
    #[oai(validator(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    ))]
    title: String,
    /// The length, in seconds.
    #[oai(validator(minimum(value = "1"), maximum(value = "86400")))]
    duration: i64,
}

impl Example for NewVideo {
    fn example() -> Self {
        let video = VideoView::example();
        Self {
            title: video.title,
            duration: video.duration,
        }
    }
}

/// A video.
#[derive(Debug, Object)]
#[oai(rename = "Video", rename_all = "camelCase", example)]
struct VideoView {
    /// The video's id.
    video_id: i64,
    /// The title.
    title: String,
    /// The length, in seconds.
    duration: i64,
    /// The user who registered the video and receives its revenue.
    owner_id: i64,
    /// The counted views of settled and open days.
    view_count: i64,
    /// The ad views of settled and open days.
    ad_view_count: i64,
}

impl Example for VideoView {
    fn example() -> Self {
        Self {
            video_id: 12,
            title: "How to fold a map".to_owned(),
            duration: 600,
            owner_id: 7,
            view_count: 1_024,
            ad_view_count: 310,
        }
    }
}

impl From<ListedVideo> for VideoView {
    fn from(listed: ListedVideo) -> Self {
        Self {
            video_id: listed.video.id.0,
            title: listed.video.title,
            duration: listed.video.duration_s,
            owner_id: listed.video.owner_id.0,
            view_count: listed.view_count,
            ad_view_count: listed.ad_view_count,
        }
    }
}

/// A page of videos.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", example)]
struct VideoPage {
    /// The videos.
    items: Vec<VideoView>,
    /// The cursor of the next page; null on the last page.
    next: Option<String>,
}

impl Example for VideoPage {
    fn example() -> Self {
        Self {
            items: vec![VideoView::example()],
            next: Some("eyJOZXdlc3QiOjEyfQ".to_owned()),
        }
    }
}

/// The order of a list of videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "camelCase")]
enum VideoSort {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
    /// By title, then by id.
    Title,
}

/// The position in a list, as encoded in a cursor.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum After {
    Newest(i64),
    Oldest(i64),
    Title(String, i64),
}

impl After {
    /// Returns the position after which an order continues, if it has one.
    fn of(order: VideoOrder) -> Option<Self> {
        match order {
            VideoOrder::Newest(after) => after.map(|id| Self::Newest(id.0)),
            VideoOrder::Oldest(after) => after.map(|id| Self::Oldest(id.0)),
            VideoOrder::Title(after) => after.map(|(title, id)| Self::Title(title, id.0)),
        }
    }
}

impl VideoSort {
    /// Returns the order after a cursor.
    ///
    /// # Errors
    /// Returns the error of the parameter if the cursor belongs to another order.
    fn after(self, cursor: Option<&str>) -> Result<VideoOrder, ApiError> {
        let after = cursor.map(cursor::read::<After>).transpose()?;
        match (self, after) {
            (Self::Newest, None) => Ok(VideoOrder::Newest(None)),
            (Self::Newest, Some(After::Newest(id))) => Ok(VideoOrder::Newest(Some(VideoId(id)))),
            (Self::Oldest, None) => Ok(VideoOrder::Oldest(None)),
            (Self::Oldest, Some(After::Oldest(id))) => Ok(VideoOrder::Oldest(Some(VideoId(id)))),
            (Self::Title, None) => Ok(VideoOrder::Title(None)),
            (Self::Title, Some(After::Title(title, id))) => {
                Ok(VideoOrder::Title(Some((title, VideoId(id)))))
            }
            _ => Err(ApiError::field(cursor::NAME, "belongs to another `sort`")),
        }
    }
}

#[derive(ApiResponse)]
enum RegisterResponse {
    /// The video was registered.
    #[oai(status = 201)]
    Registered(
        Json<VideoView>,
        /// The path of the video.
        #[oai(header = "Location")]
        String,
    ),
}

responses! {
    RegisterErrors: 401 409 415 429;
    ListErrors: 401;
    VideoErrors: 401 404;
}

const fn default_sort() -> VideoSort {
    VideoSort::Newest
}

pub(crate) struct VideosApi {
    pub(crate) videos: Videos,
}

#[OpenApi(prefix_path = "/videos", tag = "Tag::Videos")]
impl VideosApi {
    /// Register a video
    ///
    /// The user of the access token becomes the owner of the video. An account that registers too many
    /// videos in a short time is rejected with 429.
    #[oai(path = "/", method = "post", operation_id = "registerVideo")]
    async fn register(
        &self,
        user: User,
        /// A unique key of the request. A repetition with the same body has no further effect.
        #[oai(
            name = "Idempotency-Key",
            validator(min_length = 1, max_length = 128, pattern = "^[!-~]+$")
        )]
        key: Header<Option<String>>,
        body: Body<NewVideo>,
    ) -> Result<RegisterResponse, ErrorResponse<RegisterErrors>> {
        let creation = Creation {
            user_id: user.0.user_id,
            key: idempotency::key(key.0.as_deref())?,
        };
        let video = self
            .videos
            .register(&creation, &body.0.title, body.0.duration)
            .await?;
        let location = format!("/videos/{}", video.video.id);
        Ok(RegisterResponse::Registered(Json(video.into()), location))
    }

    /// List videos
    ///
    /// Returns the videos of all users in the requested order.
    #[oai(path = "/", method = "get", operation_id = "listVideos")]
    async fn list(
        &self,
        _user: User,
        /// Return only the videos of this user.
        #[oai(name = "ownerId", validator(minimum(value = "1")))]
        owner_id: Query<Option<i64>>,
        /// Return only videos whose title contains this text. Case is ignored.
        #[oai(validator(min_length = 1, max_length = 200))]
        title: Query<Option<String>>,
        /// The order.
        #[oai(default = "default_sort")]
        sort: Query<VideoSort>,
        /// The `next` of the previous page.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// The maximum number of videos per page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
    ) -> Result<Json<VideoPage>, ErrorResponse<ListErrors>> {
        let query = VideoQuery {
            owner_id: owner_id.0.map(UserId),
            title: title.0,
            order: sort.0.after(cursor.0.as_deref())?,
            limit: limit.0,
        };
        let page = self.videos.list(query).await?;
        let after = page.next.and_then(After::of);
        Ok(Json(VideoPage {
            items: page.items.into_iter().map(Into::into).collect(),
            next: after.map(|after| cursor::write(&after)).transpose()?,
        }))
    }

    /// Read a video
    ///
    /// The counts include views of open days, which are not yet settled.
    #[oai(path = "/:id", method = "get", operation_id = "getVideo")]
    async fn video(
        &self,
        _user: User,
        /// The video's id.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
    ) -> Result<Json<VideoView>, ErrorResponse<VideoErrors>> {
        Ok(Json(self.videos.video(VideoId(id.0)).await?.into()))
    }
}
