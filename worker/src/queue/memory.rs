//! The in-memory queue of one process: the memory storage of apalis over a bounded channel.

use apalis::prelude::{MemorySink, MemoryStorage, MemoryStorageError, Task, TaskBuilder};
use async_trait::async_trait;
use balance_batch::execution::StepExecutionId;
use balance_service::jobs::notifier::{Notification, Notifier, NotifierError};
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt, lock::Mutex};
use std::sync::{
    Arc, Mutex as SyncMutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

/// The consuming end of the queue. A message carries the id of a step execution.
pub type MemoryBackend = MemoryStorage<Notification>;

/// The most waiting notifications. Further ones are dropped, and the workers' poll finds the work.
const CAPACITY: usize = 1_000;

/// Notifies the workers of this process.
pub struct MemoryNotifier {
    /// A single sender behind a lock, because each clone would add a slot to the channel.
    sender: SyncMutex<mpsc::Sender<Task<Notification>>>,
    /// The number of waiting notifications.
    waiting: Arc<AtomicU32>,
}

impl MemoryNotifier {
    /// Creates a queue and the backend for its single consumer.
    #[must_use]
    pub fn new() -> (Self, MemoryBackend) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let waiting = Arc::new(AtomicU32::new(0));
        let consumed = Arc::clone(&waiting);
        let sink = sender.clone().sink_map_err(MemoryStorageError::from);
        let backend = MemoryStorage::new_with(
            MemorySink::new(Arc::new(Mutex::new(Box::new(sink)))),
            receiver
                .inspect(move |_| {
                    consumed.fetch_sub(1, Ordering::SeqCst);
                })
                .boxed(),
        );
        let notifier = Self {
            sender: SyncMutex::new(sender),
            waiting,
        };
        (notifier, backend)
    }
}

#[async_trait]
impl Notifier for MemoryNotifier {
    fn notify(&self, ids: &[StepExecutionId], window: u32) {
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if self.waiting.load(Ordering::SeqCst) >= window {
                return;
            }
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let task = TaskBuilder::new(Notification::StepExecution(*id)).build();
            if sender.try_send(task).is_err() {
                // The channel is full, or its consumer has ended.
                self.waiting.fetch_sub(1, Ordering::SeqCst);
                return;
            }
        }
    }

    async fn waiting(&self) -> Result<u64, NotifierError> {
        Ok(self.waiting.load(Ordering::SeqCst).into())
    }

    async fn flush(&self) {}
}
