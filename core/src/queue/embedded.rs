//! The embedded queue: apalis' memory storage over a bounded channel.

use super::Ring;
use crate::{batch::execution::StepExecutionId, port::queue::Queue};
use apalis::prelude::{MemorySink, MemoryStorage, MemoryStorageError, Task, TaskBuilder};
use async_trait::async_trait;
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt, lock::Mutex};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};

/// What a worker consumes: the ids of step executions to look at.
pub type EmbeddedBackend = MemoryStorage<Ring>;

/// Rings that may wait. More are dropped: workers find the work without them.
const CAPACITY: usize = 1_000;

/// Rings the workers of this process.
pub struct EmbeddedQueue {
    /// One sender, behind a lock: every clone of it would bring a place of its own in the channel.
    sender: SyncMutex<mpsc::Sender<Task<Ring>>>,
}

impl EmbeddedQueue {
    /// A queue, and the backend for its one consumer.
    #[must_use]
    pub fn new() -> (Self, EmbeddedBackend) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        let sink = sender.clone().sink_map_err(MemoryStorageError::from);
        let backend = MemoryStorage::new_with(
            MemorySink::new(Arc::new(Mutex::new(Box::new(sink)))),
            receiver.boxed(),
        );
        let sender = SyncMutex::new(sender);
        (Self { sender }, backend)
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    fn ring(&self, ids: &[StepExecutionId], window: u32) {
        let window = usize::try_from(window).unwrap_or(usize::MAX);
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids.iter().take(window) {
            let ring = TaskBuilder::new(Ring::StepExecution(*id)).build();
            if sender.try_send(ring).is_err() {
                // Enough rings wait already, or nobody listens.
                return;
            }
        }
    }

    async fn flush(&self) {}
}
