//! The embedded intake: one writer task that commits concurrent requests in one transaction.

use crate::{
    playback::intake::{Intake, IntakeError},
    supervision::supervise,
};
use async_trait::async_trait;
use balance_domain::calendar::BusinessTimezone;
use balance_store::{
    Store, StoreError,
    playback::{IntakeAnswer, IntakeRequest, Lifetimes},
};
use std::{
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{
        Mutex,
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The most requests that may wait for the writer. Further ones are rejected.
const MAX_WAITING: usize = 4_096;
/// The most requests of one transaction.
const GROUP: usize = 256;
/// How long a request waits for its commit.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The reasons for unavailability after the writer panicked.
const WRITER_ENDED: &str = "the writer of the intake has ended";
const WRITER_RESTARTS: &str = "the writer of the intake panicked and restarts";

/// The reason after a full disk rejected plays.
const DISK_FULL: &str = "the disk of the database is full";
/// How long a full disk is the reason. A server that is not ready may get no play that finds space.
const DISK_FULL_FOR: Duration = Duration::from_secs(10);

/// A request and the channel for its answer.
type PendingRequest = (
    IntakeRequest,
    oneshot::Sender<Result<IntakeAnswer, IntakeError>>,
);

/// An intake that writes to the database itself. An acknowledged event is in the history.
pub struct EmbeddedIntake {
    requests: mpsc::Sender<PendingRequest>,
    store: Arc<Store>,
    timezone: BusinessTimezone,
    /// The writer task.
    tasks: TaskTracker,
    /// Whether the writer panicked and waits for its restart.
    has_panicked: Arc<AtomicBool>,
    disk: Arc<Disk>,
}

/// When the disk was full, if the last write failed for that reason.
#[derive(Default)]
struct Disk(StdMutex<Option<Instant>>);

impl Disk {
    fn record(&self, is_full: bool) {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *full_at = is_full.then(Instant::now);
    }

    fn is_full(&self) -> bool {
        let full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        full_at.is_some_and(|at| at.elapsed() < DISK_FULL_FOR)
    }
}

impl EmbeddedIntake {
    /// Starts the writer. It ends when the intake is dropped and all accepted requests are written.
    #[must_use]
    pub fn start(store: Arc<Store>, lifetimes: Lifetimes, timezone: BusinessTimezone) -> Self {
        let (requests, pending) = mpsc::channel(MAX_WAITING);
        let tasks = TaskTracker::new();
        let has_panicked = Arc::new(AtomicBool::new(false));
        let writer = Arc::clone(&has_panicked);
        let disk = Arc::new(Disk::default());
        let (writing_to, on_disk) = (Arc::clone(&store), Arc::clone(&disk));
        tasks.spawn(async move {
            // The requests that wait outlive a panic. One writer locks them at a time.
            let pending = Mutex::new(pending);
            let run = || {
                writer.store(false, Ordering::SeqCst);
                write(&writing_to, lifetimes, timezone, &pending, &on_disk)
            };
            let panicked = || writer.store(true, Ordering::SeqCst);
            supervise("intake writer", &CancellationToken::new(), run, panicked).await;
        });
        Self {
            requests,
            store,
            timezone,
            tasks,
            has_panicked,
            disk,
        }
    }
}

#[async_trait]
impl Intake for EmbeddedIntake {
    async fn accept(&self, request: IntakeRequest) -> Result<IntakeAnswer, IntakeError> {
        let (answer, answered) = oneshot::channel();
        self.requests
            .try_send((request, answer))
            .map_err(send_error)?;
        match tokio::time::timeout(ANSWER_LIMIT, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(IntakeError::Unavailable(WRITER_RESTARTS.to_owned())),
            Err(_) => Err(IntakeError::Unavailable(format!(
                "no answer within {} s",
                ANSWER_LIMIT.as_secs()
            ))),
        }
    }

    async fn readiness(&self) -> Result<(), IntakeError> {
        if self.tasks.is_empty() {
            return Err(IntakeError::Unavailable(WRITER_ENDED.to_owned()));
        }
        if self.has_panicked.load(Ordering::SeqCst) {
            return Err(IntakeError::NotWritable(WRITER_RESTARTS));
        }
        if self.disk.is_full() {
            return Err(IntakeError::NotWritable(DISK_FULL));
        }
        let checked = self.store.check_intake_clock(self.timezone).await;
        checked.map_err(|error| intake_error(&error))
    }
}

/// Writes group after group until the intake is dropped.
async fn write(
    store: &Store,
    lifetimes: Lifetimes,
    timezone: BusinessTimezone,
    pending: &Mutex<mpsc::Receiver<PendingRequest>>,
    disk: &Disk,
) {
    let mut pending = pending.lock().await;
    let mut group = Vec::with_capacity(GROUP);
    while pending.recv_many(&mut group, GROUP).await > 0 {
        let (requests, answers): (Vec<_>, Vec<oneshot::Sender<_>>) = group.drain(..).unzip();
        // A client whose request timed out may have retried it, so an abandoned request is skipped, also
        // after the wait for the database.
        let is_wanted = |position: usize| !answers[position].is_closed();
        if !(0..answers.len()).any(is_wanted) {
            continue;
        }
        let accepted = store.accept_wanted(&requests, &lifetimes, timezone, is_wanted);
        let accepted = accepted.await;
        disk.record(matches!(accepted, Err(StoreError::DiskFull)));
        match accepted {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    if let Some(result) = result {
                        // Fails if the client has disconnected.
                        let _ = answer.send(Ok(result));
                    }
                }
            }
            Err(error) => {
                let requests = requests.len();
                tracing::warn!(%error, requests, "failed to persist plays and pauses");
                for answer in answers {
                    let _ = answer.send(Err(intake_error(&error)));
                }
            }
        }
    }
}

/// Only the reason of an unusable store is shown to clients: it names no address.
fn intake_error(error: &StoreError) -> IntakeError {
    match error {
        StoreError::Unusable(reason) => IntakeError::Unusable(reason.clone()),
        error => IntakeError::Unavailable(error.to_string()),
    }
}

fn send_error<T>(error: TrySendError<T>) -> IntakeError {
    match error {
        TrySendError::Full(_) => IntakeError::Backlog {
            backlog: u64::try_from(MAX_WAITING).unwrap_or(u64::MAX),
        },
        TrySendError::Closed(_) => IntakeError::Unavailable(WRITER_ENDED.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_a_backlog_and_an_ended_writer_is_unavailable() {
        let (requests, pending) = mpsc::channel(1);
        requests.try_send(()).unwrap();
        let full = requests.try_send(()).unwrap_err();
        assert!(matches!(send_error(full), IntakeError::Backlog { .. }));
        drop(pending);
        let closed = requests.try_send(()).unwrap_err();
        assert!(matches!(send_error(closed), IntakeError::Unavailable(_)));
    }
}
