//! A player as real ones are: it reports whole seconds, sends one request at a time, and repeats a
//! request without a reply with the same idempotency key.

use super::{network::Network, seen::Shared};
use crate::fraud::actor::{Actor, Answers, Request, Scene, Turn};
use balance_store::playback::{Command, IntakeAnswer};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

const MS: i64 = 1_000;
const S: i64 = 1_000_000;

/// What a viewer does on one device.
#[derive(Debug, Clone)]
pub struct Habits {
    pub user: usize,
    /// The number of the device: a part of the idempotency keys.
    pub device: usize,
    /// The first instant, in microseconds since 1970 (UTC).
    pub begins_micros: i64,
    /// The playback rate in thousandths.
    pub rate: i64,
    /// The seconds between two reports of the position. 0 stands for none.
    pub report_s: i64,
    /// The videos, and the seconds that the viewer watches each before a stop. A video that appears
    /// again is resumed.
    pub watches: Vec<Watch>,
    pub network: Network,
    /// Whether the player sends the request before again with each request.
    pub repeats: bool,
    pub seed: u64,
}

/// A part of a video that is watched without a stop.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    pub video: usize,
    /// Seconds of the clock until the viewer stops, unless the video ends before.
    pub stops_after_s: i64,
    /// Seconds of the clock until the next part.
    pub then_rests_s: i64,
}

/// What the player waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The reply to the play.
    Starting,
    /// The reply to a report. The flag is set if the viewer stops.
    Reporting { stops: bool },
}

struct Player {
    habits: Habits,
    scene: Arc<Scene>,
    seen: Shared,
    rng: ChaCha8Rng,
    phase: Phase,
    watch: usize,
    /// The last reported position of each video, in seconds.
    positions: Vec<i64>,
    /// When the playback of this watch began, and at which position.
    started_micros: i64,
    started_s: i64,
    /// The last request, when it was sent, and the number of its key.
    request: Option<Request>,
    /// The request before it.
    previous: Option<Request>,
    sent_micros: i64,
    keys: u64,
    /// Whether the request was sent again, so that its answer is the stored one.
    is_again: bool,
}

/// Returns the client of a device. `seen` receives what the player saw.
pub fn player(habits: Habits, scene: &Arc<Scene>, seen: Shared) -> Actor {
    let mut player = Player {
        rng: ChaCha8Rng::seed_from_u64(habits.seed),
        positions: vec![0; scene.durations_s.len()],
        scene: Arc::clone(scene),
        seen,
        phase: Phase::Starting,
        watch: 0,
        started_micros: 0,
        started_s: 0,
        request: None,
        previous: None,
        sent_micros: habits.begins_micros,
        keys: 0,
        is_again: false,
        habits,
    };
    Box::new(move |now, answers| player.next(now, answers))
}

impl Player {
    fn next(&mut self, now: i64, answers: &Answers) -> Option<Turn> {
        let Some(request) = self.request.clone() else {
            let begins = self.habits.begins_micros;
            return self.play(begins);
        };
        let answer = answers.last().copied().flatten();
        // The player sees no reply, and sends the same request again.
        let is_lost =
            answer.is_none() || !self.is_again && self.habits.network.loses(&mut self.rng);
        if is_lost {
            self.is_again = true;
            let at = now + self.habits.network.timeout_ms * MS;
            return Some(self.turn(at, request));
        }
        let replied = now + self.habits.network.delay_micros(&mut self.rng);
        let answer = answer?;
        if let Some(wait_ms) = retry_after_ms(answer) {
            return Some(self.turn(replied + wait_ms * MS, request));
        }
        self.answered(answer, now, replied)
    }

    /// Handles the answer to the last request, which reached the player at `replied`.
    fn answered(&mut self, answer: IntakeAnswer, now: i64, replied: i64) -> Option<Turn> {
        let video = self.habits.watches[self.watch].video;
        match (self.phase, answer) {
            (
                Phase::Starting,
                IntakeAnswer::Playing {
                    resume_at_s,
                    is_counted,
                },
            ) => {
                self.seen.change(|seen| seen.views += i64::from(is_counted));
                if resume_at_s != self.positions[video] {
                    let expected = self.positions[video];
                    self.surprise(format!("resumed at {resume_at_s}, not {expected}"));
                }
                self.report(replied)
            }
            // The session is still open: the playback continues.
            (Phase::Starting, IntakeAnswer::Repeat { .. }) => self.report(replied),
            (Phase::Reporting { stops }, IntakeAnswer::Paused { credited_s, .. }) => {
                self.paused(credited_s, now);
                let ends = self.positions[video] == 0;
                match stops || ends {
                    true => self.rest(replied),
                    false => self.report(replied),
                }
            }
            (_, answer) => {
                self.surprise(format!("{answer:?} to {:?}", self.request));
                self.rest(replied)
            }
        }
    }

    /// Adds what was watched since the last report.
    fn paused(&mut self, credited_s: i64, now: i64) {
        let Some(Request {
            video,
            command: Command::Pause { current_s },
            ..
        }) = self.request
        else {
            return;
        };
        let last_s = self.positions[video];
        let day = self.scene.day_of(now);
        let interval_s = i64::from(self.scene.rules.ad_interval_s);
        self.seen.change(|seen| {
            seen.seconds += current_s - last_s;
            seen.lost_s += current_s - last_s - credited_s;
            let slots = last_s / interval_s + 1..=current_s / interval_s;
            seen.slots
                .extend(slots.map(|slot| (day, video, slot * interval_s)));
        });
        let is_end = current_s == self.scene.durations_s[video];
        self.positions[video] = if is_end { 0 } else { current_s };
    }

    /// Starts the playback of the next watch.
    fn play(&mut self, at: i64) -> Option<Turn> {
        let watch = *self.habits.watches.get(self.watch)?;
        self.phase = Phase::Starting;
        self.started_micros = at;
        self.started_s = self.positions[watch.video];
        self.send(at, Request::play(self.habits.user, watch.video))
    }

    /// Waits for the next report: at the interval, at the viewer's stop, or at the end of the video.
    fn report(&mut self, replied: i64) -> Option<Turn> {
        let watch = self.habits.watches[self.watch];
        let duration_s = self.scene.durations_s[watch.video];
        let stop = self.started_micros + watch.stops_after_s * S;
        let end = self.started_micros
            + ((duration_s - self.started_s) * 1_000 * S + self.habits.rate - 1) / self.habits.rate;
        let next = match self.habits.report_s {
            0 => i64::MAX,
            seconds => self.sent_micros + seconds * S,
        };
        let at = next.min(stop).min(end).max(replied);
        let played_s = (at - self.started_micros) * self.habits.rate / 1_000 / S;
        let current_s = (self.started_s + played_s).min(duration_s);
        self.phase = Phase::Reporting { stops: at >= stop };
        self.send(at, Request::pause(self.habits.user, watch.video, current_s))
    }

    fn rest(&mut self, replied: i64) -> Option<Turn> {
        let rests_s = self.habits.watches[self.watch].then_rests_s;
        self.watch += 1;
        self.play(replied + rests_s * S)
    }

    /// Sends a new request.
    fn send(&mut self, at: i64, request: Request) -> Option<Turn> {
        self.keys += 1;
        let request = request.with_key(format!("{}-{}", self.habits.device, self.keys));
        self.previous = self.request.replace(request.clone());
        self.is_again = false;
        self.sent_micros = at;
        let arrival = self.habits.network.arrival_micros(&mut self.rng);
        Some(self.turn(at + arrival, request))
    }

    fn turn(&self, at: i64, request: Request) -> Turn {
        let previous = self.previous.clone().filter(|_| self.habits.repeats);
        Turn::send(at, previous.into_iter().chain([request]).collect())
    }

    fn surprise(&self, text: String) {
        let text = format!("user {}: {text}", self.habits.user);
        self.seen.change(|seen| seen.surprises.push(text));
    }
}

/// Returns the time after which a rejected request succeeds.
const fn retry_after_ms(answer: IntakeAnswer) -> Option<i64> {
    match answer {
        IntakeAnswer::TooManyViews { retry_after_ms }
        | IntakeAnswer::TooManyPauses { retry_after_ms } => Some(retry_after_ms),
        _ => None,
    }
}
