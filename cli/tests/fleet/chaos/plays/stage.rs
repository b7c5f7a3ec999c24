//! A fleet with servers of its own, and the viewers that play on it.

use super::{
    database, entries,
    entries::{Gone, State},
    faults::Kind,
};
use crate::{
    env::TestEnv,
    operations::redis_failover::not_ready,
    playback::service::SECRET,
    worker::{Fleet, Worker},
};
use balance_test_support::{
    http::{Key, Loss, Server, VIEWER_SETTINGS, ViewerRun},
    midnight::Midnight,
    process::until,
    servers::{Machine, MariaDb, PASSWORD, Proxy, Redis, Servers},
};
use chrono::{DateTime, TimeDelta};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeSet,
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const VIEWERS: usize = 6;
const FILMS: usize = 400;
const PACE: Duration = Duration::from_millis(30);
/// The longest time from a repair until plays continue.
const RECOVERY: Duration = Duration::from_secs(60);
/// The time from the start to midnight: of the runs over midnight, and of the others.
const MIDNIGHT_S: [i64; 2] = [600, 6 * 3_600];
const ROWS: &str = "SELECT user_id, video_id, counted, play_time FROM play_history";

pub(super) struct Stage {
    pub(super) env: Rc<TestEnv>,
    /// The machine of the processes of Balance and of the Redis servers of the intake.
    pub(super) machine: Arc<Machine>,
    /// The machine of MariaDB.
    pub(super) database_machine: Arc<Machine>,
    /// The servers of the intake; the last one is in use.
    pub(super) intakes: Vec<Redis>,
    pub(super) intake_proxy: Proxy,
    pub(super) replica: Option<MariaDb>,
    pub(super) database_proxy: Proxy,
    pub(super) apis: Vec<Server>,
    pub(super) fleet: Fleet,
    viewers: Option<ViewerRun>,
    pub(super) midnight: Midnight,
    pub(super) rng: ChaCha8Rng,
    /// The entries that the fault has lost.
    pub(super) gone: Vec<Gone>,
    /// Whether the replies of the lost entries are lost too.
    pub(super) loses_replies: bool,
    /// The requests whose stored replies have expired.
    pub(super) expired: BTreeSet<Key>,
    /// Whether an admin must launch the day.
    pub(super) is_abandoned: bool,
    /// The key of the stream.
    pub(super) stream: String,
}

impl Stage {
    pub(super) fn start(kind: Kind, seed: u64) -> Self {
        let (machine, database_machine) = (Machine::new(), Machine::new());
        let is_replicated = kind.needs_replica();
        let (mariadb, replica) = thread::scope(|scope| {
            let start =
                |number| MariaDb::start_on(&database_machine, is_replicated.then_some(number));
            let replica = is_replicated.then(|| scope.spawn(move || start(2)));
            let mariadb = start(1);
            (mariadb, replica.map(|replica| replica.join().unwrap()))
        });
        if let Some(replica) = &replica {
            database::follow(replica, &mariadb);
        }
        let servers = Servers::of(mariadb, Redis::start());
        let intake = Redis::start_on(Some(&machine));
        let intake_proxy = Proxy::start(intake.port);
        let database_proxy = Proxy::start(servers.mariadb.port);
        let midnight = Midnight::after_s(MIDNIGHT_S[usize::from(kind != Kind::ClockOverMidnight)]);
        let env = environment(
            &servers,
            &machine,
            [&intake_proxy, &database_proxy],
            &midnight.zone,
        );
        env.balance(&["migrate"]).run().succeeded();
        let env = Rc::new(env);
        let apis: Vec<Server> = (0..2).map(|_| api(&env)).collect();
        let fleet = Fleet::start(&env, 2);
        let clients = apis.iter().map(Server::client).collect();
        let viewers = ViewerRun::start_at(clients, VIEWERS, FILMS, PACE);
        let stream = env.stream(0);
        Self {
            env,
            machine,
            database_machine,
            intakes: vec![intake],
            intake_proxy,
            replica,
            database_proxy,
            apis,
            fleet,
            viewers: Some(viewers),
            midnight,
            rng: ChaCha8Rng::seed_from_u64(seed),
            gone: Vec::new(),
            loses_replies: false,
            expired: BTreeSet::new(),
            is_abandoned: false,
            stream,
        }
    }

    pub(super) fn viewers(&self) -> &ViewerRun {
        self.viewers.as_ref().unwrap()
    }

    /// Returns the server of the intake that is in use.
    pub(super) fn intake(&self) -> &Redis {
        self.intakes.last().unwrap()
    }

    /// Sends a command to the server of the intake.
    pub(super) fn redis(&self, command: &[&str]) -> Vec<String> {
        self.intake().command(self.env.number, command)
    }

    pub(super) fn entries(&self) -> State {
        entries::read(&self.env, self.intake(), &self.stream)
    }

    /// Waits until all API processes report a reason for not being ready.
    pub(super) fn until_not_ready(&self, words: &str) {
        for api in &self.apis {
            let client = api.client();
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
    }

    /// Waits until plays and pauses are acknowledged again by all processes.
    pub(super) fn until_plays_continue(&self) {
        let began = Instant::now();
        self.viewers().until_acknowledged(40);
        for api in &self.apis {
            let client = api.client();
            until("the API to be ready", || not_ready(&client).is_none());
        }
        let elapsed = began.elapsed();
        assert!(elapsed < RECOVERY, "plays continued after {elapsed:?}");
    }

    pub(super) fn start_worker(&mut self) {
        let call = self.env.balance(&["worker"]);
        self.fleet.workers.push(Worker::start(&self.env, call));
    }

    /// Freezes the workers, so that the entries of further actions stay unread.
    pub(super) fn freeze_workers(&self) {
        for worker in &self.fleet.workers {
            worker.signal("STOP");
            until("a worker to freeze", || worker.is_frozen());
        }
    }

    pub(super) fn continue_workers(&self) {
        for worker in &self.fleet.workers {
            worker.signal("CONT");
        }
    }

    /// Waits until the event writers have persisted all entries.
    pub(super) fn until_persisted(&self) {
        until("the event writers to persist all entries", || {
            self.entries().is_persisted()
        });
    }

    /// Returns what the documents call lost: entries that no event writer had read, if no retry has
    /// repeated them.
    fn loss(&self) -> Loss {
        let again: BTreeSet<Key> = self
            .entries()
            .entries
            .iter()
            .map(|entry| entry.key)
            .collect();
        let of = |is_one: fn(&Gone) -> bool| -> BTreeSet<Key> {
            let gone = self.gone.iter().filter(|gone| is_one(gone));
            gone.map(|gone| gone.key).collect()
        };
        let mut loss = Loss {
            lost: &of(|gone| gone.is_unread) - &again,
            uncertain: of(|gone| gone.is_pending),
            repeated: self.expired.clone(),
        };
        if self.loses_replies {
            loss.repeated.extend(of(|_| true));
        }
        loss
    }

    /// Asserts that the history has the acknowledged actions, settles the day and verifies.
    pub(super) fn finish(mut self) -> String {
        let ended = self.viewers.take().unwrap().finish();
        self.until_persisted();
        let loss = self.loss();
        let rows = self.env.database.rows(ROWS);
        ended.replies.assert_persisted_except(&rows, &loss);
        ended.replies.assert_seconds(&rows);
        let is_kept = |key: &Key| !loss.repeated.contains(key);
        ended.assert_replies_repeat_of(is_kept);
        self.until_persisted();
        let again = self.env.database.rows(ROWS);
        assert_eq!(again.len(), rows.len(), "a repeated request is no action");
        for table in ["late_event", "rejected_event"] {
            let left = self.env.database.rows(&format!("SELECT * FROM {table}"));
            assert!(left.is_empty(), "{table}: {left:?}");
        }
        self.settle();
        let acknowledged = ended.replies.acknowledged.len();
        let lost = ended.replies.acknowledged.keys();
        let lost = lost.filter(|key| loss.lost.contains(key)).count();
        let refused = ended.replies.refused.len();
        format!("{acknowledged} acknowledged, {lost} lost as documented, {refused} refused, ok")
    }

    /// Settles the day after its end.
    fn settle(mut self) {
        for api in self.apis.drain(..) {
            api.end().succeeded();
        }
        let over = DateTime::from_timestamp_micros(self.midnight.at_micros).unwrap();
        let ahead = over + TimeDelta::seconds(60) - self.machine.now();
        self.machine.step_clock(ahead);
        let day = self.midnight.day.to_string();
        if self.is_abandoned {
            let launch = ["jobs", "launch", "--date", &day];
            self.env.balance(&launch).run().succeeded();
        } else {
            self.env.balance(&["settle"]).run().succeeded();
        }
        self.env.until_settled_last(&day);
        let dates = self
            .env
            .database
            .rows("SELECT DISTINCT date FROM play_history");
        assert_eq!(dates, [day], "all actions are of one day");
        self.fleet.end();
        self.env.balance(&["verify"]).run().succeeded();
    }
}

fn api(env: &Rc<TestEnv>) -> Server {
    let env = Rc::clone(env);
    Server::start(move || env.balance(&["api"]))
}

/// Creates an environment whose processes run on a machine and use the proxies of the intake and of the
/// database.
fn environment(
    servers: &Arc<Servers>,
    machine: &Machine,
    [intake, database]: [&Proxy; 2],
    zone: &str,
) -> TestEnv {
    let address = format!("mysql://balance:{PASSWORD}@127.0.0.1:{}", database.port);
    let env = TestEnv::empty_at(servers, &address);
    // The account of the processes has no right to write in spite of read_only.
    let limited = env.database.url.replace("balance:", "limited:");
    let notifications = servers.redis.url(PASSWORD, env.number);
    let events = format!(
        "redis://:{PASSWORD}@127.0.0.1:{}/{}",
        intake.port, env.number
    );
    let mut env = env
        .without("DATABASE_URL")
        .without("REDIS_URL")
        .with("DATABASE_URL", limited)
        .with("REDIS_URL", events)
        .with("QUEUE_REDIS_URL", notifications)
        .with("BUSINESS_TIMEZONE", zone)
        .with("JWT_SECRET", SECRET)
        .with("LEASE_S", 2)
        .with("INTAKE_SHARDS", 1)
        .with_all(VIEWER_SETTINGS);
    for (name, path) in machine.variables() {
        env = env.with(name, path.display());
    }
    env
}
