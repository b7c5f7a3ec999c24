//! Playing and pausing.

use crate::{
    auth::{token::Person, user::User},
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

/// A sentence for whoever plays.
#[derive(Debug, NewType)]
#[oai(example)]
struct Playing(String);

impl Example for Playing {
    fn example() -> Self {
        Self(Language::Korean.playing(120))
    }
}

/// A sentence for whoever pauses.
#[derive(Debug, NewType)]
#[oai(example)]
struct Paused(String);

impl Example for Paused {
    fn example() -> Self {
        Self(Language::Korean.paused())
    }
}

#[derive(ApiResponse)]
enum PlayAnswer {
    /// The video plays. The body is a sentence for the viewer; the headers are for programs.
    #[oai(status = 200)]
    Playing(
        Json<Playing>,
        /// Where it goes on, in seconds; 0 is the beginning.
        #[oai(header = "X-Resume-At")]
        i64,
        /// Whether it counts as a view: an owner's own does not.
        #[oai(header = "X-View-Counted")]
        bool,
        /// The sentence's language.
        #[oai(header = "Content-Language")]
        String,
    ),
}

#[derive(ApiResponse)]
enum PauseAnswer {
    /// The video is paused. The body is a sentence for the viewer; the headers are for programs.
    #[oai(status = 200)]
    Paused(
        Json<Paused>,
        /// Seconds that count as watched.
        #[oai(header = "X-Credited-Seconds")]
        i64,
        /// The sentence's language.
        #[oai(header = "Content-Language")]
        String,
    ),
}

responses! {
    PlayErrors: 401 403 404 409 429;
    PauseErrors: 401 403 404 409;
}

/// Playback.
pub(crate) struct PlaybackApi {
    pub(crate) playback: Arc<Playback>,
}

#[OpenApi(prefix_path = "/videos", tag = "Tag::Playback")]
impl PlaybackApi {
    /// Play a video
    ///
    /// From where the viewer left it. A play within 30 s (by default) after the last counted one of
    /// the same viewer is refused with 429, and nothing is recorded.
    #[oai(path = "/:id/play", method = "post", operation_id = "playVideo")]
    async fn play(
        &self,
        user: User,
        /// The video.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// The viewer; nobody but whoever the access token is of.
        #[oai(name = "userId")]
        user_id: Query<Option<i64>>,
        /// The request's own name: sent again, it is answered as the first time, and counts once.
        #[oai(
            name = "Idempotency-Key",
            validator(min_length = 1, max_length = 128, pattern = "^[!-~]+$")
        )]
        key: Header<Option<String>>,
        /// `en` for English.
        #[oai(name = "Accept-Language")]
        language: Header<Option<String>>,
    ) -> Result<PlayAnswer, ErrorResponse<PlayErrors>> {
        check_viewer(user.0, user_id.0)?;
        let key = idempotency::key(key.0.as_deref())?;
        let answer = self
            .playback
            .play(user.0.user_id, VideoId(id.0), key)
            .await?;
        let language = Language::asked(language.0.as_deref());
        match answer {
            IntakeAnswer::Playing {
                resume_at_s,
                is_counted,
            } => Ok(PlayAnswer::Playing(
                Json(Playing(language.playing(resume_at_s))),
                resume_at_s,
                is_counted,
                language.tag().to_owned(),
            )),
            answer => Err(error_response(answer).into()),
        }
    }

    /// Pause a video
    ///
    /// The seconds since the viewer last stood somewhere count as watched, as far as the clock
    /// allows; the position moves. At the video's end the next play starts from the beginning.
    #[oai(path = "/:id/pause", method = "post", operation_id = "pauseVideo")]
    async fn pause(
        &self,
        user: User,
        /// The video.
        #[oai(validator(minimum(value = "1")))]
        id: Path<i64>,
        /// Where the player stands, in seconds: from 0 to the video's length.
        #[oai(name = "currentPlayedAt", validator(minimum(value = "0")))]
        current_s: Query<i64>,
        /// The viewer; nobody but whoever the access token is of.
        #[oai(name = "userId")]
        user_id: Query<Option<i64>>,
        /// The request's own name: sent again, it is answered as the first time, and counts once.
        #[oai(
            name = "Idempotency-Key",
            validator(min_length = 1, max_length = 128, pattern = "^[!-~]+$")
        )]
        key: Header<Option<String>>,
        /// `en` for English.
        #[oai(name = "Accept-Language")]
        language: Header<Option<String>>,
    ) -> Result<PauseAnswer, ErrorResponse<PauseErrors>> {
        check_viewer(user.0, user_id.0)?;
        let key = idempotency::key(key.0.as_deref())?;
        let answer = self
            .playback
            .pause(user.0.user_id, VideoId(id.0), current_s.0, key)
            .await?;
        let language = Language::asked(language.0.as_deref());
        match answer {
            IntakeAnswer::Paused { credited_s, .. } => Ok(PauseAnswer::Paused(
                Json(Paused(language.paused())),
                credited_s,
                language.tag().to_owned(),
            )),
            answer => Err(error_response(answer).into()),
        }
    }
}

fn check_viewer(person: Person, user_id: Option<i64>) -> Result<(), ApiError> {
    match user_id {
        Some(user_id) if user_id != person.user_id.0 => Err(ApiError::new(
            Code::OtherUser,
            "userId is not the user of the access token; it can be left out.",
        )),
        _ => Ok(()),
    }
}

fn error_response(answer: IntakeAnswer) -> ApiError {
    match answer {
        IntakeAnswer::Repeat { retry_after_ms } => ApiError::new(
            Code::RepeatedView,
            "The same viewer's view was counted a moment ago; nothing was recorded.",
        )
        .retry_after_s(retry_after_ms.max(1).unsigned_abs().div_ceil(1_000)),
        IntakeAnswer::NoSession => ApiError::new(
            Code::NoOpenSession,
            "A pause needs a play of the same viewer before it, and comes before the video's end.",
        ),
        IntakeAnswer::KeyReused => idempotency::reused(),
        IntakeAnswer::Playing { .. } | IntakeAnswer::Paused { .. } => {
            ApiError::internal("the intake answered another question")
        }
    }
}
