//! Clients of API processes over HTTP, in real time.

use super::{
    actor::{Actor, Request},
    runs::Cast,
};
use crate::http::{Client, Reply};
use balance_domain::clock::{Clock, SystemClock};
use balance_store::playback::{Command, IntakeAnswer};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Videos that one account registers.
const VIDEOS_OF_A_CREATOR: usize = 90;
/// Accounts that join at once.
const JOINING: usize = 4;

/// API processes, with the accounts and videos of a run.
pub struct Live {
    processes: Vec<Client>,
    /// The id and the access token of each user.
    users: Vec<(i64, String)>,
    videos: Vec<i64>,
}

impl Live {
    /// Creates the accounts and the videos of a run. `run` is a part of their names.
    pub async fn prepare(processes: Vec<Client>, cast: &Cast, run: &str) -> Self {
        let client = processes[0].clone();
        let mut users: Vec<(i64, String)> = Vec::new();
        let names: Vec<usize> = (0..cast.users).collect();
        for names in names.chunks(JOINING) {
            let mut joining = JoinSet::new();
            for number in names {
                let (client, number) = (client.clone(), *number);
                let name = format!("{run}-viewer{number}");
                joining.spawn(async move { (number, client.user(&name).await) });
            }
            let mut joined = joining.join_all().await;
            joined.sort_by_key(|(number, _)| *number);
            users.extend(joined.into_iter().map(|(_, user)| user));
        }
        let mut videos = Vec::new();
        let mut creator = String::new();
        for (index, duration_s) in cast.scene.durations_s.iter().enumerate() {
            if index % VIDEOS_OF_A_CREATOR == 0 {
                (_, creator) = client.user(&format!("{run}-creator{index}")).await;
            }
            let owner = cast.owners.get(&index).map(|user| users[*user].1.as_str());
            let owner = owner.unwrap_or(&creator);
            let title = format!("video {index}");
            videos.push(client.video(owner, &title, *duration_s).await);
        }
        Self {
            processes,
            users,
            videos,
        }
    }

    /// Returns the position of a user's id, `None` for users of other runs.
    pub fn user_index(&self, id: i64) -> Option<usize> {
        self.users.iter().position(|user| user.0 == id)
    }

    /// Runs all clients to their ends, each as a task.
    pub async fn run(self: &Arc<Self>, actors: Vec<Actor>) {
        let mut tasks = JoinSet::new();
        for mut actor in actors {
            let live = Arc::clone(self);
            tasks.spawn(async move {
                let mut answers = Vec::new();
                while let Some(turn) = actor(SystemClock.now_micros(), &answers) {
                    let wait = turn.at_micros - SystemClock.now_micros();
                    if let Ok(wait) = u64::try_from(wait) {
                        tokio::time::sleep(Duration::from_micros(wait)).await;
                    }
                    answers = live.send_all(turn.requests, turn.at_once).await;
                }
            });
        }
        tasks.join_all().await;
    }

    /// Sends requests. Returns their answers in the same order.
    async fn send_all(
        self: &Arc<Self>,
        requests: Vec<Request>,
        at_once: bool,
    ) -> Vec<Option<IntakeAnswer>> {
        if !at_once {
            let mut answers = Vec::with_capacity(requests.len());
            for request in &requests {
                answers.push(self.send(request).await);
            }
            return answers;
        }
        let mut sent = JoinSet::new();
        for (number, request) in requests.into_iter().enumerate() {
            let live = Arc::clone(self);
            sent.spawn(async move { (number, live.send(&request).await) });
        }
        let mut answers = sent.join_all().await;
        answers.sort_by_key(|(number, _)| *number);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn send(&self, request: &Request) -> Option<IntakeAnswer> {
        let (_, token) = &self.users[request.user];
        let video = self.videos[request.video];
        let path = match request.command {
            Command::Play => format!("/videos/{video}/play"),
            Command::Pause { current_s } => {
                format!("/videos/{video}/pause?currentPlayedAt={current_s}")
            }
        };
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("Authorization", bearer.as_str())];
        if let Some(key) = &request.key {
            headers.push(("Idempotency-Key", key));
        }
        let process = &self.processes[request.server % self.processes.len()];
        let reply = process.send("POST", &path, &headers, None).await.ok()?;
        answer(request.command, &reply)
    }
}

/// Returns the answer of a reply. An owner's play is not distinguished from a view.
fn answer(command: Command, reply: &Reply) -> Option<IntakeAnswer> {
    let fact = || reply.fact.as_deref()?.parse().ok();
    let retry_after_ms = || {
        let seconds: i64 = reply.retry_after.as_deref()?.parse().ok()?;
        Some(seconds * 1_000)
    };
    match (reply.status, command) {
        (200, Command::Play) => Some(IntakeAnswer::Playing {
            resume_at_s: fact()?,
            is_counted: true,
        }),
        (200, Command::Pause { .. }) => Some(IntakeAnswer::Paused {
            credited_s: fact()?,
            // The client knows the length of the video.
            is_finished: false,
        }),
        (409, _) => match reply.json()["code"].as_str()? {
            "no-open-session" => Some(IntakeAnswer::NoSession),
            _ => Some(IntakeAnswer::KeyReused),
        },
        (429, _) => {
            let retry_after_ms = retry_after_ms()?;
            match reply.json()["code"].as_str()? {
                "repeated-view" => Some(IntakeAnswer::Repeat { retry_after_ms }),
                "too-many-views" => Some(IntakeAnswer::TooManyViews { retry_after_ms }),
                _ => Some(IntakeAnswer::TooManyPauses { retry_after_ms }),
            }
        }
        _ => None,
    }
}
