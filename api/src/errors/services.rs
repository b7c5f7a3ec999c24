//! What services refuse, as faults.

use crate::{
    errors::problem::{ApiError, Code},
    extract::idempotency,
};
use balance_domain::videos::VideoId;
use balance_service::{
    accounts::{AccountError, passwords::PasswordError},
    playback::{PlaybackError, intake::IntakeError},
    videos::VideoError,
};
use balance_store::{StoreError, accounts::CredentialError, jobs::JobError};

/// When to try again where the stream is full, in seconds: the drain needs a moment.
const BACKLOG_RETRY_S: u64 = 5;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            error if error.is_transient() => {
                Self::unavailable("The database is away or busy.", error)
            }
            StoreError::DiskFull => Self::unavailable("The database has no room left.", error),
            error => Self::internal(chain(&error)),
        }
    }
}

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Backlog { .. } => Self::new(
                Code::Backlog,
                "What was played is still being written down.",
            )
            .retry_after_s(BACKLOG_RETRY_S)
            .caused_by(error),
            IntakeError::Unavailable(_) | IntakeError::Unusable(_) => {
                Self::unavailable("Plays cannot be taken in now.", error)
            }
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => {
                Self::new(Code::Overloaded, "Too many passwords are being checked.")
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
            AccountError::WrongCredentials => {
                Self::new(Code::WrongCredentials, "Nobody is logged in.")
            }
            AccountError::WrongRefreshToken => Self::new(
                Code::RefreshTokenInvalid,
                "It is unknown, revoked or too old; log in again.",
            ),
            AccountError::ReusedRefreshToken(user_id) => Self::new(
                Code::RefreshTokenReused,
                "Everybody who holds one of its successors is logged out; log in again.",
            )
            .caused_by(format!("user {user_id}")),
            AccountError::Refused(CredentialError::UsernameTaken) => {
                Self::new(Code::UsernameTaken, "Choose another one.")
            }
            AccountError::Refused(CredentialError::Store(error)) | AccountError::Store(error) => {
                error.into()
            }
            // For operators only: no operation names somebody else.
            AccountError::Refused(error @ CredentialError::NoSuchUser(_)) => Self::internal(error),
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
            JobError::AlreadyRunning { .. } => Code::AlreadyRunning,
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
        // The name before the colon is in the code.
        let text = error.to_string();
        let detail = text
            .split_once(": ")
            .map_or(text.as_str(), |(_, detail)| detail);
        Self::new(code, detail.to_owned())
    }
}

fn no_such_video(id: VideoId) -> ApiError {
    ApiError::new(Code::NoSuchVideo, format!("There is no video {id}."))
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
