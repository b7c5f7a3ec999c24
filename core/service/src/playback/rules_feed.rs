//! The rules of plays in a running process, for an intake outside of the database: read from the
//! database every two seconds, so that a change needs no restart.

use crate::supervision::supervise;
use balance_store::{
    Store, StoreError, StoreResult,
    playback::{ActiveRules, RulesVersion},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// The period in which the rules are read.
const PERIOD: Duration = Duration::from_secs(2);

/// The rules of plays and the ads, as the database last contained them. While the database is
/// unavailable they stay as they are.
pub struct RulesFeed {
    rules: watch::Receiver<Arc<ActiveRules>>,
    /// The task that reads. It ends when the feed is dropped.
    _reader: JoinSet<()>,
}

impl RulesFeed {
    /// Reads the rules, and again every two seconds until the feed is dropped.
    ///
    /// # Errors
    /// If the database has no rules yet, or the store fails.
    pub async fn start(store: Arc<Store>) -> StoreResult<Self> {
        let (sender, rules) = watch::channel(Arc::new(active(&store).await?));
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            let run = || read(&store, &sender);
            let stopping = CancellationToken::new();
            supervise("reader of the play rules", &stopping, run, || {}).await;
        });
        Ok(Self {
            rules,
            _reader: reader,
        })
    }

    /// Returns rules that never change.
    #[must_use]
    pub fn fixed(rules: ActiveRules) -> Self {
        let (_, rules) = watch::channel(Arc::new(rules));
        Self {
            rules,
            _reader: JoinSet::new(),
        }
    }

    /// Returns the current rules and ads.
    #[must_use]
    pub fn current(&self) -> Arc<ActiveRules> {
        Arc::clone(&self.rules.borrow())
    }
}

async fn active(store: &Store) -> StoreResult<ActiveRules> {
    let none = || StoreError::Unusable("the database has no rules of plays yet".to_owned());
    store.active_rules().await?.ok_or_else(none)
}

/// Reads the rules period after period.
async fn read(store: &Store, sender: &watch::Sender<Arc<ActiveRules>>) {
    let mut is_failing = false;
    loop {
        tokio::time::sleep(PERIOD).await;
        match active(store).await {
            Ok(rules) => {
                is_failing = false;
                publish(sender, rules);
            }
            // One line for each outage.
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::warn!(%error, "failed to read the play rules; the last ones stay in use");
            }
            Err(_) => {}
        }
    }
}

/// Replaces the rules if they have changed.
fn publish(sender: &watch::Sender<Arc<ActiveRules>>, rules: ActiveRules) {
    let is_new = sender.borrow().current.version != rules.current.version;
    if is_new {
        let RulesVersion { version, rules, .. } = rules.current;
        tracing::info!(version, %rules, "new play rules");
    }
    sender.send_if_modified(|current| {
        let is_changed = **current != rules;
        if is_changed {
            *current = Arc::new(rules);
        }
        is_changed
    });
}
