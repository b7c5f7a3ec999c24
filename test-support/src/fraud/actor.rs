//! Clients of the simulator. The same client runs on a simulated clock and over HTTP.

use balance_domain::{calendar::BusinessTimezone, playback::PlayRules};
use balance_store::playback::{Command, IntakeAnswer};
use chrono::NaiveDate;
use std::sync::Arc;

/// A request of a client. Users and videos are positions in the lists of the run.
#[derive(Debug, Clone)]
pub struct Request {
    pub user: usize,
    pub video: usize,
    pub command: Command,
    pub key: Option<String>,
    /// The API process that receives the request, modulo their number.
    pub server: usize,
}

impl Request {
    pub const fn play(user: usize, video: usize) -> Self {
        Self::new(user, video, Command::Play)
    }

    pub const fn pause(user: usize, video: usize, current_s: i64) -> Self {
        Self::new(user, video, Command::Pause { current_s })
    }

    const fn new(user: usize, video: usize, command: Command) -> Self {
        Self {
            user,
            video,
            command,
            key: None,
            server: 0,
        }
    }

    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    #[must_use]
    pub const fn at_server(mut self, server: usize) -> Self {
        self.server = server;
        self
    }
}

/// What a client does next.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// The instant in microseconds since 1970 (UTC). One that has passed means now.
    pub at_micros: i64,
    /// Requests that are sent one after the other.
    pub requests: Vec<Request>,
    /// Whether they are sent at the same time instead.
    pub at_once: bool,
    /// Seconds by which the system time changes first. Only on a simulated clock.
    pub clock_step_s: i64,
    /// The distance of ad slots that an admin sets first. Only on a simulated clock.
    pub ad_interval_s: Option<u32>,
}

impl Turn {
    /// Returns a turn that only waits.
    pub fn wait(at_micros: i64) -> Self {
        Self {
            at_micros,
            ..Self::default()
        }
    }

    pub fn send(at_micros: i64, requests: Vec<Request>) -> Self {
        Self {
            at_micros,
            requests,
            ..Self::default()
        }
    }

    /// Sends the requests at the same time.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }
}

/// The answers to a turn's requests, in their order. `None` stands for a request without an answer.
pub type Answers = [Option<IntakeAnswer>];

/// A client: receives the time and the answers to its last turn, and returns the next one. `None` ends
/// it. The first call has no answers.
pub type Actor = Box<dyn FnMut(i64, &Answers) -> Option<Turn> + Send>;

/// What the clients of a run know.
#[derive(Debug)]
pub struct Scene {
    pub rules: PlayRules,
    pub timezone: BusinessTimezone,
    /// The lengths of the videos in seconds.
    pub durations_s: Vec<i64>,
    /// The number of videos at the beginning of the list that are films. Others are episodes.
    pub films: usize,
    /// The number of episodes after them. Films of clients follow.
    pub episodes: usize,
    /// The first and the last instant of the run, in microseconds since 1970 (UTC).
    pub began_micros: i64,
    pub until_micros: i64,
}

impl Scene {
    /// Returns the length of the run in seconds.
    pub const fn elapsed_s(&self) -> i64 {
        (self.until_micros - self.began_micros) / 1_000_000
    }

    /// Returns the seconds of video that a time allows at the maximum rate.
    pub fn seconds_in(&self, elapsed_s: i64) -> i64 {
        self.rules.playback_rate.seconds_of(elapsed_s * 1_000_000)
    }

    /// Returns the business day of an instant.
    pub fn day_of(&self, at_micros: i64) -> NaiveDate {
        self.timezone.day_of(at_micros).unwrap().date
    }
}

/// The accounts of a client.
#[derive(Debug, Clone)]
pub struct Account {
    pub scene: Arc<Scene>,
    /// The users of the client. Most clients have one.
    pub users: Vec<usize>,
    /// A film whose owner is the first user, if the client needs one.
    pub own_video: Option<usize>,
    pub seed: u64,
}
