//! An audience: people who play and pause all the time, and write down what they were answered.
//! Whatever dies meanwhile, what was acknowledged must be in the history, once.

use super::{
    client::{Client, Reply},
    program::until,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Where every pause is, in seconds: within the grace that the clock allows at once.
const PAUSED_AT_S: i64 = 3;
/// How long somebody waits who was told to come again.
const AGAIN: Duration = Duration::from_millis(50);

/// What somebody does with a video; each does each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    Play,
    Pause,
}

/// A deed of a user with a video: what a row of the history is of.
pub(crate) type Key = (i64, i64, Deed);

/// What the audience remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What was answered with 200, and how.
    pub(crate) acknowledged: BTreeMap<Key, Reply>,
    /// What was asked for and never answered, or with a 503.
    pub(crate) unknown: BTreeSet<Key>,
}

/// People, videos, and where to play them.
struct Audience {
    client: Client,
    viewers: Vec<(i64, String)>,
    videos: Vec<i64>,
    /// How long each waits between two deeds.
    pace: Duration,
}

impl Audience {
    /// So many viewers and videos are registered; each viewer waits so long between two deeds.
    async fn gather(client: Client, viewers: usize, videos: usize, pace: Duration) -> Self {
        let (_, owner) = client.user("owner").await;
        let mut titles = Vec::new();
        for number in 0..videos {
            titles.push(client.video(&owner, &format!("film {number}"), 600).await);
        }
        let mut people = Vec::new();
        for number in 0..viewers {
            people.push(client.user(&format!("viewer{number}")).await);
        }
        Self {
            client,
            viewers: people,
            videos: titles,
            pace,
        }
    }

    /// Everybody plays and pauses video after video until `is_over` or there are no more. A third
    /// of those who are not answered give up; the others ask again by the same name.
    async fn watch(
        self: &Arc<Self>,
        is_over: &Arc<AtomicBool>,
        acknowledged: &Arc<AtomicUsize>,
    ) -> Memory {
        let mut people = JoinSet::new();
        for viewer in 0..self.viewers.len() {
            let (audience, is_over) = (Arc::clone(self), Arc::clone(is_over));
            let acknowledged = Arc::clone(acknowledged);
            people.spawn(async move { audience.visit(viewer, &is_over, &acknowledged).await });
        }
        let mut all = Memory::default();
        for memory in people.join_all().await {
            all.acknowledged.extend(memory.acknowledged);
            all.unknown.extend(memory.unknown);
        }
        all
    }

    async fn visit(&self, viewer: usize, is_over: &AtomicBool, count: &AtomicUsize) -> Memory {
        let mut memory = Memory::default();
        let (user_id, _) = self.viewers[viewer];
        for (number, video) in self.videos.iter().enumerate() {
            for deed in [Deed::Play, Deed::Pause] {
                if is_over.load(Ordering::Relaxed) {
                    return memory;
                }
                tokio::time::sleep(self.pace).await;
                let key = (user_id, *video, deed);
                let gives_up = (viewer + number).is_multiple_of(3);
                match self.insist(viewer, key, gives_up, is_over).await {
                    Some(reply) => {
                        memory.acknowledged.insert(key, reply);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    None => {
                        memory.unknown.insert(key);
                        // Without its play a pause would be no more than a conflict.
                        break;
                    }
                }
            }
        }
        memory
    }

    /// Asks until an answer is a 200.
    async fn insist(
        &self,
        viewer: usize,
        key: Key,
        gives_up: bool,
        is_over: &AtomicBool,
    ) -> Option<Reply> {
        loop {
            match self.ask(viewer, key).await {
                Ok(reply) if reply.status == 200 => return Some(reply),
                Ok(reply) => {
                    assert_eq!(reply.status, 503, "{key:?}: {reply:?}");
                    assert!(reply.retry_after.is_some(), "{reply:?}");
                }
                // It was away, or died before its answer was here.
                Err(error) => assert!(!error.is_timeout(), "a request hung: {error:?}"),
            }
            if gives_up || is_over.load(Ordering::Relaxed) {
                return None;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn ask(&self, viewer: usize, key: Key) -> Result<Reply, reqwest::Error> {
        let (user_id, token) = &self.viewers[viewer];
        let (_, video, deed) = key;
        let path = match deed {
            Deed::Play => format!("/videos/{video}/play"),
            Deed::Pause => format!("/videos/{video}/pause?currentPlayedAt={PAUSED_AT_S}"),
        };
        let bearer = format!("Bearer {token}");
        let name = format!("{user_id}-{video}-{deed:?}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Idempotency-Key", &name),
        ];
        self.client.send("POST", &path, &headers, None).await
    }

    async fn assert_answers_stay(&self, memory: &Memory) {
        for (key, before) in &memory.acknowledged {
            let viewer = self
                .viewers
                .iter()
                .position(|(user_id, _)| *user_id == key.0);
            let now = self.ask(viewer.unwrap(), *key).await.unwrap();
            assert_eq!(&now, before, "{key:?}");
        }
    }
}

/// An audience at it, on threads of its own.
pub(crate) struct Show {
    audience: Arc<Audience>,
    runtime: tokio::runtime::Runtime,
    watching: tokio::task::JoinHandle<Memory>,
    is_over: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
}

impl Show {
    /// Gathers an audience, which begins at once.
    pub(crate) fn begin(client: Client, viewers: usize, videos: usize, pace: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let audience = runtime.block_on(Audience::gather(client, viewers, videos, pace));
        let audience = Arc::new(audience);
        let (is_over, acknowledged) = (Arc::default(), Arc::default());
        let watching = {
            let (audience, is_over) = (Arc::clone(&audience), Arc::clone(&is_over));
            let acknowledged = Arc::clone(&acknowledged);
            runtime.spawn(async move { audience.watch(&is_over, &acknowledged).await })
        };
        Self {
            audience,
            runtime,
            watching,
            is_over,
            acknowledged,
        }
    }

    /// Waits until so many more deeds are acknowledged.
    #[track_caller]
    pub(crate) fn until_more(&self, deeds: usize) {
        let before = self.acknowledged.load(Ordering::Relaxed);
        until("the audience to be answered", || {
            assert!(!self.watching.is_finished(), "everybody has gone home");
            self.acknowledged.load(Ordering::Relaxed) >= before + deeds
        });
    }

    /// Ends it; answers what the audience remembers.
    pub(crate) fn end(self) -> Ended {
        self.is_over.store(true, Ordering::Relaxed);
        let memory = self.runtime.block_on(self.watching).unwrap();
        Ended {
            audience: self.audience,
            runtime: self.runtime,
            memory,
        }
    }
}

/// An audience that has gone home, and what it remembers.
pub(crate) struct Ended {
    audience: Arc<Audience>,
    runtime: tokio::runtime::Runtime,
    pub(crate) memory: Memory,
}

impl Ended {
    /// Everything that was acknowledged, asked for once more by the same name, is answered as it
    /// was.
    pub(crate) fn assert_answers_stay(&self) {
        let asked = self.audience.assert_answers_stay(&self.memory);
        self.runtime.block_on(asked);
    }
}

impl Memory {
    /// Holds it against the history: `user|video|counted` of every row.
    #[track_caller]
    pub(crate) fn assert_kept(&self, rows: &[String]) {
        let mut found: BTreeMap<Key, usize> = BTreeMap::new();
        for row in rows {
            let mut columns = row.split('|').map(|column| column.parse::<i64>().unwrap());
            let (user, video) = (columns.next().unwrap(), columns.next().unwrap());
            let deed = if columns.next() == Some(1) {
                Deed::Play
            } else {
                Deed::Pause
            };
            *found.entry((user, video, deed)).or_default() += 1;
        }
        for key in self.acknowledged.keys() {
            assert_eq!(
                found.get(key),
                Some(&1),
                "acknowledged, and not there once: {key:?}"
            );
        }
        for (key, count) in &found {
            assert_eq!(*count, 1, "written twice: {key:?}");
            assert!(
                self.acknowledged.contains_key(key) || self.unknown.contains(key),
                "nobody asked for it: {key:?}"
            );
        }
    }
}
