//! The audit: which operator did what. Every row is written in the transaction of what it is about.

use super::error::StoreResult;
use crate::domain::user::UserId;
use async_trait::async_trait;
use chrono::NaiveDateTime;

/// On whose behalf an operator's action is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An admin, over HTTP.
    Admin {
        /// Who.
        user_id: UserId,
        /// The request's id, at most 128 characters.
        request_id: String,
    },
    /// Whoever calls the program on a machine that reaches the database.
    Console,
}

/// What an operator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Launched a date.
    Launch,
    /// Restarted an execution.
    Restart,
    /// Restarted an execution for the sake of a failed partition.
    Retry,
    /// Asked an execution to stop.
    Stop,
    /// Gave an execution up.
    Abandon,
    /// Stored a version of the rates.
    SetRates,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 6] = [
        Self::Launch,
        Self::Restart,
        Self::Retry,
        Self::Stop,
        Self::Abandon,
        Self::SetRates,
    ];

    /// Its name in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Launch => "LAUNCH",
            Self::Restart => "RESTART",
            Self::Retry => "RETRY",
            Self::Stop => "STOP",
            Self::Abandon => "ABANDON",
            Self::SetRates => "SET_RATES",
        }
    }

    /// The action of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// The id of a row of the audit: 16 bytes in UUIDv7 form, so that they sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditId(pub [u8; 16]);

/// A row of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When, in UTC.
    pub at: NaiveDateTime,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// To what, e.g. `execution 7 of 2026-03-02`.
    pub subject: String,
}

/// Reads the audit.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// The newest rows, or those before one; at most `limit`.
    async fn audit(&self, before: Option<AuditId>, limit: u32) -> StoreResult<Vec<AuditEntry>>;
}
