//! The audit.

use super::{
    SqlStore,
    db::{Tx, execute, fetch_all},
};
use crate::{
    domain::{playback::EventId, user::UserId},
    port::{
        audit::{Action, Actor, AuditEntry, AuditId, AuditStore},
        error::{StoreError, StoreResult},
    },
};
use async_trait::async_trait;
use chrono::NaiveDateTime;

/// After every id.
const LAST: [u8; 16] = [0xff; 16];

/// Writes down who does what, in the transaction that does it.
pub(super) async fn record(
    tx: &mut Tx,
    actor: &Actor,
    action: Action,
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
    execute!(
        tx,
        "INSERT INTO audit (id, occurred_at, user_id, action, subject, request_id) \
         VALUES (?, ?, ?, ?, ?, ?)",
        &id[..],
        now,
        user_id,
        action.name(),
        subject,
        request_id
    )?;
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

#[async_trait]
impl AuditStore for SqlStore {
    async fn audit(&self, before: Option<AuditId>, limit: u32) -> StoreResult<Vec<AuditEntry>> {
        let mut tx = self.db.read().await?;
        let before = before.map_or(LAST, |AuditId(id)| id);
        let rows: Vec<Row> = fetch_all!(
            &mut tx,
            "SELECT id, occurred_at, user_id, action, subject, request_id FROM audit \
             WHERE id < ? ORDER BY id DESC LIMIT ?",
            &before[..],
            limit
        )?;
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
        action: Action::of(&action)
            .ok_or_else(|| damaged(&format!("unknown action '{action}'")))?,
        subject,
    })
}
