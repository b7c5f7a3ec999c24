//! The statuses and exit codes of executions and steps, as in Spring Batch.

use balance_batch::status::{BatchStatus, ExitCode};
use poem_openapi::Enum;

/// The status of an execution or a step. STARTING, STARTED and STOPPING are running; the others
/// have ended. STOPPED and FAILED can be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(
    rename = "BatchStatus",
    remote = "BatchStatus",
    rename_all = "UPPERCASE"
)]
pub enum StatusView {
    Starting,
    Started,
    Stopping,
    Stopped,
    Completed,
    Failed,
    Abandoned,
    Unknown,
}

/// The exit code of an execution or a step. COMPLETED_WITH_SKIPS: completed, except for skipped
/// videos, which are held. NOOP: there was nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "ExitCode", rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ExitCodeView {
    Executing,
    Completed,
    CompletedWithSkips,
    Noop,
    Stopped,
    Failed,
    Unknown,
}

impl From<&ExitCode> for ExitCodeView {
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
