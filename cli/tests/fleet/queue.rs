//! The queue: one suite on both adapters, and a consumer to hear with.

use crate::servers::{PASSWORD, Servers};
use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use balance_batch::execution::StepExecutionId;
use balance_redis::{Notification, RedisNotifier};
use balance_service::jobs::notifier::Notifier;
use balance_worker::queue::{MemoryNotifier, NotificationBackend};
use futures_util::{FutureExt, future::BoxFuture};
use std::{sync::Arc, time::Duration};
use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};

/// Nobody waits longer for a ring.
const LONGEST: Duration = Duration::from_secs(120);

/// A consumer that tells what it hears; ends with its value.
pub(crate) struct Consumer {
    heard: UnboundedReceiver<Notification>,
    _end: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), WorkerError>>,
}

macro_rules! consume {
    ($name:ident, $backend:expr, $sender:ident, $ended:ident) => {
        WorkerBuilder::new($name)
            .backend($backend)
            .data($sender)
            .build(hear)
            .run_until($ended.map(|_| Ok::<(), WorkerError>(())))
            .boxed()
    };
}

async fn hear(notify: Notification, sender: Data<UnboundedSender<Notification>>) {
    let _ = sender.send(notify);
}

impl Consumer {
    pub(crate) fn start(name: &str, backend: NotificationBackend) -> Self {
        let (sender, heard) = unbounded_channel();
        let (end, ended) = oneshot::channel::<()>();
        let work: BoxFuture<'static, _> = match backend {
            NotificationBackend::Embedded(backend) => consume!(name, backend, sender, ended),
            NotificationBackend::Redis(queue) => consume!(name, queue.backend(), sender, ended),
        };
        #[expect(clippy::disallowed_methods, reason = "a test's own task")]
        let task = tokio::spawn(work);
        Self {
            heard,
            _end: end,
            task,
        }
    }

    /// The next ring.
    pub(crate) async fn next(&mut self) -> Notification {
        tokio::time::timeout(LONGEST, self.heard.recv())
            .await
            .expect("a ring in time")
            .expect("the consumer lives")
    }

    /// What was heard until now, without waiting.
    fn heard_so_far(&mut self) -> Vec<Notification> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

pub(crate) fn ring_of(id: i64) -> Notification {
    Notification::StepExecution(StepExecutionId(id))
}

pub(crate) fn ids(range: std::ops::RangeInclusive<i64>) -> Vec<StepExecutionId> {
    range.map(StepExecutionId).collect()
}

/// The servers of all tests; starting them blocks.
pub(crate) async fn shared() -> Arc<Servers> {
    tokio::task::spawn_blocking(Servers::shared).await.unwrap()
}

/// A queue without a consumer, and what one needs.
struct Adapter {
    name: &'static str,
    queue: Arc<dyn Notifier>,
    backend: NotificationBackend,
}

/// Every adapter, empty.
fn adapters(servers: &Servers) -> [Adapter; 2] {
    let (embedded, backend) = MemoryNotifier::new();
    let url = servers.redis.url(PASSWORD, servers.next_place());
    let redis = RedisNotifier::open(&url).unwrap();
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

/// Rings a last one, and answers all that was heard before it.
async fn heard_until_last(queue: &dyn Notifier, consumer: &mut Consumer) -> Vec<Notification> {
    const LAST: i64 = 1_000_000_000;
    queue.notify(&ids(LAST..=LAST), u32::MAX);
    let mut all = Vec::new();
    loop {
        match consumer.next().await {
            notify if notify == ring_of(LAST) => {
                all.extend(consumer.heard_so_far());
                return all;
            }
            notify => all.push(notify),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ring_is_heard_and_twice_if_rung_twice() {
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
        let mut heard: Vec<i64> = heard_until_last(queue.as_ref(), &mut consumer)
            .await
            .into_iter()
            .map(|notify| match notify {
                Notification::StepExecution(id) => id.0,
                Notification::Foreign(text) => panic!("{name}: {text}"),
            })
            .collect();
        heard.sort_unstable();
        let expected: Vec<i64> = (1..=50).chain([50]).collect();
        assert_eq!(heard, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_the_window_wait_whoever_rings() {
    const WINDOW: u32 = 20;
    let servers = shared().await;
    for adapter in adapters(&servers) {
        let Adapter {
            name,
            queue,
            backend,
        } = adapter;
        // Nobody consumes: all that is rung waits.
        let mut ringers = tokio::task::JoinSet::new();
        for ringer in 0..8 {
            let queue = Arc::clone(&queue);
            ringers.spawn(async move {
                for n in 0..10 {
                    let first = 1 + ringer * 1_000 + n * 50;
                    queue.notify(&ids(first..=first + 49), WINDOW);
                }
            });
        }
        ringers.join_all().await;
        queue.flush().await;
        let mut consumer = Consumer::start("one", backend);
        let heard = heard_until_last(queue.as_ref(), &mut consumer).await;
        assert_eq!(heard.len(), 20, "{name}: {heard:?}");
        // What was taken makes room.
        queue.notify(&ids(7..=7), WINDOW);
        assert_eq!(consumer.next().await, ring_of(7), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_hear_each_ring_once_between_them() {
    let servers = shared().await;
    let url = servers.redis.url(PASSWORD, servers.next_place());
    let queue = RedisNotifier::open(&url).unwrap();
    let mut one = Consumer::start("one", NotificationBackend::Redis(queue.clone()));
    let mut two = Consumer::start("two", NotificationBackend::Redis(queue.clone()));
    queue.notify(&ids(1..=200), 1_000);
    let mut heard = Vec::new();
    while heard.len() < 200 {
        let notify = tokio::select! {
            notify = one.next() => notify,
            notify = two.next() => notify,
        };
        heard.push(notify);
    }
    let mut expected: Vec<Notification> = (1..=200).map(ring_of).collect();
    for notify in &heard {
        let env = expected.iter().position(|other| other == notify);
        expected.swap_remove(env.expect("no ring twice"));
    }
    assert!(expected.is_empty());
}
