//! The embedded queue: apalis' memory storage over a bounded channel.

use crate::{
    batch::execution::StepExecutionId,
    port::queue::{Queue, QueueError},
};
use apalis::prelude::{MemorySink, MemoryStorage, MemoryStorageError, Task, TaskBuilder};
use async_trait::async_trait;
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt, lock::Mutex};
use std::sync::Arc;

/// What a worker consumes: the ids of step executions to look at.
pub type EmbeddedBackend = MemoryStorage<i64>;

/// Rings that may wait. More are dropped: workers find the work without them.
const CAPACITY: usize = 1_000;

/// Rings the workers of this process.
pub struct EmbeddedQueue {
    sender: mpsc::Sender<Task<i64>>,
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
        (Self { sender }, backend)
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn ring(&self, id: StepExecutionId) -> Result<(), QueueError> {
        match self.sender.clone().try_send(TaskBuilder::new(id.0).build()) {
            Ok(()) => Ok(()),
            // Enough rings wait already.
            Err(error) if error.is_full() => Ok(()),
            Err(error) => Err(QueueError(error.to_string())),
        }
    }
}
