//! The JSON types of the audit log.

use crate::extract::date::moment;
use balance_store::operations::{Actor, AuditAction, AuditEntry};
use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, types::Example};
use uuid::Uuid;

/// An audited action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(
    rename = "AuditAction",
    remote = "AuditAction",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
enum AuditActionView {
    Launch,
    Restart,
    Retry,
    Stop,
    Abandon,
    SetRates,
    SetPlayRules,
    AdoptStream,
    Import,
    UndoImport,
    RepairClock,
    CompleteRestore,
}

/// An entry of the audit log.
#[derive(Debug, Object)]
#[oai(rename = "AuditEntry", rename_all = "camelCase", example)]
pub(crate) struct AuditView {
    /// The entry's id.
    id: Uuid,
    /// The time of the action.
    at: DateTime<Utc>,
    /// The id of the admin; null for the command line.
    user_id: Option<i64>,
    /// The action.
    action: AuditActionView,
    /// The object of the action.
    subject: String,
    /// The request's id; null for the command line.
    request_id: Option<String>,
}

impl Example for AuditView {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(0x0197_6f3e_4f00_7c3a_9b1d_2e4f_6a8c_0b1d),
            at: moment(60),
            user_id: Some(1),
            action: AuditActionView::Launch,
            subject: "execution 14 of 2026-03-15".to_owned(),
            request_id: Some("01976f3e-4f00-7c3a-9b1d-2e4f6a8c0b1d".to_owned()),
        }
    }
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        let (user_id, request_id) = match entry.actor {
            Actor::Admin {
                user_id,
                request_id,
            } => (Some(user_id.0), Some(request_id)),
            Actor::Console => (None, None),
        };
        Self {
            id: Uuid::from_bytes(entry.id.0),
            at: entry.at.and_utc(),
            user_id,
            action: entry.action.into(),
            subject: entry.subject,
            request_id,
        }
    }
}

/// A page of the audit log, the newest entry first.
#[derive(Debug, Object)]
#[oai(example)]
pub(crate) struct AuditPage {
    /// The entries.
    pub(crate) items: Vec<AuditView>,
    /// The cursor of the next page; null on the last page.
    pub(crate) next: Option<String>,
}

impl Example for AuditPage {
    fn example() -> Self {
        Self {
            items: vec![AuditView::example()],
            next: None,
        }
    }
}
