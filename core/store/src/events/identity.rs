//! The identity of the event stream, and whether the stream was created.

use crate::{
    Store, StoreError, StoreResult,
    events::{StreamIdentity, StreamLayout},
    operations::{Actor, AuditAction, audit},
    settings::INTAKE_SHARDS,
    sql::{statement::params, tx::Tx},
};
use sqlx::AssertSqlSafe;

const IDENTITY: &str = "stream_identity";
const STATE: &str = "stream_state";
/// The layout of the stream. A missing value means by video, the layout of version 0.1.
const LAYOUT: &str = "stream_layout";
const BY_VIEWER: &str = "viewer";

/// Whether a database's event stream was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// No process has created it yet.
    New,
    /// A version without identities created it.
    Unnamed,
    Created,
}

impl StreamState {
    const ALL: [Self; 3] = [Self::New, Self::Unnamed, Self::Created];

    const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unnamed => "unnamed",
            Self::Created => "created",
        }
    }
}

impl Store {
    /// Returns the stored identity and state. `None` if no process of a fleet has opened the database.
    pub async fn stored_stream_identity(
        &self,
    ) -> StoreResult<Option<(StreamIdentity, StreamState)>> {
        let mut tx = self.db.read().await?;
        stored(&mut tx).await
    }

    /// Returns the identity of the event stream and its state. The first call stores a random
    /// identity.
    pub async fn stream_identity(&self) -> StoreResult<(StreamIdentity, StreamState)> {
        if let Some(stored) = self.stored_stream_identity().await? {
            return Ok(stored);
        }
        let mut tx = self.db.write().await?;
        let state = match value(&mut tx, INTAKE_SHARDS).await? {
            Some(_) => StreamState::Unnamed,
            None => StreamState::New,
        };
        let identity = StreamIdentity::random();
        for (name, value) in [(IDENTITY, identity.as_str()), (STATE, state.name())] {
            let keep = tx.on_conflict_keep("name");
            tx.execute(
                AssertSqlSafe(format!(
                    "INSERT INTO setting (name, value) VALUES (?, ?){keep}"
                )),
                &params![name, value],
            )
            .await?;
        }
        let first = stored(&mut tx).await?;
        tx.commit().await?;
        first.ok_or_else(|| StoreError::Damaged("no stream identity was stored".to_owned()))
    }

    /// Records that the stream was created.
    pub async fn record_stream_created(&self) -> StoreResult<()> {
        let mut tx = self.db.write().await?;
        set(&mut tx, STATE, StreamState::Created.name()).await?;
        tx.commit().await
    }

    /// Returns the layout of the stream.
    pub async fn stream_layout(&self) -> StoreResult<StreamLayout> {
        match self.setting(LAYOUT).await?.as_deref() {
            None => Ok(StreamLayout::ByVideo),
            Some(BY_VIEWER) => Ok(StreamLayout::ByViewer),
            Some(other) => Err(StoreError::Damaged(format!("setting {LAYOUT}: '{other}'"))),
        }
    }

    /// Records that the stream has the layout by viewer. Repeated calls have no effect.
    pub async fn record_stream_by_viewer(&self) -> StoreResult<()> {
        self.setting_or_insert(LAYOUT, BY_VIEWER).await.map(|_| ())
    }

    /// Records that an operator adopted a stream: an empty one, or one that another database
    /// created. Replaces the identity.
    pub async fn adopt_stream(&self, identity: &StreamIdentity, by: &Actor) -> StoreResult<()> {
        let mut tx = self.db.write().await?;
        set(&mut tx, IDENTITY, identity.as_str()).await?;
        set(&mut tx, STATE, StreamState::Created.name()).await?;
        let subject = format!("event stream {identity}");
        audit::record(&mut tx, by, AuditAction::AdoptStream, &subject).await?;
        tx.commit().await
    }
}

async fn stored(tx: &mut Tx) -> StoreResult<Option<(StreamIdentity, StreamState)>> {
    let identity = value(tx, IDENTITY).await?;
    let state = value(tx, STATE).await?;
    let Some((identity, state)) = identity.zip(state) else {
        return Ok(None);
    };
    let damaged = |value: &str| StoreError::Damaged(format!("setting: '{value}'"));
    let known = StreamState::ALL;
    Ok(Some((
        identity.parse().map_err(|_| damaged(&identity))?,
        known
            .into_iter()
            .find(|one| one.name() == state)
            .ok_or_else(|| damaged(&state))?,
    )))
}

async fn value(tx: &mut Tx, name: &str) -> StoreResult<Option<String>> {
    let row: Option<(String,)> = tx
        .fetch_optional("SELECT value FROM setting WHERE name = ?", &params![name])
        .await?;
    Ok(row.map(|(value,)| value))
}

async fn set(tx: &mut Tx, name: &str, value: &str) -> StoreResult<()> {
    tx.execute(
        "UPDATE setting SET value = ? WHERE name = ?",
        &params![value, name],
    )
    .await?;
    Ok(())
}
