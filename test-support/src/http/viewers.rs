//! Viewers that play and pause all the time, and record the replies. An acknowledged action must be
//! in the history exactly once, regardless of the faults in between.

use super::{Client, Reply};
use crate::process::until;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::{AbortHandle, JoinSet};

/// Rules of plays for the viewers: they play faster than a person can, and each pause is recorded.
pub const VIEWER_SETTINGS: [(&str, &str); 5] = [
    ("MAX_PLAYBACK_RATE", "0"),
    ("VIEWS_PER_MINUTE", "100000"),
    ("VIEW_BURST", "100000"),
    ("VIDEOS_PER_HOUR", "100000"),
    ("VIDEO_BURST", "100000"),
];
/// The command that stores the same rules in a database.
pub const SET_VIEWER_RULES: [&str; 7] = [
    "rules",
    "set",
    "--max-playback-rate=0",
    "--views-per-minute=100000",
    "--view-burst=100000",
    "--videos-per-hour=100000",
    "--video-burst=100000",
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
    /// Pauses whose play the server has lost: status 409.
    pub refused: BTreeSet<Key>,
}

/// What a fault may lose.
#[derive(Debug, Default)]
pub struct Loss {
    /// Acknowledged actions that are not in the history.
    pub lost: BTreeSet<Key>,
    /// Acknowledged actions that may be in the history.
    pub uncertain: BTreeSet<Key>,
    /// Actions whose reply is lost: a retry is a new action.
    pub repeated: BTreeSet<Key>,
}

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

impl Replies {
    /// Asserts that the history has each acknowledged action once, and only requested actions. The
    /// rows are `user|video|counted`.
    #[track_caller]
    pub fn assert_persisted(&self, rows: &[String]) {
        self.assert_persisted_except(rows, &Loss::default());
    }

    /// As [`assert_persisted`](Self::assert_persisted), with exactly a loss.
    #[track_caller]
    pub fn assert_persisted_except(&self, rows: &[String], loss: &Loss) {
        let mut found: BTreeMap<Key, usize> = BTreeMap::new();
        for row in rows {
            let (key, _) = parse(row);
            *found.entry(key).or_default() += 1;
        }
        for key in self.acknowledged.keys() {
            let count = found.get(key).copied().unwrap_or(0);
            let is_expected = if loss.lost.contains(key) {
                count == 0
            } else if loss.uncertain.contains(key) {
                true
            } else {
                count > 0
            };
            assert!(
                is_expected,
                "acknowledged, and persisted {count} times: {key:?}"
            );
        }
        for (key, count) in &found {
            let most = if loss.repeated.contains(key) { 2 } else { 1 };
            assert!(*count <= most, "persisted twice: {key:?}");
            assert!(
                self.acknowledged.contains_key(key) || self.unknown.contains(key),
                "persisted without a request: {key:?}"
            );
        }
        for (user, video, action) in &self.refused {
            assert_eq!(*action, PlaybackAction::Pause);
            let play = (*user, *video, PlaybackAction::Play);
            assert!(
                loss.repeated.contains(&play),
                "the session of {play:?} is lost"
            );
        }
    }

    /// Asserts that each acknowledged pause has the seconds of its reply. The rows are
    /// `user|video|counted|seconds`.
    #[track_caller]
    pub fn assert_seconds(&self, rows: &[String]) {
        for row in rows {
            let (key, seconds) = parse(row);
            let reply = self.acknowledged.get(&key);
            if let (PlaybackAction::Pause, Some(reply)) = (key.2, reply) {
                assert_eq!(reply.fact.as_deref(), seconds, "{key:?}");
            }
        }
    }
}

/// Parses a row of the history.
fn parse(row: &str) -> (Key, Option<&str>) {
    let mut columns = row.split('|');
    let mut number = || columns.next().unwrap().parse::<i64>().unwrap();
    let (user, video, counted) = (number(), number(), number());
    let action = if counted == 1 {
        PlaybackAction::Play
    } else {
        PlaybackAction::Pause
    };
    ((user, video, action), columns.next())
}
