//! The Lua scripts of the intake, each alone.

use crate::queue::notifier::shared;
use balance_domain::ids::ASSIGNED_IDS;
use balance_test_support::servers::Servers;

pub(super) const VIEWER: &str = include_str!("../../../../lua/viewer.lua");
pub(super) const PLAY: &str = include_str!("../../../../lua/view_increment.lua");
pub(super) const PAUSE: &str = include_str!("../../../../lua/pause.lua");
const USER: &str = "1";
const OWNER: &str = "9";

#[tokio::test(flavor = "multi_thread")]
async fn the_script_alone_keeps_the_original_contract() {
    let servers = shared().await;
    let database = servers.next_database();
    let view = |user: &str, ttl: &str, more: &str| {
        let command = [
            "EVAL", PLAY, "2", "count", "gate", user, OWNER, ttl, more, //
        ];
        servers.redis.command(database, &command)
    };
    assert_eq!(view(OWNER, "30", "1"), ["-1"], "the owner");
    let exist = servers
        .redis
        .command(database, &["EXISTS", "count", "gate"]);
    assert_eq!(exist, ["0"]);
    assert_eq!(view(USER, "30", "1"), ["1"]);
    assert_eq!(view(USER, "30", "1"), ["-2"], "a repeat");
    let left = servers.redis.command(database, &["TTL", "gate"]);
    assert!((1..=30).contains(&left[0].parse::<i64>().unwrap()));
    servers.redis.command(database, &["DEL", "gate"]);
    assert_eq!(view(USER, "30", "3"), ["4"], "by the increment");
    assert_eq!(servers.redis.command(database, &["DBSIZE"]), ["2"]);
    // The first reply is a bulk string, the others are integers.
    servers.redis.command(database, &["DEL", "gate"]);
    let kind = format!("local r = (function() {PLAY} end)() return type(r)");
    let command = ["EVAL", &kind, "2", "count", "gate", USER, OWNER, "30", "1"];
    assert_eq!(servers.redis.command(database, &command), ["string"]);
    assert_eq!(servers.redis.command(database, &command), ["number"]);
}

/// Calls the scripts with the arguments that matter to the tests here.
struct Scripts<'a> {
    servers: &'a Servers,
    database: u32,
    now_ms: String,
}

impl<'a> Scripts<'a> {
    /// Selects an empty database.
    fn new(servers: &'a Servers) -> Self {
        let database = servers.next_database();
        let now_s = &servers.redis.command(database, &["TIME"])[0];
        Self {
            servers,
            database,
            now_ms: format!("{now_s}000"),
        }
    }

    fn command(&self, command: &[&str]) -> Vec<String> {
        self.servers.redis.command(self.database, command)
    }

    fn create_stream(&self) {
        self.command(&["XGROUP", "CREATE", "events", "drain", "0", "MKSTREAM"]);
    }

    /// Plays a video of 600 s in a window of its own.
    fn play(&self, user: &str, owner: &str, video: &str) -> Vec<String> {
        let script = [VIEWER, PLAY].concat();
        let window = format!("gate:{user}:{video}:{}", rand::random::<u32>());
        let session = format!("session:{video}");
        let mut command = vec!["EVAL", &script, "8", "count", &window, "events", &session];
        command.extend(["refused", "answer", "highest", "viewer", user, owner]);
        command.extend(["30", "1", "e1", video, "60", "60", "", "60", "100", "drain"]);
        command.extend([
            &self.now_ms,
            "60000",
            "1",
            "600",
            "",
            "90",
            "2000000",
            "60",
            "0",
        ]);
        self.command(&command)
    }

    /// Pauses a video of 1,000 s with a slot each 2 s.
    fn pause(&self, video: &str, current: &str, request: &str) -> Vec<String> {
        let script = [VIEWER, PAUSE].concat();
        let session = format!("session:{video}");
        let mut command = vec![
            "EVAL", &script, "6", "events", &session, "refused", "answer",
        ];
        command.extend([
            "viewer", "count", USER, OWNER, video, "e1", current, "1000", "2000",
        ]);
        command.extend([
            "60",
            "60",
            request,
            "60",
            "100",
            "drain",
            &self.now_ms,
            "60000",
        ]);
        command.extend(["3", "2", "5,8,6", "1", "90", "5", "14400", "0"]);
        self.command(&command)
    }

    /// Writes a session as a version before the budgets did, opened some seconds ago.
    fn add_old_session(&self, video: &str, position: &str, seconds_ago: i64) -> i64 {
        let now_ms: i64 = self.now_ms.parse().unwrap();
        let since_micros = (now_ms - seconds_ago * 1_000) * 1_000;
        let (session, since) = (format!("session:{video}"), since_micros.to_string());
        self.command(&[
            "HSET", &session, "position", position, "since", &since, "open", "1",
        ]);
        since_micros
    }

    /// Returns the open sessions of the viewer: video, last contact, credit TAT and pause TAT.
    fn open(&self) -> Vec<(String, i64, i64, i64)> {
        let text = self.command(&["HGET", "viewer", "open"]).remove(0);
        let parse = |session: &str| {
            let mut parts = session.split(':');
            let video = parts.next().unwrap().to_owned();
            let mut number = || parts.next().unwrap().parse().unwrap();
            (video, number(), number(), number())
        };
        text.split(',').map(parse).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_alone_needs_a_session_and_stores_its_reply() {
    let servers = shared().await;
    let one = Scripts::new(&servers);
    assert_eq!(one.pause("7", "10", "a"), ["missing"]);
    one.create_stream();
    assert_eq!(one.pause("7", "10", "a"), ["no session"]);
    assert_eq!(one.command(&["DBSIZE"]), ["1"], "a rejection leaves no key");
    assert_eq!(one.play(USER, OWNER, "7"), ["playing", "0", "1"]);
    assert_eq!(one.pause("7", "4", "a"), ["paused", "4", "0"]);
    assert_eq!(one.pause("7", "4", "a"), ["paused", "4", "0"], "stored");
    assert_eq!(one.pause("7", "9", "b"), ["reused"]);
    assert_eq!(one.command(&["XLEN", "events"]), ["2"]);
    let entry = one.command(&["XREVRANGE", "events", "+", "-", "COUNT", "1"]);
    let fields = [
        "id", "e1", "kind", "pause", "user", USER, "video", "7", "from", "0", "credited", "4",
        "reported", "4", "ads", "2:5,4:8", "rules", "3", "new", "1",
    ];
    assert_eq!(entry[1..], fields);
    assert_eq!(one.command(&["HGETALL", "session:7"]), ["position", "4"]);
    assert_eq!(one.pause("7", "1000", "")[2], "1", "the end");
    assert_eq!(one.pause("7", "1000", ""), ["no session"], "it is closed");
    assert_eq!(one.command(&["EXISTS", "session:7"]), ["0"]);
    let lifetime = one.command(&["TTL", "viewer"])[0].parse::<i64>().unwrap();
    assert!((80..=90).contains(&lifetime), "{lifetime}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_position_expired_is_closed() {
    let servers = shared().await;
    let one = Scripts::new(&servers);
    one.create_stream();
    // The owner's play of an open session is no event.
    one.play(OWNER, OWNER, "7");
    one.play(OWNER, OWNER, "7");
    assert_eq!(one.command(&["XLEN", "events"]), ["1"]);
    one.command(&["DEL", "session:7"]);
    assert_eq!(one.pause("7", "4", ""), ["no session"]);
    one.play(OWNER, OWNER, "7");
    assert_eq!(one.command(&["XLEN", "events"]), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_adopts_a_session_of_an_older_version() {
    let servers = shared().await;
    let one = Scripts::new(&servers);
    one.create_stream();
    let since = one.add_old_session("7", "100", 60);
    assert_eq!(one.pause("7", "180", ""), ["paused", "80", "0"]);
    assert_eq!(one.command(&["HGETALL", "session:7"]), ["position", "180"]);
    let (video, contact, credit, _) = one.open().remove(0);
    assert_eq!(video, "7");
    assert!(contact >= since + 60_000_000 && credit >= contact);
    // The time before the adoption is used once, by all sessions together: 40 s took 80 s.
    one.command(&["FLUSHDB"]);
    one.create_stream();
    let first = one.add_old_session("7", "0", 100);
    one.add_old_session("8", "0", 100);
    let credited = |reply: Vec<String>| reply[1].parse::<i64>().unwrap();
    assert_eq!(credited(one.pause("7", "80", "")), 80);
    let used = one.command(&["HGET", "viewer", "credit"])[0].parse::<i64>();
    assert_eq!(used, Ok(first + 40_000_000));
    let rest = credited(one.pause("8", "500", ""));
    assert!((120 + 5..140).contains(&rest), "{rest} s of 60 s");
    assert_eq!(one.open().len(), 2);
    // An old session that was paused while the list is full replaces the oldest one.
    for video in 100..130 {
        one.play(USER, OWNER, &video.to_string());
    }
    assert_eq!(one.open().len(), 32);
    one.add_old_session("9", "0", 10);
    assert_eq!(one.pause("9", "3", "")[0], "paused");
    let open = one.open();
    assert_eq!((open.len(), open[31].0.as_str()), (32, "9"));
    // A time of the future is that of a wrong clock.
    let future = one.add_old_session("9", "0", -100_000);
    assert_eq!(one.pause("9", "900", "")[0], "paused");
    let last = one.command(&["HGET", "viewer", "last"])[0].parse::<i64>();
    assert!(last.unwrap() < future - 90_000_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_play_adopts_a_session_of_an_older_version() {
    let servers = shared().await;
    let one = Scripts::new(&servers);
    one.create_stream();
    let since = one.add_old_session("7", "100", 60);
    assert_eq!(one.play(USER, OWNER, "7"), ["playing", "100", "1"]);
    assert_eq!(one.command(&["HGETALL", "session:7"]), ["position", "100"]);
    let open = one.open();
    assert_eq!(open.len(), 1);
    assert!(open[0].1 >= since + 60_000_000, "opened again");
    // The owner's session was open: the play is no event.
    one.add_old_session("8", "100", 60);
    assert_eq!(one.play(OWNER, OWNER, "8"), ["playing", "100", "0"]);
    assert_eq!(one.command(&["XLEN", "events"]), ["1"]);
    // A process of an older version plays a video that a newer one has played.
    one.add_old_session("7", "100", 0);
    assert_eq!(one.pause("7", "102", ""), ["paused", "2", "0"]);
    assert_eq!(one.open().len(), 2);
    assert_eq!(one.command(&["HGETALL", "session:7"]), ["position", "102"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_play_records_the_highest_assigned_ids() {
    let servers = shared().await;
    let one = Scripts::new(&servers);
    one.create_stream();
    let (first, last) = (ASSIGNED_IDS.start(), ASSIGNED_IDS.end());
    let id = |above: i64| (first + above).to_string();
    let beyond = (last + 1).to_string();
    let play = |user: &str, owner: &str, video: &str| {
        assert_eq!(one.play(user, owner, video)[0], "playing");
        one.command(&["HMGET", "highest", "user", "video"])
    };
    let none = [String::new(), String::new()];
    let before = (first - 1).to_string();
    assert_eq!(play(&before, "7", &beyond), none, "ids of imports");
    assert_eq!(play(&id(4), "7", &id(8)), [id(4), id(8)]);
    assert_eq!(play(&id(3), &id(4), &id(7)), [id(4), id(8)], "lower ids");
    assert_eq!(play(&id(3), &id(5), &id(8)), [id(5), id(8)], "an owner");
    let end = last.to_string();
    assert_eq!(play(&end, &id(5), &end), [end.clone(), end.clone()]);
    let highest = play(&beyond, &beyond, &(last - 1).to_string());
    assert_eq!(highest, [end.clone(), end]);
}
