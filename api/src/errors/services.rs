//! Conversion of the errors of services and the store.

use crate::{
    errors::problem::{ApiError, Code},
    extract::idempotency,
};
use balance_domain::videos::{MAX_ADS, VideoId};
use balance_service::{
    accounts::{AccountError, passwords::PasswordError},
    playback::{PlaybackError, intake::IntakeError},
    videos::VideoError,
};
use balance_store::{StoreError, accounts::CredentialError, jobs::JobError};

/// The `Retry-After` of a full stream, in seconds. The event writers need this time to catch up.
const BACKLOG_RETRY_S: u64 = 5;

/// The reason for the rejection of new accounts, videos, ads, rates and rules of plays.
const RESTORE_INCOMPLETE: &str =
    "The restore of the database is incomplete; nothing can be registered or changed.";

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            error if error.is_transient() => {
                Self::unavailable("The database is unavailable or busy.", error)
            }
            StoreError::DiskFull => Self::unavailable("The database is out of disk space.", error),
            StoreError::RestoreIncomplete(_) => Self::unavailable(RESTORE_INCOMPLETE, error),
            error => Self::internal(error_chain(&error)),
        }
    }
}

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Backlog { .. } => Self::new(
                Code::Backlog,
                "The stream has reached its limit of unwritten events.",
            )
            .retry_after_s(BACKLOG_RETRY_S)
            .caused_by(error),
            IntakeError::Unavailable(_)
            | IntakeError::NotWritable(_)
            | IntakeError::Unusable(_) => {
                Self::unavailable("The intake of plays and pauses is unavailable.", error)
            }
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => {
                Self::new(Code::Overloaded, "Too many password checks are waiting.")
                    .caused_by(error)
            }
            PasswordError::Failed(_) => Self::internal(error),
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::ReservedUsername => Self::field("username", error.to_string()),
            AccountError::WrongCredentials => Self::new(
                Code::WrongCredentials,
                "The username or the password is wrong.",
            ),
            AccountError::WrongRefreshToken => Self::new(
                Code::RefreshTokenInvalid,
                "The refresh token is unknown, revoked or expired; log in again.",
            ),
            AccountError::ReusedRefreshToken(user_id) => Self::new(
                Code::RefreshTokenReused,
                "All tokens of the same login are revoked; log in again.",
            )
            .caused_by(format!("user {user_id}")),
            AccountError::Credential(CredentialError::UsernameTaken) => {
                Self::new(Code::UsernameTaken, "Choose another username.")
            }
            AccountError::Credential(CredentialError::Store(error))
            | AccountError::Store(error) => error.into(),
            // Only the command line looks up other users.
            AccountError::Credential(error @ CredentialError::NoSuchUser(_)) => {
                Self::internal(error)
            }
            AccountError::Password(error) => error.into(),
        }
    }
}

impl From<VideoError> for ApiError {
    fn from(error: VideoError) -> Self {
        match error {
            VideoError::NoSuchVideo(id) => no_such_video(id),
            VideoError::InvalidInput { field, reason } => Self::field(field, reason),
            VideoError::KeyReused => idempotency::reused(),
            VideoError::TooManyAds => Self::new(
                Code::TooManyAds,
                format!("At most {MAX_ADS} ads can be registered."),
            ),
            VideoError::TooManyVideos(limit) => Self::new(
                Code::TooManyVideos,
                "The account registered too many videos in a short time; nothing was registered.",
            )
            .retry_after_ms(limit.retry_after_ms()),
            VideoError::Store(error) => error.into(),
        }
    }
}

impl From<PlaybackError> for ApiError {
    fn from(error: PlaybackError) -> Self {
        match error {
            PlaybackError::NoSuchVideo(id) => no_such_video(id),
            PlaybackError::OutsideVideo { duration_s, .. } => Self::field(
                "currentPlayedAt",
                format!("must be from 0 to {duration_s}, the video's length in seconds"),
            ),
            PlaybackError::Intake(error) => error.into(),
            PlaybackError::Store(error) => error.into(),
        }
    }
}

impl From<JobError> for ApiError {
    fn from(error: JobError) -> Self {
        let code = match error {
            JobError::Store(error) => return error.into(),
            JobError::AlreadyComplete { .. } => Code::AlreadyComplete,
            JobError::AlreadyRunning { .. } | JobError::ForeignRunning { .. } => {
                Code::AlreadyRunning
            }
            JobError::Unknown { .. } => Code::UnknownExecution,
            JobError::NotRestartable { .. } => Code::NotRestartable,
            JobError::NotRunning { .. } => Code::NotRunning,
            JobError::NotAbandonable { .. } => Code::NotAbandonable,
            JobError::NotNewest { .. } => Code::NotNewest,
            JobError::NoSuchExecution(_) => Code::NoSuchExecution,
            JobError::NoSuchStep(_) => Code::NoSuchStep,
            JobError::NotRetryable { .. } => Code::NotRetryable,
            JobError::DayNotOver { .. } => Code::DayNotOver,
            JobError::InstanceExists { .. } => Code::InstanceExists,
            JobError::EarlierDayUnsettled { .. } => Code::EarlierDayUnsettled,
        };
        // The code replaces the name before the colon.
        let text = error.to_string();
        let detail = text
            .split_once(": ")
            .map_or(text.as_str(), |(_, detail)| detail);
        Self::new(code, detail.to_owned())
    }
}

fn no_such_video(id: VideoId) -> ApiError {
    ApiError::new(Code::NoSuchVideo, format!("Video {id} does not exist."))
}

/// Formats an error and its sources on one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
