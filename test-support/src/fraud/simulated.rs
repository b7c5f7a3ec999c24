//! Clients of the embedded intake on a simulated clock. A day takes seconds.

use super::{
    actor::{Actor, Request, Scene, Turn},
    totals::Totals,
};
use crate::settlement::TestEnv;
use balance_domain::{
    accounts::{User, UserId},
    clock::Clock,
    playback::EventId,
    videos::{Video, VideoId},
};
use balance_store::{
    operations::Actor as Admin,
    playback::{IdempotencyKey, IntakeAnswer, IntakeRequest, Lifetimes, RulesChange, VideoFacts},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// The user id of the creator, who owns all videos without another owner.
const CREATOR: i64 = 1_000_000;
/// The first user id of a client.
const FIRST_USER: i64 = 1;
/// The most requests of one transaction.
const GROUP: usize = 256;
/// Accounts and videos of one registration.
const REGISTERED: usize = 500;
/// Instants are rounded up to a multiple of it. Requests of one instant share a transaction.
const TICK_MICROS: i64 = 50_000;

/// The embedded intake, its clients, and the videos that they can play.
pub struct Simulated {
    pub env: TestEnv,
    videos: Vec<VideoFacts>,
    lifetimes: Lifetimes,
    began_micros: i64,
    /// The monotonic clock at the first instant of the run.
    began_elapsed_micros: i64,
}

impl Simulated {
    /// Creates a database with the scene's videos and rules, a number of users, and one ad. `owners`
    /// are videos that belong to a user.
    pub async fn new(scene: &Scene, users: usize, owners: &BTreeMap<usize, usize>) -> Self {
        let env = TestEnv::embedded().await;
        env.clock.set(scene.began_micros);
        let rules = scene.rules;
        let change = RulesChange {
            view_window_s: Some(rules.view_window_s),
            ad_interval_s: Some(rules.ad_interval_s),
            playback_rate: Some(rules.playback_rate),
            credit_burst_s: Some(rules.credit_burst_s),
            max_unconfirmed_s: Some(rules.max_unconfirmed_s),
            views_per_minute: Some(rules.views_per_minute),
            view_burst: Some(rules.view_burst),
            ..RulesChange::default()
        };
        env.store
            .set_play_rules(&change, &Admin::Console)
            .await
            .unwrap();
        let videos = scene.durations_s.iter().enumerate();
        let videos: Vec<VideoFacts> = videos
            .map(|(index, duration_s)| VideoFacts {
                id: VideoId(i64::try_from(index).unwrap() + 1),
                owner_id: owners.get(&index).map_or(UserId(CREATOR), |user| id(*user)),
                duration_s: *duration_s,
            })
            .collect();
        register(&env, users, &videos).await;
        env.execute("INSERT INTO ad (id, title, created_at) VALUES (1, 'ad', '2024-01-01')")
            .await;
        let began_elapsed_micros = env.clock.elapsed_micros();
        Self {
            env,
            videos,
            lifetimes: Lifetimes {
                resume_ttl_s: 30 * 86_400,
                replay_s: 86_400,
            },
            began_micros: scene.began_micros,
            began_elapsed_micros,
        }
    }

    /// Sets how long positions are stored, in seconds.
    pub const fn set_resume_ttl(&mut self, resume_ttl_s: u32) {
        self.lifetimes.resume_ttl_s = resume_ttl_s;
    }

    /// Runs all clients to their ends.
    pub async fn run(&self, mut actors: Vec<Actor>) {
        let mut schedule = Schedule::default();
        for (index, actor) in actors.iter_mut().enumerate() {
            let now = self.now_micros();
            schedule.add(index, actor(now, &[]), now);
        }
        while let Some((at_micros, due)) = schedule.next() {
            self.clock_to(at_micros, &due).await;
            let requests: Vec<&Request> = due.iter().flat_map(|(_, turn)| &turn.requests).collect();
            let mut answers = self.accept(&requests).await.into_iter().map(Some);
            for (actor, turn) in &due {
                let own: Vec<_> = answers.by_ref().take(turn.requests.len()).collect();
                schedule.add(*actor, actors[*actor](at_micros, &own), at_micros);
            }
        }
    }

    /// Returns what each user was credited.
    pub async fn totals(&self) -> BTreeMap<usize, Totals> {
        let views = self.env.rows(super::totals::VIEWS).await;
        let ads = self.env.rows(super::totals::ADS).await;
        Totals::parse(&views, &ads, |user| usize::try_from(user - FIRST_USER).ok())
    }

    /// Returns the time of the clients: the time that passes. The system time can be changed.
    fn now_micros(&self) -> i64 {
        self.began_micros + self.env.clock.elapsed_micros() - self.began_elapsed_micros
    }

    /// Advances the clock, and does what an admin does.
    async fn clock_to(&self, at_micros: i64, due: &[(usize, Turn)]) {
        self.env.clock.advance(at_micros - self.now_micros());
        for (_, turn) in due {
            if turn.clock_step_s != 0 {
                self.env.clock.step_s(turn.clock_step_s);
            }
            if turn.ad_interval_s.is_some() {
                let change = RulesChange {
                    ad_interval_s: turn.ad_interval_s,
                    ..RulesChange::default()
                };
                let set = self.env.store.set_play_rules(&change, &Admin::Console);
                set.await.unwrap();
            }
        }
    }

    async fn accept(&self, requests: &[&Request]) -> Vec<IntakeAnswer> {
        let mut answers = Vec::with_capacity(requests.len());
        let all: Vec<IntakeRequest> = requests.iter().map(|one| self.request(one)).collect();
        for group in all.chunks(GROUP) {
            let store = &self.env.store;
            let accepted = store.accept(group, &self.lifetimes, self.env.timezone);
            answers.extend(accepted.await.unwrap());
        }
        answers
    }

    fn request(&self, request: &Request) -> IntakeRequest {
        IntakeRequest {
            event_id: EventId::new(self.env.clock.now_micros(), rand::random()),
            user_id: id(request.user),
            video: self.videos[request.video],
            is_new_account: Some(true),
            command: request.command,
            key: request
                .key
                .as_deref()
                .map(|key| IdempotencyKey::parse(key).unwrap()),
        }
    }
}

/// The next turn of each client.
#[derive(Default)]
struct Schedule {
    order: BinaryHeap<Reverse<(i64, usize)>>,
    turns: BTreeMap<usize, Turn>,
}

impl Schedule {
    fn add(&mut self, actor: usize, turn: Option<Turn>, now_micros: i64) {
        if let Some(turn) = turn {
            let at_micros = turn.at_micros.max(now_micros);
            let rest = at_micros.rem_euclid(TICK_MICROS);
            let at_micros = at_micros + (TICK_MICROS - rest) % TICK_MICROS;
            self.order.push(Reverse((at_micros, actor)));
            self.turns.insert(actor, turn);
        }
    }

    /// Returns the next instant, and the turns of its clients.
    fn next(&mut self) -> Option<(i64, Vec<(usize, Turn)>)> {
        let Reverse((at_micros, _)) = *self.order.peek()?;
        let mut due = Vec::new();
        while let Some(Reverse((next, actor))) = self.order.peek().copied()
            && next == at_micros
        {
            self.order.pop();
            due.extend(self.turns.remove(&actor).map(|turn| (actor, turn)));
        }
        Some((at_micros, due))
    }
}

fn id(user: usize) -> UserId {
    UserId(i64::try_from(user).unwrap() + FIRST_USER)
}

async fn register(env: &TestEnv, users: usize, videos: &[VideoFacts]) {
    let user = |id: UserId| User {
        id,
        username: format!("user{id}"),
    };
    let users: Vec<User> = (0..users).map(|index| user(id(index))).collect();
    env.store
        .register(&[user(UserId(CREATOR))], &[])
        .await
        .unwrap();
    for users in users.chunks(REGISTERED) {
        env.store.register(users, &[]).await.unwrap();
    }
    let videos = videos.iter().map(|video| Video {
        id: video.id,
        owner_id: video.owner_id,
        title: format!("video {}", video.id),
        duration_s: video.duration_s,
    });
    let videos: Vec<Video> = videos.collect();
    for videos in videos.chunks(REGISTERED) {
        env.store.register(&[], videos).await.unwrap();
    }
}
