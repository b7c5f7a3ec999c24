//! Batch statuses and exit codes, ordered and aggregated as Spring Batch does.

use std::{borrow::Cow, fmt, str::FromStr};

/// The status of a job or step execution, in the order of Spring Batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BatchStatus {
    /// Ended successfully.
    Completed,
    /// Created, not started.
    Starting,
    /// Running.
    Started,
    /// Stop requested, still running.
    Stopping,
    /// Stopped on request; can be restarted.
    Stopped,
    /// Ended with an error; can be restarted.
    Failed,
    /// Abandoned by an admin; cannot be restarted.
    Abandoned,
    /// The outcome is unknown.
    Unknown,
}

/// A text that is not the name of a status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a batch status")]
pub struct BatchStatusError(String);

impl BatchStatus {
    /// Every status, in order.
    pub const ALL: [Self; 8] = [
        Self::Completed,
        Self::Starting,
        Self::Started,
        Self::Stopping,
        Self::Stopped,
        Self::Failed,
        Self::Abandoned,
        Self::Unknown,
    ];

    /// Returns the name in the job tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "COMPLETED",
            Self::Starting => "STARTING",
            Self::Started => "STARTED",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Abandoned => "ABANDONED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Returns whether the execution has not ended.
    #[must_use]
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Starting | Self::Started | Self::Stopping)
    }

    /// Combines two statuses: the larger one if either is above STARTED, otherwise COMPLETED if
    /// either is COMPLETED, otherwise the larger one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self > Self::Started || other > Self::Started {
            self.max(other)
        } else {
            // COMPLETED is the smallest status.
            match self.min(other) {
                Self::Completed => Self::Completed,
                _ => self.max(other),
            }
        }
    }
}

impl fmt::Display for BatchStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BatchStatus {
    type Err = BatchStatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or_else(|| BatchStatusError(text.to_owned()))
    }
}

/// The exit code of an execution, for programs that act on the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExitCode(Cow<'static, str>);

impl ExitCode {
    /// The step is running.
    pub const EXECUTING: Self = Self(Cow::Borrowed("EXECUTING"));
    pub const COMPLETED: Self = Self(Cow::Borrowed("COMPLETED"));
    /// Completed, but videos were skipped and are held.
    pub const COMPLETED_WITH_SKIPS: Self = Self(Cow::Borrowed("COMPLETED_WITH_SKIPS"));
    /// There was no work.
    pub const NOOP: Self = Self(Cow::Borrowed("NOOP"));
    pub const STOPPED: Self = Self(Cow::Borrowed("STOPPED"));
    pub const FAILED: Self = Self(Cow::Borrowed("FAILED"));
    /// The outcome is not known yet.
    pub const UNKNOWN: Self = Self(Cow::Borrowed("UNKNOWN"));

    /// Converts a code of the job tables.
    #[must_use]
    pub fn from_table(code: String) -> Self {
        Self(Cow::Owned(code))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the more severe of two codes. If both have the same severity, returns the one that
    /// sorts last.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let key = |code: &Self| (code.severity(), code.0.clone());
        if key(&self) < key(&other) {
            other
        } else {
            self
        }
    }

    /// Returns the rank of the code. Spring compares prefixes, so COMPLETED_WITH_SKIPS has the rank of
    /// COMPLETED.
    fn severity(&self) -> usize {
        [
            Self::EXECUTING,
            Self::COMPLETED,
            Self::NOOP,
            Self::STOPPED,
            Self::FAILED,
            Self::UNKNOWN,
        ]
        .iter()
        .position(|known| self.0.starts_with(known.as_str()))
        .unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchStatus::*, *};

    #[test]
    fn statuses_aggregate_as_in_spring() {
        for (one, other, both) in [
            (Completed, Completed, Completed),
            (Completed, Starting, Completed),
            (Completed, Started, Completed),
            (Starting, Started, Started),
            (Completed, Stopped, Stopped),
            (Failed, Stopped, Failed),
            (Started, Failed, Failed),
            (Abandoned, Failed, Abandoned),
        ] {
            assert_eq!(one.and(other), both, "{one} and {other}");
            assert_eq!(other.and(one), both, "{other} and {one}");
        }
    }

    #[test]
    fn the_more_severe_exit_code_wins() {
        let and = |one: ExitCode, other: ExitCode| one.and(other);
        let custom = ExitCode::from_table("LATE".to_owned());
        assert_eq!(and(ExitCode::COMPLETED, ExitCode::FAILED), ExitCode::FAILED);
        assert_eq!(and(ExitCode::STOPPED, ExitCode::NOOP), ExitCode::STOPPED);
        assert_eq!(and(ExitCode::UNKNOWN, custom.clone()), custom);
        assert_eq!(
            and(ExitCode::COMPLETED, ExitCode::COMPLETED_WITH_SKIPS),
            ExitCode::COMPLETED_WITH_SKIPS
        );
        assert_eq!(
            and(ExitCode::COMPLETED_WITH_SKIPS, ExitCode::FAILED),
            ExitCode::FAILED
        );
    }

    #[test]
    fn names_round_trip() {
        for status in BatchStatus::ALL {
            assert_eq!(status.name().parse(), Ok(status));
        }
        assert!("DONE".parse::<BatchStatus>().is_err());
    }
}
