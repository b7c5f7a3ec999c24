//! How far executions and steps are, in Spring Batch's words.

use balance_batch::status::{BatchStatus, ExitCode};
use poem_openapi::Enum;

/// How far an execution or a step is: STARTING, STARTED and STOPPING ones go on, the others have
/// ended; STOPPED and FAILED ones can be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(
    rename = "BatchStatus",
    remote = "BatchStatus",
    rename_all = "UPPERCASE"
)]
pub(crate) enum Status {
    Starting,
    Started,
    Stopping,
    Stopped,
    Completed,
    Failed,
    Abandoned,
    Unknown,
}

/// How an execution or a step ended. COMPLETED_WITH_SKIPS: done, but for videos that were skipped
/// and are held. NOOP: there was nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "ExitCode", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum EndCode {
    Executing,
    Completed,
    CompletedWithSkips,
    Noop,
    Stopped,
    Failed,
    Unknown,
}

impl From<&ExitCode> for EndCode {
    fn from(code: &ExitCode) -> Self {
        let known = [
            (ExitCode::EXECUTING, Self::Executing),
            (ExitCode::COMPLETED, Self::Completed),
            (ExitCode::COMPLETED_WITH_SKIPS, Self::CompletedWithSkips),
            (ExitCode::NOOP, Self::Noop),
            (ExitCode::STOPPED, Self::Stopped),
            (ExitCode::FAILED, Self::Failed),
        ];
        let found = known.into_iter().find(|(known, _)| known == code);
        found.map_or(Self::Unknown, |(_, code)| code)
    }
}
