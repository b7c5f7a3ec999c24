//! Viewers that play and pause all the time, and record the replies. An acknowledged action must be
//! in the history exactly once, regardless of the faults in between.

use super::{Client, Key, PlaybackAction, Replies, Reply};
use crate::process::until;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::{AbortHandle, JoinSet};

/// The position of each pause, in seconds.
const PAUSED_AT_S: i64 = 3;
/// The interval between two attempts of a request.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The acknowledged actions of a running test.
type Acknowledged = Mutex<BTreeSet<Key>>;

/// A registered viewer.
struct Viewer {
    id: i64,
    name: String,
    /// The access token of the last log-in.
    token: Mutex<String>,
}

/// The viewers and videos of a run.
struct Audience {
    /// Clients of all servers: each attempt uses the next one.
    clients: Vec<Client>,
    attempts: AtomicUsize,
    viewers: Vec<Viewer>,
    videos: Vec<i64>,
    /// The pause of a viewer between two actions.
    pace: Duration,
}

impl Audience {
    /// Registers viewers and videos.
    async fn register(clients: Vec<Client>, viewers: usize, videos: usize, pace: Duration) -> Self {
        let client = &clients[0];
        let (_, owner) = client.user("owner").await;
        let mut video_ids = Vec::new();
        for number in 0..videos {
            video_ids.push(client.video(&owner, &format!("film {number}"), 600).await);
        }
        let mut users = Vec::new();
        for number in 0..viewers {
            let name = format!("viewer{number}");
            let (id, token) = client.user(&name).await;
            let token = Mutex::new(token);
            users.push(Viewer { id, name, token });
        }
        Self {
            clients,
            attempts: AtomicUsize::new(0),
            viewers: users,
            videos: video_ids,
            pace,
        }
    }

    /// Lets all viewers play and pause video after video until `is_over`, or until the last video.
    async fn watch(
        self: &Arc<Self>,
        is_over: &Arc<AtomicBool>,
        acknowledged: &Arc<Acknowledged>,
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
            all.refused.extend(replies.refused);
        }
        all
    }

    async fn visit(
        &self,
        viewer: usize,
        is_over: &AtomicBool,
        acknowledged: &Acknowledged,
    ) -> Replies {
        let mut replies = Replies::default();
        let user_id = self.viewers[viewer].id;
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
                    Some(reply) if reply.status == 409 => {
                        replies.refused.insert(key);
                    }
                    Some(reply) => {
                        replies.acknowledged.insert(key, reply);
                        acknowledged.lock().unwrap().insert(key);
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

    /// Sends a request with the same idempotency key until its status is 200, or 409 for a pause.
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
                Ok(reply) if reply.status == 409 && key.2 == PlaybackAction::Pause => {
                    assert_eq!(
                        reply.json()["code"],
                        "no-open-session",
                        "{key:?}: {reply:?}"
                    );
                    return Some(reply);
                }
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

    /// Sends a request, and logs the viewer in if the token is not valid any more.
    async fn send(&self, viewer: usize, key: Key) -> Result<Reply, reqwest::Error> {
        let reply = self.send_once(viewer, key).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let account = &self.viewers[viewer];
        let login = self.client().try_login(&account.name).await?;
        if login.status != 200 {
            return Ok(login);
        }
        let token = login.json()["accessToken"].as_str().unwrap().to_owned();
        *account.token.lock().unwrap() = token;
        self.send_once(viewer, key).await
    }

    async fn send_once(&self, viewer: usize, key: Key) -> Result<Reply, reqwest::Error> {
        let viewer = &self.viewers[viewer];
        let (_, video, action) = key;
        let path = match action {
            PlaybackAction::Play => format!("/videos/{video}/play"),
            PlaybackAction::Pause => {
                format!("/videos/{video}/pause?currentPlayedAt={PAUSED_AT_S}")
            }
        };
        let bearer = format!("Bearer {}", viewer.token.lock().unwrap());
        let name = format!("{}-{video}-{action:?}", viewer.id);
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Idempotency-Key", &name),
        ];
        self.client().send("POST", &path, &headers, None).await
    }

    /// Returns the client of the next attempt.
    fn client(&self) -> &Client {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        &self.clients[attempt % self.clients.len()]
    }

    async fn assert_replies_repeat(&self, replies: &Replies, is_kept: impl Fn(&Key) -> bool) {
        for (key, before) in replies.acknowledged.iter().filter(|(key, _)| is_kept(key)) {
            let viewer = self.viewers.iter().position(|viewer| viewer.id == key.0);
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
    acknowledged: Arc<Acknowledged>,
}

impl ViewerRun {
    /// Registers viewers and videos, and starts the viewers. `pace` is the pause of a viewer
    /// between two actions.
    pub fn start(client: Client, viewers: usize, videos: usize, pace: Duration) -> Self {
        Self::start_at(vec![client], viewers, videos, pace)
    }

    /// As [`start`](Self::start), at several servers of one platform.
    pub fn start_at(clients: Vec<Client>, viewers: usize, videos: usize, pace: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let audience = runtime.block_on(Audience::register(clients, viewers, videos, pace));
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
        let before = self.acknowledged().len();
        until("acknowledged actions of the viewers", || {
            assert!(!self.watching.is_finished(), "no viewer has a video left");
            self.acknowledged.lock().unwrap().len() >= before + actions
        });
    }

    /// Returns the actions that are acknowledged now.
    pub fn acknowledged(&self) -> BTreeSet<Key> {
        self.acknowledged.lock().unwrap().clone()
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
        self.assert_replies_repeat_of(|_| true);
    }

    /// As [`assert_replies_repeat`](Self::assert_replies_repeat), for some of the requests.
    pub fn assert_replies_repeat_of(&self, is_kept: impl Fn(&Key) -> bool) {
        let repeated = self.audience.assert_replies_repeat(&self.replies, is_kept);
        self.runtime.block_on(repeated);
    }
}
