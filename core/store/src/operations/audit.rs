//! The audit: which operator did what. Every row is written in the transaction of what it is about.

use crate::{
    Store, StoreError, StoreResult,
    sql::{statement::params, tx::Tx},
};
use balance_domain::{accounts::UserId, playback::EventId};
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
pub enum AuditAction {
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

impl AuditAction {
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
    pub action: AuditAction,
    /// To what, e.g. `execution 7 of 2026-03-02`.
    pub subject: String,
}

/// After every id.
const LAST: [u8; 16] = [0xff; 16];

/// Writes down who does what, in the transaction that does it.
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
    /// The newest rows, or those before one; at most `limit`.
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
    let damaged = |what: &str| StoreError::Damaged(format!("audit: {what}"));
    Ok(AuditEntry {
        id: AuditId(
            id.try_into()
                .map_err(|_| damaged("an id is not 16 bytes"))?,
        ),
        at,
        actor: match user_id {
            Some(user_id) => Actor::Admin {
                user_id: UserId(user_id),
                request_id: request_id.unwrap_or_default(),
            },
            None => Actor::Console,
        },
        action: AuditAction::of(&action)
            .ok_or_else(|| damaged(&format!("unknown action '{action}'")))?,
        subject,
    })
}
