//! The upgrade of a fleet of version 0.1, whose streams are sharded by video.

use crate::{
    env::TestEnv,
    playback::{
        intake::{RULES, opened_as, paused, request, timezone},
        service::SECRET,
    },
    plays,
    worker::Fleet,
};
use balance_domain::clock::{Clock, SystemClock};
use balance_service::playback::intake::Intake;
use balance_store::playback::Command;
use balance_test_support::{
    http::Server,
    process::{block_on, until},
    servers::{PASSWORD, Servers},
};
use chrono::{Days, NaiveDate};
use std::{rc::Rc, sync::Arc};

const CLOSE_DAY: &str = include_str!("../../../../lua/close_day.lua");
pub(crate) const LAYOUT: &str = "SELECT COUNT(*) FROM setting WHERE name = 'stream_layout'";
pub(crate) const HISTORY: &str = "SELECT COUNT(*) FROM play_history";

/// A day before the upgrade.
struct PastDay {
    date: NaiveDate,
    begin_ms: i64,
    end_ms: i64,
}

impl PastDay {
    /// Returns a day that ended some days ago, 1 and up.
    fn ended(days: u64) -> Self {
        let today = timezone().day_of(SystemClock.now_micros()).unwrap().date;
        let date = today - Days::new(days);
        let end_ms = timezone().day(date).unwrap().end_micros / 1_000;
        Self {
            date,
            begin_ms: end_ms - 86_400_000,
            end_ms,
        }
    }

    /// Appends views of the day to a stream.
    fn fill(&self, env: &TestEnv, stream: &str, first: usize, count: usize) {
        let script = "for n = ARGV[2], ARGV[2] + ARGV[3] - 1 do \
                      redis.call('XADD', KEYS[1], string.format('%.0f', ARGV[1] + n) .. '-0', \
                      'id', string.format('%032x', n), 'kind', 'play', \
                      'user', tostring(10000 + n), 'video', string.format('%.0f', 1 + n % 50), \
                      'counted', '1') end return 'OK'";
        let numbers = [
            self.begin_ms.to_string(),
            first.to_string(),
            count.to_string(),
        ];
        let mut command = vec!["EVAL", script, "1", stream];
        command.extend(numbers.iter().map(String::as_str));
        assert_eq!(env.servers.redis.command(env.number, &command), ["OK"]);
    }
}

/// Returns an environment in the state that version 0.1 leaves, without plays.
pub(crate) fn by_video(servers: &Arc<Servers>, shards: u16) -> TestEnv {
    let env = TestEnv::new(servers)
        .with("INTAKE_SHARDS", shards)
        .with("JWT_SECRET", SECRET)
        .with("STREAM_RETENTION_H", 200)
        .with("LEASE_S", 2);
    // Registers the videos 1 to 50.
    env.import(&plays::day(&PastDay::ended(3).date.to_string(), 50));
    env.database
        .execute("UPDATE setting SET value = 'created' WHERE name = 'stream_state'");
    env.database.execute(&format!(
        "INSERT INTO setting VALUES ('intake_shards', '{shards}')"
    ));
    for shard in 0..shards {
        let stream = env.stream_by_video(shard);
        let create = ["XGROUP", "CREATE", &stream, "drain", "0", "MKSTREAM"];
        servers.redis.command(env.number, &create);
    }
    let register = ["SADD", "balance:streams", &env.identity()];
    servers.redis.command(env.number, &register);
    env
}

fn key_by_video(env: &TestEnv, shard: u16, name: &str) -> String {
    format!("{{{}:s{shard}}}:{name}", env.identity())
}

#[test]
fn a_fleet_is_upgraded_and_the_days_across_the_upgrade_are_settled() {
    const EVENTS: usize = 900;
    let servers = Servers::shared();
    let env = Rc::new(by_video(&servers, 3));
    let day = PastDay::ended(2);
    let command = |command: &[&str]| servers.redis.command(env.number, command);
    for shard in 0..3 {
        let stream = env.stream_by_video(shard);
        day.fill(&env, &stream, usize::from(shard) * 300, 300);
    }
    // An event writer of version 0.1 was killed with entries that it had read.
    let stream = env.stream_by_video(1);
    let read = ["XREADGROUP", "GROUP", "drain", "dead", "COUNT", "50"];
    command(&[&read[..], &["STREAMS", &stream, ">"]].concat());
    let suppressed = format!("refused:{}", day.date);
    for (shard, video, count) in [(0, "7:own", "3"), (2, "9:own", "4")] {
        let key = key_by_video(&env, shard, &suppressed);
        command(&["HSET", &key, video, count]);
    }
    let session = key_by_video(&env, 2, "session:7:9");
    command(&["HSET", &session, "position", "42"]);
    // A count that version 0.1 has saved, before Redis raised it.
    env.database.execute(&format!(
        "INSERT INTO refusal_count (date, video_id, reason, count) VALUES ('{}', 7, 'own', 2)",
        day.date
    ));

    let server = Server::start_unready({
        let env = Rc::clone(&env);
        move || env.balance(&["api"])
    });
    let client = server.client();
    let ready = block_on(client.request("GET", "/health/ready", ""));
    let waiting = "900 entries wait in 3 of 3 shards";
    assert!(ready.text.contains(waiting), "{}", ready.text);
    let fleet = Fleet::start(&env, 2);
    until("the upgrade", || env.database.number(LAYOUT) == 1);
    until("the API to be ready", || block_on(client.is_ready()));
    env.until_settled_last(&day.date.to_string());
    let views = format!(
        "SELECT SUM(view_count) FROM video_statistics WHERE date = '{}'",
        day.date
    );
    assert_eq!(env.database.value(&views), EVENTS.to_string());
    let saved = "SELECT video_id, SUM(count) FROM refusal_count GROUP BY video_id ORDER BY 1";
    until("the suppressed counts", || {
        env.database.rows(saved) == ["7|3", "9|4"]
    });
    assert_eq!(command(&["EXISTS", &session]), ["0"]);
    let session = command(&["KEYS", "*:session:7:9"]);
    assert_eq!(command(&["HGET", &session[0], "position"]), ["42"]);
    // A worker of version 0.1 that still runs cannot close a day.
    let end = day.end_ms.to_string();
    for shard in 0..3 {
        let stream = env.stream_by_video(shard);
        let closed = command(&["EVAL", CLOSE_DAY, "1", &stream, "drain", &end]);
        assert_eq!(closed, ["missing"]);
    }
    fleet.end();
    server.end().succeeded();
    env.balance(&["verify"]).run().succeeded();

    // The retired entries can be replayed into a new database.
    let empty = TestEnv::new(&servers)
        .with("REDIS_URL", servers.redis.url(PASSWORD, env.number))
        .with("INTAKE_SHARDS", 3);
    empty.import(&plays::day(&PastDay::ended(3).date.to_string(), 50));
    let adopt = ["events", "adopt", "--identity", &env.identity()];
    empty.balance(&adopt).run().succeeded();
    let replayed = empty.balance(&["events", "replay", "--json"]).run();
    assert_eq!(replayed.succeeded().json()["new"], EVENTS);
    empty.balance(&["settle"]).run().succeeded();
    assert_eq!(empty.database.value(&views), EVENTS.to_string());
    assert_eq!(empty.database.number(LAYOUT), 1, "found and recorded");
}

/// A session that version 0.1 opened stays open for its next pause.
fn adopts_a_moved_session(env: &TestEnv) {
    let url = env.servers.redis.url(PASSWORD, env.number);
    let (identity, clock) = (env.identity().parse().unwrap(), Arc::new(SystemClock));
    let answer = block_on(async {
        let intake = opened_as(&url, identity, 2, 1_000, RULES, clock).unwrap();
        let pause = request(7, 9, Command::Pause { current_s: 27 });
        intake.accept(pause).await.unwrap()
    });
    assert_eq!(answer, paused(20, false));
    let command = |command: &[&str]| env.servers.redis.command(env.number, command);
    let session = command(&["KEYS", "*:session:7:9"]);
    assert_eq!(command(&["HGETALL", &session[0]]), ["position", "27"]);
    let viewer = command(&["KEYS", "*:viewer:7"]);
    let open = command(&["HGET", &viewer[0], "open"]);
    assert!(open[0].starts_with("9:"), "{open:?}");
}

#[test]
fn an_upgrade_that_ended_at_any_step_is_completed() {
    let servers = Servers::shared();
    let day = PastDay::ended(2);
    for step in 0..5 {
        let env = by_video(&servers, 2);
        let command = |command: &[&str]| servers.redis.command(env.number, command);
        let (stream, other) = (env.stream_by_video(0), env.stream_by_video(1));
        day.fill(&env, &stream, 0, 10);
        let before = env.database.number(HISTORY);
        let session = |user: i64| key_by_video(&env, 1, &format!("session:{user}:9"));
        for user in 1..=20 {
            let user_text = user.to_string();
            let since = SystemClock.now_micros().to_string();
            let of_session = ["position", &user_text, "since", &since, "open", "1"];
            command(&[&["HSET", &session(user)], &of_session[..]].concat());
        }
        let retired = [0, 1].map(|shard| key_by_video(&env, shard, "retired"));
        if step >= 1 {
            command(&["RENAME", &other, &retired[1]]);
        }
        if step >= 2 {
            let read = ["XREADGROUP", "GROUP", "drain", "one"];
            command(&[&read[..], &["STREAMS", &stream, ">"]].concat());
            let acknowledge = "for n = 0, 9 do redis.call('XACK', KEYS[1], 'drain', \
                               string.format('%.0f', ARGV[1] + n) .. '-0') end return 'OK'";
            command(&["EVAL", acknowledge, "1", &stream, &day.begin_ms.to_string()]);
            command(&["RENAME", &stream, &retired[0]]);
        }
        if step >= 3 {
            let create = ["XGROUP", "CREATE", &env.stream(0), "drain", "0", "MKSTREAM"];
            command(&create);
        }
        if step >= 4 {
            let create = ["XGROUP", "CREATE", &env.stream(1), "drain", "0", "MKSTREAM"];
            command(&create);
        }
        let fleet = Fleet::start(&env, 2);
        until("the upgrade", || env.database.number(LAYOUT) == 1);
        fleet.end();
        let persisted = env.database.number(HISTORY) - before;
        assert_eq!(persisted, if step < 2 { 10 } else { 0 }, "step {step}");
        if step == 0 {
            adopts_a_moved_session(&env);
        }
        let sessions = command(&["KEYS", "*:session:*"]);
        assert_eq!(sessions.len(), 20, "step {step}");
        let prefix = format!("{{{}:u", env.identity());
        assert!(
            sessions.iter().all(|key| key.starts_with(&prefix)),
            "{sessions:?}"
        );
        // The other retired stream has no entry, and a worker may have deleted it.
        let found = [env.stream(0), env.stream(1), retired[0].clone()];
        for key in found {
            assert_eq!(command(&["EXISTS", &key]), ["1"], "step {step}: {key}");
        }
        env.balance(&["settle"]).run().succeeded();
    }
}

#[test]
fn a_stream_by_video_beside_those_by_viewer_is_named_and_never_merged() {
    let servers = Servers::shared();
    let env = by_video(&servers, 2);
    let command = |command: &[&str]| servers.redis.command(env.number, command);
    let (before, day) = (PastDay::ended(3), PastDay::ended(2));
    let (earlier, date) = (before.date.to_string(), day.date.to_string());
    let settle = ["settle", "--date", &date];
    // A failover lost the upgrade.
    let layout = "INSERT INTO setting VALUES ('stream_layout', 'viewer')";
    env.database.execute(layout);
    let lost = env.balance(&settle).run();
    lost.failed(&["REDIS_URL", "a failover", "the shards 0, 1 have"]);
    env.database
        .execute("DELETE FROM setting WHERE name = 'stream_layout'");
    // A part of the streams is lost: no part is read as empty.
    command(&["DEL", &env.stream_by_video(1)]);
    let lost = env.balance(&settle).run();
    lost.failed(&["REDIS_URL", &env.identity(), "balance events adopt"]);
    env.balance(&["events", "adopt"]).run().succeeded();
    assert_eq!(command(&["EXISTS", &env.stream_by_video(1)]), ["1"]);
    env.balance(&["settle", "--date", &earlier])
        .run()
        .succeeded();
    assert_eq!(env.database.number(LAYOUT), 1);
    let persisted = env.database.number(HISTORY);

    // A process of version 0.1 creates its streams again, and accepts plays.
    let again = env.stream_by_video(1);
    day.fill(&env, &again, 0, 10);
    let names = [
        "REDIS_URL",
        "older version",
        "the shards 1 have",
        "Upgrades",
    ];
    for args in [&settle[..], &["worker"], &["api"], &["events", "adopt"]] {
        let call = env.balance(args).env("LISTEN_ADDR", "127.0.0.1:0");
        call.run().failed(&names);
    }
    assert_eq!(command(&["XLEN", &again]), ["10"]);
    assert_eq!(env.database.number(HISTORY), persisted);
    let closed = "SELECT date FROM closed_through";
    assert_eq!(env.database.value(closed), earlier);
    // The steps of the documentation.
    let retired = key_by_video(&env, 1, "retired");
    command(&["DEL", &retired]);
    assert_eq!(command(&["RENAMENX", &again, &retired]), ["1"]);
    env.balance(&["events", "replay"]).run().succeeded();
    env.balance(&settle).run().succeeded();
    assert_eq!(env.database.number(HISTORY), persisted + 10);

    // A failover lost the end of the upgrade: the last keys and the streams by viewer.
    let session = key_by_video(&env, 1, "session:7:9");
    command(&["HSET", &session, "position", "42"]);
    command(&["DEL", &env.stream(0), &env.stream(1)]);
    let lost = env.balance(&settle).run();
    lost.failed(&["REDIS_URL", "balance events adopt"]);
    env.balance(&["events", "adopt"]).run().succeeded();
    let moved = command(&["KEYS", "*:u*:session:7:9"]);
    assert_eq!(command(&["HGET", &moved[0], "position"]), ["42"]);
    env.balance(&["events", "adopt"])
        .run()
        .failed(&["complete"]);

    // A layout of a later version is rejected.
    env.database
        .execute("UPDATE setting SET value = 'later' WHERE name = 'stream_layout'");
    env.balance(&settle)
        .run()
        .failed(&["stream_layout", "later"]);
}
