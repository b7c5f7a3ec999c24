//! The embedded queue: apalis' memory storage over a bounded channel.

use apalis::prelude::{MemorySink, MemoryStorage, MemoryStorageError, Task, TaskBuilder};
use async_trait::async_trait;
use balance_batch::execution::StepExecutionId;
use balance_redis::Notification;
use balance_service::jobs::notifier::{Notifier, NotifierError};
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt, lock::Mutex};
use std::sync::{
    Arc, Mutex as SyncMutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

/// What a worker consumes: the ids of step executions to look at.
pub type MemoryBackend = MemoryStorage<Notification>;

/// Rings that may wait. More are dropped: workers find the work without them.
const CAPACITY: usize = 1_000;

/// Rings the workers of this process.
pub struct MemoryNotifier {
    /// One sender, behind a lock: every clone of it would bring a place of its own in the channel.
    sender: SyncMutex<mpsc::Sender<Task<Notification>>>,
    /// Rings that wait.
    waiting: Arc<AtomicU32>,
}

impl MemoryNotifier {
    /// A queue, and the backend for its one consumer.
    #[must_use]
    pub fn new() -> (Self, MemoryBackend) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let waiting = Arc::new(AtomicU32::new(0));
        let taken = Arc::clone(&waiting);
        let sink = sender.clone().sink_map_err(MemoryStorageError::from);
        let backend = MemoryStorage::new_with(
            MemorySink::new(Arc::new(Mutex::new(Box::new(sink)))),
            receiver
                .inspect(move |_| {
                    taken.fetch_sub(1, Ordering::SeqCst);
                })
                .boxed(),
        );
        let queue = Self {
            sender: SyncMutex::new(sender),
            waiting,
        };
        (queue, backend)
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
            let notify = TaskBuilder::new(Notification::StepExecution(*id)).build();
            if sender.try_send(notify).is_err() {
                // Full, or nobody listens any more.
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
