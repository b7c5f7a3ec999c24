//! The notifier: one suite for both adapters, and a consumer of notifications.

use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use balance_batch::execution::StepExecutionId;
use balance_redis::RedisNotifier;
use balance_service::jobs::notifier::{Notification, Notifier};
use balance_test_support::{
    servers::{PASSWORD, Servers},
    stream::identity,
};
use balance_worker::queue::{MemoryNotifier, NotificationBackend};
use futures_util::{FutureExt, future::BoxFuture};
use std::{sync::Arc, time::Duration};
use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};

/// The time limit of a notification.
const NOTIFICATION_TIMEOUT: Duration = Duration::from_secs(120);

/// A consumer that records notifications; dropping it ends the consumer.
pub(crate) struct Consumer {
    received: UnboundedReceiver<Notification>,
    _end: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), WorkerError>>,
}

macro_rules! consume {
    ($name:ident, $backend:expr, $sender:ident, $ended:ident) => {
        WorkerBuilder::new($name)
            .backend($backend)
            .data($sender)
            .build(record)
            .run_until($ended.map(|_| Ok::<(), WorkerError>(())))
            .boxed()
    };
}

async fn record(notify: Notification, sender: Data<UnboundedSender<Notification>>) {
    let _ = sender.send(notify);
}

impl Consumer {
    pub(crate) fn start(name: &str, backend: NotificationBackend) -> Self {
        let (sender, received) = unbounded_channel();
        let (end, ended) = oneshot::channel::<()>();
        let work: BoxFuture<'static, _> = match backend {
            NotificationBackend::Embedded(backend) => consume!(name, backend, sender, ended),
            NotificationBackend::Redis(queue) => consume!(name, queue.backend(), sender, ended),
        };
        #[expect(clippy::disallowed_methods, reason = "a test's own task")]
        let task = tokio::spawn(work);
        Self {
            received,
            _end: end,
            task,
        }
    }

    /// Returns the next notification.
    pub(crate) async fn next(&mut self) -> Notification {
        tokio::time::timeout(NOTIFICATION_TIMEOUT, self.received.recv())
            .await
            .expect("a notification within the time limit")
            .expect("the consumer is alive")
    }

    /// Returns the notifications received so far, without waiting.
    fn received_so_far(&mut self) -> Vec<Notification> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

pub(crate) fn notification_of(id: i64) -> Notification {
    Notification::StepExecution(StepExecutionId(id))
}

pub(crate) fn ids(range: std::ops::RangeInclusive<i64>) -> Vec<StepExecutionId> {
    range.map(StepExecutionId).collect()
}

/// Returns the shared servers. Their start blocks the thread.
pub(crate) async fn shared() -> Arc<Servers> {
    tokio::task::spawn_blocking(Servers::shared).await.unwrap()
}

/// A notifier, and the backend for a consumer.
struct Adapter {
    name: &'static str,
    queue: Arc<dyn Notifier>,
    backend: NotificationBackend,
}

/// Returns both adapters, without notifications.
fn adapters(servers: &Servers) -> [Adapter; 2] {
    let (embedded, backend) = MemoryNotifier::new();
    let url = servers.redis.url(PASSWORD, servers.next_database());
    let redis = RedisNotifier::open(&url, &identity()).unwrap();
    [
        Adapter {
            name: "in process",
            queue: Arc::new(embedded),
            backend: NotificationBackend::Embedded(backend),
        },
        Adapter {
            name: "Redis",
            queue: Arc::new(redis.clone()),
            backend: NotificationBackend::Redis(redis),
        },
    ]
}

/// Sends a last notification, and returns all notifications received before it.
async fn received_until_last(queue: &dyn Notifier, consumer: &mut Consumer) -> Vec<Notification> {
    const LAST: i64 = 1_000_000_000;
    queue.notify(&ids(LAST..=LAST), u32::MAX);
    let mut all = Vec::new();
    loop {
        match consumer.next().await {
            notify if notify == notification_of(LAST) => {
                all.extend(consumer.received_so_far());
                return all;
            }
            notify => all.push(notify),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_notification_is_received_as_often_as_it_is_sent() {
    let servers = shared().await;
    for adapter in adapters(&servers) {
        let Adapter {
            name,
            queue,
            backend,
        } = adapter;
        let mut consumer = Consumer::start("one", backend);
        queue.notify(&ids(1..=50), 1_000);
        queue.notify(&ids(50..=50), 1_000);
        queue.notify(&[], 1_000);
        queue.flush().await;
        let mut received: Vec<i64> = received_until_last(queue.as_ref(), &mut consumer)
            .await
            .into_iter()
            .map(|notify| match notify {
                Notification::StepExecution(id) => id.0,
                Notification::Foreign(text) => panic!("{name}: {text}"),
            })
            .collect();
        received.sort_unstable();
        let expected: Vec<i64> = (1..=50).chain([50]).collect();
        assert_eq!(received, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_notifications_than_the_window_wait() {
    const WINDOW: u32 = 20;
    let servers = shared().await;
    for adapter in adapters(&servers) {
        let Adapter {
            name,
            queue,
            backend,
        } = adapter;
        // Without a consumer all notifications wait.
        let mut notifiers = tokio::task::JoinSet::new();
        for number in 0..8 {
            let queue = Arc::clone(&queue);
            notifiers.spawn(async move {
                for n in 0..10 {
                    let first = 1 + number * 1_000 + n * 50;
                    queue.notify(&ids(first..=first + 49), WINDOW);
                }
            });
        }
        notifiers.join_all().await;
        queue.flush().await;
        let mut consumer = Consumer::start("one", backend);
        let received = received_until_last(queue.as_ref(), &mut consumer).await;
        assert_eq!(received.len(), 20, "{name}: {received:?}");
        // A consumed notification makes capacity for another.
        queue.notify(&ids(7..=7), WINDOW);
        assert_eq!(consumer.next().await, notification_of(7), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_receive_each_notification_once() {
    let servers = shared().await;
    let url = servers.redis.url(PASSWORD, servers.next_database());
    let queue = RedisNotifier::open(&url, &identity()).unwrap();
    let mut one = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    let mut two = Consumer::start("two", NotificationBackend::Redis(queue.clone()));
    queue.notify(&ids(1..=200), 1_000);
    let mut received = Vec::new();
    while received.len() < 200 {
        let notify = tokio::select! {
            notify = one.next() => notify,
            notify = two.next() => notify,
        };
        received.push(notify);
    }
    let mut expected: Vec<Notification> = (1..=200).map(notification_of).collect();
    for notify in &received {
        let position = expected.iter().position(|other| other == notify);
        expected.swap_remove(position.expect("no notification twice"));
    }
    assert!(expected.is_empty());
}
