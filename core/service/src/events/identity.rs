//! The check that a server holds the event stream of the database. Without it a day could be settled
//! without its events, or with those of another database.

use crate::events::stream::{EventStream, Found, Renamed, StreamError};
use balance_store::{
    Store, StoreError,
    events::{StreamIdentity, StreamLayout, StreamState},
    operations::Actor,
};

/// The setting that holds the name of the server that receives the stream of a new database.
const STREAM_ORIGIN: &str = "stream_origin";

/// The reason why an event stream cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The server lost the streams, or it is the server of another database.
    #[error(
        "this server has no event stream {identity}, the identity in the database; it has {}",
        list(others)
    )]
    Missing {
        identity: StreamIdentity,
        others: Vec<StreamIdentity>,
    },
    /// The database is new, and the server holds streams of others.
    #[error(
        "the database has no event stream yet; this server has {}; `balance events adopt --identity` \
         continues one",
        list(others)
    )]
    Unadopted { others: Vec<StreamIdentity> },
    /// A process of a version without identities wrote to its stream after the upgrade.
    #[error(
        "the streams {0} both exist: a process of an older version runs; stop it, then delete the one \
         without events"
    )]
    TwoStreams(String),
    /// A process of an older version created its streams again after the upgrade.
    #[error(
        "the event stream {identity} is sharded by viewer, but the shards {} have a stream of the \
         layout by video again: a process of an older version runs, or a failover lost the upgrade; \
         stop the processes and see \"Upgrades\" in docs/operations.md",
        numbers(shards)
    )]
    TwoLayouts {
        identity: StreamIdentity,
        shards: Vec<u16>,
    },
    /// The first start of another process has chosen another server.
    #[error(
        "another process creates the event stream {0} on another server; correct REDIS_URL, or run \
         `balance events adopt` if that server is gone"
    )]
    OtherServer(StreamIdentity),
    /// There is nothing to adopt.
    #[error("the event stream {0} is complete")]
    Complete(StreamIdentity),
    /// The database has received events of its own stream.
    #[error("the database has the event stream {0}; only a new database can adopt another one")]
    InUse(StreamIdentity),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the text for the identities of other databases.
#[must_use]
pub fn list(others: &[StreamIdentity]) -> String {
    match others {
        [] => "none".to_owned(),
        others => {
            let others: Vec<&str> = others.iter().map(StreamIdentity::as_str).collect();
            others.join(", ")
        }
    }
}

fn numbers(shards: &[u16]) -> String {
    let shards: Vec<String> = shards.iter().map(ToString::to_string).collect();
    shards.join(", ")
}

/// Checks that the server holds the stream of the database, and returns its layout. The first call for
/// a database creates the stream. Workers upgrade a stream with the layout by video.
///
/// # Errors
/// If the stream is missing or exists twice, or the server or the store is unavailable.
pub async fn require_stream(
    store: &Store,
    stream: &dyn EventStream,
) -> Result<StreamLayout, IdentityError> {
    let (identity, state) = store.stream_identity().await?;
    let renamed = match state {
        StreamState::Unnamed => stream.rename_unnamed().await?,
        StreamState::New | StreamState::Created => Renamed::None,
    };
    if let Renamed::Conflict(streams) = renamed {
        return Err(IdentityError::TwoStreams(streams));
    }
    let layout = store.stream_layout().await?;
    let found = stream.found().await?;
    check_layout(&identity, layout, stream.shards(), &found)?;
    let is_lost = match layout {
        StreamLayout::ByVideo => found.is_any_lost(),
        StreamLayout::ByViewer => !found.missing.is_empty(),
    };
    if is_lost && state != StreamState::New && renamed == Renamed::None {
        return Err(IdentityError::Missing {
            identity,
            others: found.others,
        });
    }
    if state == StreamState::New {
        // The database names one server before any stream exists: of processes that start first, with
        // different servers, one creates the stream, and the others are rejected.
        let origin = stream.origin(StreamIdentity::random().as_str()).await?;
        if store.setting_or_insert(STREAM_ORIGIN, &origin).await? != origin {
            return Err(IdentityError::OtherServer(identity));
        }
    }
    // These calls also register the identity on the server.
    match state {
        StreamState::Created => return Ok(layout),
        StreamState::Unnamed => stream.create_by_video().await?,
        StreamState::New => stream.create().await?,
    }
    store.record_stream_created().await?;
    if state == StreamState::New {
        store.record_stream_by_viewer().await?;
        return Ok(StreamLayout::ByViewer);
    }
    Ok(layout)
}

/// Rejects streams of both layouts: their entries and counts are never merged.
fn check_layout(
    identity: &StreamIdentity,
    layout: StreamLayout,
    shards: u16,
    found: &Found,
) -> Result<(), IdentityError> {
    let has_by_viewer = found.missing.len() < usize::from(shards);
    if !found.by_video.is_empty() && (layout == StreamLayout::ByViewer || has_by_viewer) {
        return Err(IdentityError::TwoLayouts {
            identity: identity.clone(),
            shards: found.by_video.clone(),
        });
    }
    Ok(())
}

/// Checks that a new database has adopted the stream that it is to receive again.
///
/// # Errors
/// If it has not, or the server or the store is unavailable.
pub async fn require_adopted(store: &Store, stream: &dyn EventStream) -> Result<(), IdentityError> {
    let (_, state) = store.stream_identity().await?;
    let found = stream.found().await?;
    if state == StreamState::New && !found.missing.is_empty() && !found.others.is_empty() {
        return Err(IdentityError::Unadopted {
            others: found.others,
        });
    }
    Ok(())
}

/// Creates the streams that a server lost, without entries. The events that were not persisted are
/// lost. A server that holds streams of other databases is rejected, unless `is_shared` is set.
///
/// # Errors
/// If no stream is missing, or the server or the store is unavailable.
pub async fn adopt_empty(
    store: &Store,
    stream: &dyn EventStream,
    is_shared: bool,
    by: &Actor,
) -> Result<StreamIdentity, IdentityError> {
    let (identity, _) = store.stream_identity().await?;
    let layout = store.stream_layout().await?;
    let found = stream.found().await?;
    check_layout(&identity, layout, stream.shards(), &found)?;
    let is_upgrading = layout == StreamLayout::ByVideo && found.has_by_video();
    if found.missing.is_empty() || is_upgrading && !found.is_any_lost() {
        return Err(IdentityError::Complete(identity));
    }
    if !found.others.is_empty() && !is_shared {
        return Err(IdentityError::Missing {
            identity,
            others: found.others,
        });
    }
    store.adopt_stream(&identity, by).await?;
    if is_upgrading {
        stream.create_by_video().await?;
    } else {
        if found.has_by_video() {
            // A failover lost a part of the upgrade: its streams, and perhaps some moved keys.
            stream.move_keys().await?;
        }
        stream.create().await?;
    }
    Ok(identity)
}

/// Gives the database a stream of its own, with a new identity: for a copy of another database. `stream`
/// has the new identity.
///
/// # Errors
/// If the server or the store is unavailable.
pub async fn adopt_new(
    store: &Store,
    stream: &dyn EventStream,
    by: &Actor,
) -> Result<(), IdentityError> {
    stream.create().await?;
    Ok(store.adopt_stream(stream.identity(), by).await?)
}

/// Adopts the stream of a database that was lost, into a new database or into a backup of a version
/// without identities. `stream` has its identity.
///
/// # Errors
/// If the database has received events, the server lacks the stream, or the server or the store is
/// unavailable.
pub async fn adopt_existing(
    store: &Store,
    stream: &dyn EventStream,
    by: &Actor,
) -> Result<(), IdentityError> {
    let (identity, state) = store.stream_identity().await?;
    if state == StreamState::Created {
        return Err(IdentityError::InUse(identity));
    }
    let found = stream.found().await?;
    if found.is_any_lost() {
        return Err(IdentityError::Missing {
            identity: stream.identity().clone(),
            others: found.others,
        });
    }
    Ok(store.adopt_stream(stream.identity(), by).await?)
}
