//! The embedded intake: one writer task, which commits what arrives together in one transaction.

use crate::playback::intake::{Intake, IntakeError};
use async_trait::async_trait;
use balance_domain::calendar::BusinessTimezone;
use balance_store::{
    Store,
    playback::{IntakeAnswer, IntakeRequest, IntakeRules},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Requests that may wait for the writer. More are refused: the database is behind.
const WAITING: usize = 4_096;
/// Requests of one transaction.
const GROUP: usize = 256;
/// How long a request waits for its commit.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A request, and where its answer goes.
type Asked = (IntakeRequest, oneshot::Sender<Result<IntakeAnswer, String>>);

/// Takes in on the database itself: what is answered is in the history.
pub struct EmbeddedIntake {
    requests: mpsc::Sender<Asked>,
    store: Arc<Store>,
}

impl EmbeddedIntake {
    /// Starts the writer, which ends with the intake.
    #[must_use]
    pub fn start(store: Arc<Store>, rules: IntakeRules, timezone: BusinessTimezone) -> Self {
        let (requests, asked) = mpsc::channel(WAITING);
        // Detached: it ends when the last sender goes, with all that it was sent written.
        TaskTracker::new().spawn(write(Arc::clone(&store), rules, timezone, asked));
        Self { requests, store }
    }
}

#[async_trait]
impl Intake for EmbeddedIntake {
    async fn accept(&self, request: IntakeRequest) -> Result<IntakeAnswer, IntakeError> {
        let (answer, answered) = oneshot::channel();
        self.requests
            .try_send((request, answer))
            .map_err(|_| IntakeError::Backlog {
                backlog: u64::try_from(WAITING).unwrap_or(u64::MAX),
            })?;
        match tokio::time::timeout(ANSWER_LIMIT, answered).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(reason))) => Err(IntakeError::Unavailable(reason)),
            Ok(Err(_)) => Err(IntakeError::Unavailable("the writer has ended".to_owned())),
            Err(_) => Err(IntakeError::Unavailable(format!(
                "no answer within {} s",
                ANSWER_LIMIT.as_secs()
            ))),
        }
    }

    async fn readiness(&self) -> Result<(), IntakeError> {
        match self.store.closed_through().await {
            Ok(_) => Ok(()),
            Err(error) => Err(IntakeError::Unavailable(error.to_string())),
        }
    }
}

/// Writes group after group until nobody can ask any more.
async fn write(
    store: Arc<Store>,
    rules: IntakeRules,
    timezone: BusinessTimezone,
    mut asked: mpsc::Receiver<Asked>,
) {
    let mut group = Vec::with_capacity(GROUP);
    while asked.recv_many(&mut group, GROUP).await > 0 {
        // Whoever was told that nothing was acknowledged may have asked again.
        group.retain(|(_, answer): &Asked| !answer.is_closed());
        if group.is_empty() {
            continue;
        }
        let (requests, answers): (Vec<_>, Vec<_>) = group.drain(..).unzip();
        match store.accept(&requests, &rules, timezone).await {
            Ok(given) => {
                for (answer, given) in answers.into_iter().zip(given) {
                    // Whoever asked may have gone.
                    let _ = answer.send(Ok(given));
                }
            }
            Err(error) => {
                tracing::warn!(%error, requests = requests.len(), "not taken in");
                for answer in answers {
                    let _ = answer.send(Err(error.to_string()));
                }
            }
        }
    }
}
