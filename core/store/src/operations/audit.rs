//! The audit log. Each entry is written in the transaction of the audited action.

use crate::{
    Store, StoreError, StoreResult,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{accounts::UserId, playback::EventId};
use chrono::NaiveDateTime;

/// The actor of an audited action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An admin who uses the HTTP API.
    Admin {
        user_id: UserId,
        /// The request ID, at most 128 characters.
        request_id: String,
    },
    /// A user of the command line, who has access to the database.
    Console,
}

/// An audited action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditAction {
    Launch,
    Restart,
    /// A restart that retries a failed partition.
    Retry,
    Stop,
    Abandon,
    SetRates,
    SetPlayRules,
    /// The event stream of a Redis server was adopted.
    AdoptStream,
    /// An import of plays.
    Import,
    UndoImport,
    /// The clock of the intake was set back to the time.
    RepairClock,
    /// The restore of a backup was completed.
    CompleteRestore,
}

impl AuditAction {
    pub const ALL: [Self; 12] = [
        Self::Launch,
        Self::Restart,
        Self::Retry,
        Self::Stop,
        Self::Abandon,
        Self::SetRates,
        Self::SetPlayRules,
        Self::AdoptStream,
        Self::Import,
        Self::UndoImport,
        Self::RepairClock,
        Self::CompleteRestore,
    ];

    /// Returns the stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Launch => "LAUNCH",
            Self::Restart => "RESTART",
            Self::Retry => "RETRY",
            Self::Stop => "STOP",
            Self::Abandon => "ABANDON",
            Self::SetRates => "SET_RATES",
            Self::SetPlayRules => "SET_PLAY_RULES",
            Self::AdoptStream => "ADOPT_STREAM",
            Self::Import => "IMPORT",
            Self::UndoImport => "UNDO_IMPORT",
            Self::RepairClock => "REPAIR_CLOCK",
            Self::CompleteRestore => "COMPLETE_RESTORE",
        }
    }

    /// Returns the action with a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// The id of an audit entry: a UUIDv7, so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditId(pub [u8; 16]);

/// An audit entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub id: AuditId,
    /// The time of the action, in UTC.
    pub at: NaiveDateTime,
    pub actor: Actor,
    pub action: AuditAction,
    /// The object of the action, such as `execution 7 of 2026-03-02`.
    pub subject: String,
}

/// The greatest id.
const LAST: [u8; 16] = [0xff; 16];

/// Records an action in its transaction.
pub(crate) async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: AuditAction,
    subject: &str,
) -> StoreResult<()> {
    let EventId(id) = EventId::new(tx.clock_micros(), rand::random());
    let (user_id, request_id) = match actor {
        Actor::Admin {
            user_id,
            request_id,
        } => (Some(user_id.0), Some(request_id.as_str())),
        Actor::Console => (None, None),
    };
    let now = tx.now();
    tx.execute(
        "INSERT INTO audit (id, occurred_at, user_id, action, subject, request_id) \
         VALUES (?, ?, ?, ?, ?, ?)",
        &params![&id[..], now, user_id, action.name(), subject, request_id],
    )
    .await?;
    Ok(())
}

type Row = (
    Vec<u8>,
    NaiveDateTime,
    Option<i64>,
    String,
    String,
    Option<String>,
);

impl Store {
    /// Returns at most `limit` entries, newest first: all, or those before one.
    pub async fn audit(&self, before: Option<AuditId>, limit: u32) -> StoreResult<Vec<AuditEntry>> {
        let mut tx = self.db.read().await?;
        let before = before.map_or(LAST, |AuditId(id)| id);
        let rows: Vec<Row> = tx
            .fetch_all(
                "SELECT id, occurred_at, user_id, action, subject, request_id FROM audit \
             WHERE id < ? ORDER BY id DESC LIMIT ?",
                &params![&before[..], limit],
            )
            .await?;
        rows.into_iter().map(entry).collect()
    }
}

fn entry((id, at, user_id, action, subject, request_id): Row) -> StoreResult<AuditEntry> {
    let damaged = |reason: &str| StoreError::Damaged(format!("audit entry: {reason}"));
    Ok(AuditEntry {
        id: AuditId(
            id.try_into()
                .map_err(|_| damaged("the id is not 16 bytes long"))?,
        ),
        at,
        actor: match user_id {
            Some(user_id) => Actor::Admin {
                user_id: UserId(user_id),
                request_id: request_id.unwrap_or_default(),
            },
            None => Actor::Console,
        },
        action: AuditAction::from_name(&action)
            .ok_or_else(|| damaged(&format!("unknown action '{action}'")))?,
        subject,
    })
}
