//! Plays and pauses.

use crate::{
    auth::{token::Identity, user::User},
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{idempotency, language::Language},
    openapi::tag::Tag,
};
use balance_domain::videos::VideoId;
use balance_service::playback::Playback;
use balance_store::playback::IntakeAnswer;
use poem_openapi::{
    ApiResponse, NewType, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::Example,
};
use std::sync::Arc;

/// A message for the viewer, such as the position from which the video plays.
#[derive(Debug, NewType)]
#[oai(example)]
struct Playing(String);

impl Example for Playing {
    fn example() -> Self {
        Self(Language::Korean.playing(120))
    }
}

/// A message for the viewer.
#[derive(Debug, NewType)]
#[oai(example)]
struct Paused(String);

impl Example for Paused {
    fn example() -> Self {
        Self(Language::Korean.paused())
    }
}

#[derive(ApiResponse)]
enum PlayResponse {
    /// The play was recorded. The body is a message for the viewer; programs read the headers.
    #[oai(status = 200)]
    Playing(
        Json<Playing>,
        /// The position from which the video plays, in seconds.
        #[oai(header = "X-Resume-At")]
        i64,
        /// Whether the play counts as a view. A play by the video's owner does not.
        #[oai(header = "X-View-Counted")]
        bool,
        /// The language of the message.
        #[oai(header = "Content-Language")]
        String,
    ),
}

#[derive(ApiResponse)]
enum PauseResponse {
    /// The pause was recorded. The body is a message for the viewer; programs read the headers.
    #[oai(status = 200)]
    Paused(
        Json<Paused>,
        /// The seconds that count as watched.
        #[oai(header = "X-Credited-Seconds")]
        i64,
        /// The language of the message.
        #[oai(header = "Content-Language")]
        String,
    ),
}

responses! {
    PlayErrors: 401 403 404 409 429;
    PauseErrors: 401 403 404 409 429;
}

pub(crate) struct PlaybackApi {
    pub(crate) playback: Arc<Playback>,
}

#[OpenApi(prefix_path = "/videos", tag = "Tag::Playback")]
impl PlaybackApi {
    /// Play a video
    ///
    /// The video plays from the viewer's last position. A play within the view window (30 s by
    /// default) after the viewer's last counted view is rejected with 429, and nothing is recorded. So
    /// is a play beyond the viewer's limit of views of all videos together.
    #[oai(path = "/:id/play", method = "post", operation_id = "playVideo")]
    async fn play(
        &self,
        user: User,
        /// The video.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The viewer. If given, it must be the user of the access token.
        #[oai(name = "userId")]
        user_id: Query<Option<i64>>,
        /// A unique key of the request. A repetition returns the first response and counts once.
        #[oai(
            name = "Idempotency-Key",
            validator(min_length = 1, max_length = 128, pattern = "^[!-~]+$")
        )]
        key: Header<Option<String>>,
        /// The languages of the message: `ko` (the default) or `en`.
        #[oai(name = "Accept-Language")]
        language: Header<Option<String>>,
    ) -> Result<PlayResponse, ErrorResponse<PlayErrors>> {
        check_viewer(user.0, user_id.0)?;
        let key = idempotency::key(key.0.as_deref())?;
        let answer = self
            .playback
            .play(user.0.viewer(), VideoId(id.0), key)
            .await?;
        let language = Language::preferred(language.0.as_deref());
        match answer {
            IntakeAnswer::Playing {
                resume_at_s,
                is_counted,
            } => Ok(PlayResponse::Playing(
                Json(Playing(language.playing(resume_at_s))),
                resume_at_s,
                is_counted,
                language.tag().to_owned(),
            )),
            answer => Err(rejection(answer).into()),
        }
    }

    /// Pause a video
    ///
    /// Credits the seconds between the last and the given position, but no more than the viewer's
    /// budget over all videos holds, and stores the position. After a pause at the end, the next play
    /// starts from the beginning. Too many pauses of a session are rejected with 429.
    #[oai(path = "/:id/pause", method = "post", operation_id = "pauseVideo")]
    async fn pause(
        &self,
        user: User,
        /// The video.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The player's position in seconds, from 0 to the length of the video.
        #[oai(name = "currentPlayedAt", validator(minimum(value = "0")))]
        current_s: Query<i64>,
        /// The viewer. If given, it must be the user of the access token.
        #[oai(name = "userId")]
        user_id: Query<Option<i64>>,
        /// A unique key of the request. A repetition returns the first response and counts once.
        #[oai(
            name = "Idempotency-Key",
            validator(min_length = 1, max_length = 128, pattern = "^[!-~]+$")
        )]
        key: Header<Option<String>>,
        /// The languages of the message: `ko` (the default) or `en`.
        #[oai(name = "Accept-Language")]
        language: Header<Option<String>>,
    ) -> Result<PauseResponse, ErrorResponse<PauseErrors>> {
        check_viewer(user.0, user_id.0)?;
        let key = idempotency::key(key.0.as_deref())?;
        let answer = self
            .playback
            .pause(user.0.viewer(), VideoId(id.0), current_s.0, key)
            .await?;
        let language = Language::preferred(language.0.as_deref());
        match answer {
            IntakeAnswer::Paused { credited_s, .. } => Ok(PauseResponse::Paused(
                Json(Paused(language.paused())),
                credited_s,
                language.tag().to_owned(),
            )),
            answer => Err(rejection(answer).into()),
        }
    }
}

fn check_viewer(identity: Identity, user_id: Option<i64>) -> Result<(), ApiError> {
    match user_id {
        Some(user_id) if user_id != identity.user_id.0 => Err(ApiError::new(
            Code::OtherUser,
            "userId is not the user of the access token; it can be omitted.",
        )),
        _ => Ok(()),
    }
}

fn rejection(answer: IntakeAnswer) -> ApiError {
    match answer {
        IntakeAnswer::Repeat { retry_after_ms } => ApiError::new(
            Code::RepeatedView,
            "The viewer's last view was counted within the view window; nothing was recorded.",
        )
        .retry_after_ms(retry_after_ms),
        IntakeAnswer::TooManyViews { retry_after_ms } => ApiError::new(
            Code::TooManyViews,
            "The viewer has too many views of all videos together; nothing was recorded.",
        )
        .retry_after_ms(retry_after_ms),
        IntakeAnswer::TooManyPauses { retry_after_ms } => ApiError::new(
            Code::TooManyPauses,
            "The session has too many pauses; a later pause credits the same seconds.",
        )
        .retry_after_ms(retry_after_ms),
        IntakeAnswer::NoSession => ApiError::new(
            Code::NoOpenSession,
            "The viewer has no open session of this video; play it first.",
        ),
        IntakeAnswer::KeyReused => idempotency::reused(),
        IntakeAnswer::Playing { .. } | IntakeAnswer::Paused { .. } => {
            ApiError::internal("the intake returned the response of another command")
        }
    }
}
