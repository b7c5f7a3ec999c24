//! Viewers that play and pause all the time, and record the replies. An acknowledged action must be
//! in the history exactly once, regardless of the faults in between.

use super::{Client, Reply};
use crate::process::until;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::{AbortHandle, JoinSet};

/// Rules under which viewers play as fast as they can, and each pause is an event.
pub const SETTINGS: [(&str, u32); 5] = [
    ("MAX_PLAYBACK_RATE", 0),
    ("VIEWS_PER_MINUTE", 100_000),
    ("VIEW_BURST", 100_000),
    ("VIDEOS_PER_HOUR", 100_000),
    ("VIDEO_BURST", 100_000),
];
/// The position of each pause, in seconds.
const PAUSED_AT_S: i64 = 3;
/// The interval between two attempts of a request.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// An action of a viewer on a video. Each viewer does each action once for each video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlaybackAction {
    Play,
    Pause,
}

/// A user, a video and an action: identifies a row of the history.
pub type Key = (i64, i64, PlaybackAction);

/// The outcomes of the requests.
#[derive(Debug, Default)]
pub struct Replies {
    /// Requests with status 200.
    pub acknowledged: BTreeMap<Key, Reply>,
    /// Requests without a response, or with status 503.
    pub unknown: BTreeSet<Key>,
}

/// The viewers and videos of a run.
struct Audience {
    client: Client,
    viewers: Vec<(i64, String)>,
    videos: Vec<i64>,
    /// The pause of a viewer between two actions.
    pace: Duration,
}

impl Audience {
    /// Registers viewers and videos.
    async fn register(client: Client, viewers: usize, videos: usize, pace: Duration) -> Self {
        let (_, owner) = client.user("owner").await;
        let mut video_ids = Vec::new();
        for number in 0..videos {
            video_ids.push(client.video(&owner, &format!("film {number}"), 600).await);
        }
        let mut users = Vec::new();
        for number in 0..viewers {
            users.push(client.user(&format!("viewer{number}")).await);
        }
        Self {
            client,
            viewers: users,
            videos: video_ids,
            pace,
        }
    }

    /// Lets all viewers play and pause video after video until `is_over`, or until the last video.
    async fn watch(
        self: &Arc<Self>,
        is_over: &Arc<AtomicBool>,
        acknowledged: &Arc<AtomicUsize>,
    ) -> Replies {
        let mut viewers = JoinSet::new();
        for viewer in 0..self.viewers.len() {
            let (audience, is_over) = (Arc::clone(self), Arc::clone(is_over));
            let acknowledged = Arc::clone(acknowledged);
            viewers.spawn(async move { audience.visit(viewer, &is_over, &acknowledged).await });
        }
        let mut all = Replies::default();
        for replies in viewers.join_all().await {
            all.acknowledged.extend(replies.acknowledged);
            all.unknown.extend(replies.unknown);
        }
        all
    }

    async fn visit(&self, viewer: usize, is_over: &AtomicBool, count: &AtomicUsize) -> Replies {
        let mut replies = Replies::default();
        let (user_id, _) = self.viewers[viewer];
        for (number, video) in self.videos.iter().enumerate() {
            for action in [PlaybackAction::Play, PlaybackAction::Pause] {
                if is_over.load(Ordering::Relaxed) {
                    return replies;
                }
                tokio::time::sleep(self.pace).await;
                let key = (user_id, *video, action);
                // A third of the requests is not retried.
                let gives_up = (viewer + number).is_multiple_of(3);
                match self.retry(viewer, key, gives_up, is_over).await {
                    Some(reply) => {
                        replies.acknowledged.insert(key, reply);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    None => {
                        replies.unknown.insert(key);
                        // A pause without its play would be a conflict.
                        break;
                    }
                }
            }
        }
        replies
    }

    /// Sends a request with the same idempotency key until its status is 200.
    async fn retry(
        &self,
        viewer: usize,
        key: Key,
        gives_up: bool,
        is_over: &AtomicBool,
    ) -> Option<Reply> {
        loop {
            match self.send(viewer, key).await {
                Ok(reply) if reply.status == 200 => return Some(reply),
                Ok(reply) => {
                    assert_eq!(reply.status, 503, "{key:?}: {reply:?}");
                    assert!(reply.retry_after.is_some(), "{reply:?}");
                }
                // The server was unavailable, or ended before its response arrived.
                Err(error) => assert!(!error.is_timeout(), "a request hung: {error:?}"),
            }
            if gives_up || is_over.load(Ordering::Relaxed) {
                return None;
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    async fn send(&self, viewer: usize, key: Key) -> Result<Reply, reqwest::Error> {
        let (user_id, token) = &self.viewers[viewer];
        let (_, video, action) = key;
        let path = match action {
            PlaybackAction::Play => format!("/videos/{video}/play"),
            PlaybackAction::Pause => {
                format!("/videos/{video}/pause?currentPlayedAt={PAUSED_AT_S}")
            }
        };
        let bearer = format!("Bearer {token}");
        let name = format!("{user_id}-{video}-{action:?}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Idempotency-Key", &name),
        ];
        self.client.send("POST", &path, &headers, None).await
    }

    async fn assert_replies_repeat(&self, replies: &Replies) {
        for (key, before) in &replies.acknowledged {
            let viewer = self
                .viewers
                .iter()
                .position(|(user_id, _)| *user_id == key.0);
            let now = self.send(viewer.unwrap(), *key).await.unwrap();
            assert_eq!(&now, before, "{key:?}");
        }
    }
}

/// Viewers that play on threads of their own.
pub struct ViewerRun {
    audience: Arc<Audience>,
    runtime: tokio::runtime::Runtime,
    /// The single task that runs all viewers.
    tasks: JoinSet<Replies>,
    watching: AbortHandle,
    is_over: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
}

impl ViewerRun {
    /// Registers viewers and videos, and starts the viewers. `pace` is the pause of a viewer
    /// between two actions.
    pub fn start(client: Client, viewers: usize, videos: usize, pace: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let audience = runtime.block_on(Audience::register(client, viewers, videos, pace));
        let audience = Arc::new(audience);
        let (is_over, acknowledged) = (Arc::default(), Arc::default());
        let mut tasks = JoinSet::new();
        let watching = {
            let (audience, is_over) = (Arc::clone(&audience), Arc::clone(&is_over));
            let acknowledged = Arc::clone(&acknowledged);
            let watch = async move { audience.watch(&is_over, &acknowledged).await };
            tasks.spawn_on(watch, runtime.handle())
        };
        Self {
            audience,
            runtime,
            tasks,
            watching,
            is_over,
            acknowledged,
        }
    }

    /// Waits until a number of further actions is acknowledged.
    #[track_caller]
    pub fn until_acknowledged(&self, actions: usize) {
        let before = self.acknowledged.load(Ordering::Relaxed);
        until("acknowledged actions of the viewers", || {
            assert!(!self.watching.is_finished(), "no viewer has a video left");
            self.acknowledged.load(Ordering::Relaxed) >= before + actions
        });
    }

    /// Stops the viewers, and returns the replies.
    pub fn finish(mut self) -> FinishedRun {
        self.is_over.store(true, Ordering::Relaxed);
        let joined = self.runtime.block_on(self.tasks.join_next());
        let replies = joined.unwrap().unwrap();
        FinishedRun {
            audience: self.audience,
            runtime: self.runtime,
            replies,
        }
    }
}

/// Viewers that have stopped, and the replies that they received.
pub struct FinishedRun {
    audience: Arc<Audience>,
    runtime: tokio::runtime::Runtime,
    pub replies: Replies,
}

impl FinishedRun {
    /// Sends each acknowledged request again with its idempotency key, and asserts that the reply
    /// is the same.
    pub fn assert_replies_repeat(&self) {
        let repeated = self.audience.assert_replies_repeat(&self.replies);
        self.runtime.block_on(repeated);
    }
}

impl Replies {
    /// Asserts that the history has each acknowledged action once, and only requested actions. The
    /// rows are `user|video|counted`.
    #[track_caller]
    pub fn assert_persisted(&self, rows: &[String]) {
        let mut found: BTreeMap<Key, usize> = BTreeMap::new();
        for row in rows {
            let mut columns = row.split('|').map(|column| column.parse::<i64>().unwrap());
            let (user, video) = (columns.next().unwrap(), columns.next().unwrap());
            let action = if columns.next() == Some(1) {
                PlaybackAction::Play
            } else {
                PlaybackAction::Pause
            };
            *found.entry((user, video, action)).or_default() += 1;
        }
        for key in self.acknowledged.keys() {
            assert_eq!(
                found.get(key),
                Some(&1),
                "acknowledged, but not persisted once: {key:?}"
            );
        }
        for (key, count) in &found {
            assert_eq!(*count, 1, "persisted twice: {key:?}");
            assert!(
                self.acknowledged.contains_key(key) || self.unknown.contains(key),
                "persisted without a request: {key:?}"
            );
        }
    }
}
