//! The consumer: turns the queue's messages into rings for the crew.

use crate::crew::Crew;
use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use balance_core::{batch::execution::StepExecutionId, queue::EmbeddedBackend};
use std::sync::Arc;

/// Consumes until the worker is asked to end. Whatever ends it sooner costs latency only: the
/// dispatcher's poll finds the work.
pub(crate) async fn run(crew: Arc<Crew>, backend: EmbeddedBackend) {
    let ending = crew.ending.clone();
    let worker = WorkerBuilder::new(crew.settings.name.as_str())
        .backend(backend)
        .data(Arc::clone(&crew))
        .build(look);
    let ended = worker
        .run_until(async move {
            ending.cancelled().await;
            Ok::<(), WorkerError>(())
        })
        .await;
    if let Err(error) = ended
        && !crew.ending.is_cancelled()
    {
        tracing::warn!(%error, "the queue's consumer ended; polling goes on");
    }
}

/// A message says "look at this step execution", and nothing else.
async fn look(id: i64, crew: Data<Arc<Crew>>) {
    crew.ring(StepExecutionId(id));
}
