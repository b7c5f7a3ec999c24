//! The transactions of an import that runs.

use crate::{
    Store, StoreResult,
    import::{ImportId, gap::Gap, liveness::Liveness, record::require_running},
    sql::tx::Tx,
};
use std::time::Duration;
use tokio::time::Instant;

/// How long a transaction takes rows: other writers of an SQLite file wait meanwhile.
const FILE_LIMIT: Duration = Duration::from_millis(20);
/// The same on a server, where only events with ad views of the same viewers wait.
const SERVER_LIMIT: Duration = Duration::from_millis(200);

/// The transactions of an import.
pub(super) struct Writes<'a> {
    store: &'a Store,
    id: ImportId,
    liveness: Liveness,
    gap: Gap,
    /// The transaction that takes the next rows.
    open: Option<Open>,
}

/// An open transaction and its begin.
pub(super) struct Open {
    pub(super) tx: Tx,
    since: Instant,
}

impl<'a> Writes<'a> {
    pub(super) fn new(store: &'a Store, id: ImportId, liveness: Liveness) -> Self {
        Self {
            store,
            id,
            liveness,
            gap: Gap::default(),
            open: None,
        }
    }

    /// Returns the transaction that takes the next rows.
    pub(super) async fn begin(&mut self) -> StoreResult<Open> {
        if let Some(open) = self.open.take() {
            return Ok(open);
        }
        self.gap.wait(&self.store.db).await;
        self.liveness.keep().await?;
        let mut tx = self.store.db.write().await?;
        let since = Instant::now();
        require_running(&mut tx, self.id).await?;
        Ok(Open { tx, since })
    }

    /// Commits a transaction, or keeps it for further rows if it has just begun.
    pub(super) async fn end(&mut self, open: Open) -> StoreResult<()> {
        let limit = match &open.tx {
            Tx::Sqlite(..) => FILE_LIMIT,
            Tx::MySql(..) => SERVER_LIMIT,
        };
        self.open = Some(open);
        match &self.open {
            Some(open) if open.since.elapsed() < limit => Ok(()),
            _ => self.flush().await,
        }
    }

    /// Commits the open transaction, if any.
    pub(super) async fn flush(&mut self) -> StoreResult<()> {
        match self.open.take() {
            Some(open) => open.tx.commit().await,
            None => Ok(()),
        }
    }

    /// Returns the transaction that records the completion. The import is alive until its end, or until the
    /// second value is dropped.
    pub(super) async fn last(mut self) -> StoreResult<(Tx, Option<Liveness>)> {
        if matches!(self.liveness, Liveness::Row(_)) {
            self.flush().await?;
        }
        match self.liveness {
            // The transaction has locked the record.
            Liveness::Row(tx) => Ok((tx, None)),
            Liveness::File(_) => {
                let open = self.begin().await?;
                Ok((open.tx, Some(self.liveness)))
            }
        }
    }

    pub(super) const fn store(&self) -> &'a Store {
        self.store
    }

    pub(super) const fn id(&self) -> ImportId {
        self.id
    }
}
