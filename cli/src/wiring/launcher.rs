//! The launcher and the queue of its notifications.

use crate::wiring::App;
use balance_service::jobs::{launcher::Launcher, notifier::Notifier};
use balance_store::operations::Actor;
use balance_worker::queue::{MemoryNotifier, NotificationBackend};
use std::sync::Arc;

impl App {
    /// Returns a launcher, and the backend that receives its notifications.
    pub(crate) fn launcher(&self) -> (Launcher, NotificationBackend) {
        let (notifier, backend): (Arc<dyn Notifier>, NotificationBackend) =
            match &self.fleet_notifier {
                Some(redis) => (
                    Arc::new(redis.clone()),
                    NotificationBackend::Redis(redis.clone()),
                ),
                None => {
                    let (memory, backend) = MemoryNotifier::new();
                    (Arc::new(memory), NotificationBackend::Embedded(backend))
                }
            };
        let launcher = Launcher {
            store: Arc::clone(&self.store),
            notifier,
            clock: Arc::clone(&self.clock),
            timezone: self.timezone,
            partitions: self.settings.processing.partitions(),
            actor: Actor::Console,
        };
        (launcher, backend)
    }
}
