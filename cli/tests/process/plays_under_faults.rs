//! Plays under faults on `balance serve`, as in a fleet: see `cli/tests/fleet/chaos/plays`.
//!
//! `TEST_PLAY_CHAOS_RUNS` sets the number of runs (default 3), `TEST_SEED` the seed.
//! `TEST_PLAY_CHAOS_KIND` limits the runs to one kind of fault.

use crate::env::{TestEnv, block_on, until, variable};
use balance_test_support::{
    http::{Client, Key, Loss, SET_VIEWER_RULES, Server, ViewerRun},
    midnight::Midnight,
    process::Call,
    servers::Machine,
};
use chrono::{DateTime, TimeDelta};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

const RUNS: usize = 3;
const ROWS: &str = "SELECT user_id, video_id, counted, play_time FROM play_history";
const RECOVERY: Duration = Duration::from_secs(60);
/// The time from the start to midnight: of the runs over midnight, and of the others.
const MIDNIGHT_S: [i64; 2] = [600, 6 * 3_600];

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Killed,
    ClockAhead,
    ClockBack,
    ClockOverMidnight,
    DiskFull,
}

const KINDS: [Kind; 5] = [
    Kind::Killed,
    Kind::ClockAhead,
    Kind::ClockBack,
    Kind::ClockOverMidnight,
    Kind::DiskFull,
];

#[test]
fn acknowledged_plays_survive_each_fault_of_a_server() {
    let seed: u64 = variable("TEST_SEED").map_or_else(rand::random, |seed| {
        seed.parse().expect("TEST_SEED is a number")
    });
    let count = variable("TEST_PLAY_CHAOS_RUNS").map_or(RUNS, |count| {
        count.parse().expect("TEST_PLAY_CHAOS_RUNS is a number")
    });
    eprintln!("TEST_SEED={seed}");
    let mut order = ChaCha8Rng::seed_from_u64(seed);
    let only = variable("TEST_PLAY_CHAOS_KIND");
    let is_wanted = |kind: &Kind| {
        only.as_ref()
            .is_none_or(|only| *only == format!("Server{kind:?}"))
    };
    let mut kinds: Vec<Kind> = KINDS.into_iter().filter(is_wanted).collect();
    assert!(!kinds.is_empty(), "no kind of a server: {only:?}");
    for number in 0..count {
        let position = number % kinds.len();
        if position == 0 {
            kinds.shuffle(&mut order);
        }
        let (kind, seed) = (kinds[position], order.random());
        let what = format!("play chaos run {number}, Server{kind:?}, seed {seed}");
        let began = Instant::now();
        let mut run = Run::start(kind, seed);
        run.viewers().until_acknowledged(100);
        run.inject(kind);
        run.until_plays_continue();
        let acknowledged = run.finish();
        let elapsed = began.elapsed();
        eprintln!("{what}: {acknowledged} acknowledged, 0 lost, ok; total {elapsed:?}");
    }
}

struct Run {
    env: Rc<TestEnv>,
    machine: Arc<Machine>,
    midnight: Midnight,
    server: Server,
    viewers: Option<ViewerRun>,
    rng: ChaCha8Rng,
    /// The requests whose stored replies have expired.
    expired: BTreeSet<Key>,
    /// Whether an admin must launch the day.
    is_abandoned: bool,
}

/// Returns a call on a machine.
fn call(env: &TestEnv, machine: &Machine, zone: &str, args: &[&str]) -> Call {
    let call = env.balance(args).env("BUSINESS_TIMEZONE", zone);
    let variables = machine.variables().into_iter();
    variables.fold(call, |call, (name, path)| call.env(name, path.display()))
}

/// Returns why the API is not ready.
fn not_ready(client: &Client) -> Option<String> {
    let reply = block_on(client.send("GET", "/health/ready", &[], None)).unwrap();
    (reply.status != 200).then(|| reply.json()["errors"].to_string())
}

impl Run {
    fn start(kind: Kind, seed: u64) -> Self {
        let (env, machine) = (Rc::new(TestEnv::empty()), Machine::new());
        let is_near = kind == Kind::ClockOverMidnight;
        let midnight = Midnight::after_s(MIDNIGHT_S[usize::from(!is_near)]);
        for command in [&["migrate"][..], &SET_VIEWER_RULES] {
            let call = call(&env, &machine, &midnight.zone, command);
            call.run().succeeded();
        }
        let server = {
            let (env, machine) = (Rc::clone(&env), Arc::clone(&machine));
            let zone = midnight.zone.clone();
            Server::start(move || call(&env, &machine, &zone, &["serve"]))
        };
        let viewers = ViewerRun::start(server.client(), 8, 300, Duration::from_millis(20));
        Self {
            env,
            machine,
            midnight,
            server,
            viewers: Some(viewers),
            rng: ChaCha8Rng::seed_from_u64(seed),
            expired: BTreeSet::new(),
            is_abandoned: false,
        }
    }

    fn viewers(&self) -> &ViewerRun {
        self.viewers.as_ref().unwrap()
    }

    fn balance(&self, args: &[&str]) -> Call {
        call(&self.env, &self.machine, &self.midnight.zone, args)
    }

    fn until_not_ready(&self, words: &str) {
        let client = self.server.client();
        let mut last = None;
        until(words, || {
            let now = not_ready(&client);
            if now != last {
                eprintln!("ready: {now:?}");
                last.clone_from(&now);
            }
            now.is_some_and(|reason| reason.contains(words))
        });
    }

    fn until_plays_continue(&self) {
        let began = Instant::now();
        self.viewers().until_acknowledged(100);
        let client = self.server.client();
        until("the API to be ready", || not_ready(&client).is_none());
        let elapsed = began.elapsed();
        assert!(elapsed < RECOVERY, "plays continued after {elapsed:?}");
    }

    fn inject(&mut self, kind: Kind) {
        match kind {
            Kind::Killed => {
                self.server.kill();
                self.server.restart();
            }
            Kind::ClockAhead => {
                self.machine.step_clock(TimeDelta::days(3));
                self.viewers().until_acknowledged(100);
                self.machine.step_clock(TimeDelta::zero());
                self.expired = self.viewers().acknowledged();
                self.repair_clock();
            }
            Kind::ClockBack => {
                self.machine.step_clock(TimeDelta::hours(-1));
                self.until_not_ready("`balance clock repair`");
                self.machine.step_clock(TimeDelta::zero());
            }
            Kind::ClockOverMidnight => {
                self.machine.step_clock(TimeDelta::minutes(20));
                self.viewers().until_acknowledged(100);
                self.is_abandoned = self.rng.random();
                if self.is_abandoned {
                    self.balance(&["settle"]).run().succeeded();
                    self.viewers().until_acknowledged(30);
                }
                self.machine.step_clock(TimeDelta::zero());
                self.repair_clock();
            }
            Kind::DiskFull => {
                self.machine.fill_disk(true);
                until("the server to report the full disk", || {
                    let log = self.server.stderr();
                    log.contains(
                        "failed to persist plays and pauses error=the disk of the database is full",
                    )
                });
                self.until_not_ready("the disk of the database is full");
                self.machine.fill_disk(false);
            }
        }
    }

    fn repair_clock(&self) {
        self.until_not_ready("`balance clock repair`");
        let repaired = self.balance(&["clock", "repair"]).run().succeeded();
        assert!(repaired.stdout.contains("moved"), "{repaired:?}");
    }

    /// Asserts that the history has the acknowledged actions, settles the day and verifies. Returns the
    /// number of acknowledged actions.
    fn finish(mut self) -> usize {
        let ended = self.viewers.take().unwrap().finish();
        let loss = Loss {
            repeated: self.expired.clone(),
            ..Loss::default()
        };
        let rows = self.env.rows(ROWS);
        ended.replies.assert_persisted_except(&rows, &loss);
        ended.replies.assert_seconds(&rows);
        ended.assert_replies_repeat_of(|key| !loss.repeated.contains(key));
        assert_eq!(self.env.rows(ROWS).len(), rows.len(), "a repeated request");
        let over = DateTime::from_timestamp_micros(self.midnight.at_micros).unwrap();
        let ahead = over + TimeDelta::seconds(60) - self.machine.now();
        self.machine.step_clock(ahead);
        let day = self.midnight.day.to_string();
        if self.is_abandoned {
            let launch = ["jobs", "launch", "--date", &day];
            self.balance(&launch).run().succeeded();
        }
        self.balance(&["settle"]).run().succeeded();
        let settled = "SELECT COUNT(*) FROM video_statistics";
        until("the day to be settled", || self.env.value(settled) != "0");
        assert_eq!(
            self.env.rows("SELECT DISTINCT date FROM play_history"),
            [day]
        );
        self.server.end().succeeded();
        self.env.balance(&["verify"]).run().succeeded();
        ended.replies.acknowledged.len()
    }
}
