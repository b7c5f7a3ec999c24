//! The Lua scripts of the intake: each alone, and both compared with the domain, on a clock that the
//! test sets.

use crate::queue::notifier::shared;
use balance_domain::{
    ids::ASSIGNED_IDS,
    playback::{PlaybackRate, Session},
    videos::{AdId, AdInterval, AdSchedule},
};
use balance_test_support::{process::block_on, servers::Servers};
use proptest::prelude::*;
use std::sync::Arc;

const PLAY: &str = include_str!("../../../../lua/view_increment.lua");
const PAUSE: &str = include_str!("../../../../lua/pause.lua");
const USER: &str = "1";
const OWNER: &str = "9";
/// The duration of the video in seconds.
const DURATION_S: i64 = 1_000;
/// The distance of its ad slots in seconds.
const INTERVAL_S: i64 = 70;
/// An instant in 2023, in microseconds since 1970 (UTC).
const BEGAN_MICROS: i64 = 1_700_000_000_000_000;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_alone_needs_a_session_and_stores_its_reply() {
    let servers = shared().await;
    let database = servers.next_database();
    let redis_command = |command: &[&str]| servers.redis.command(database, command);
    let now_ms = redis_command(&["TIME"])[0].clone() + "000";
    let pause = |current: &str, request: &str| {
        let mut command = vec![
            "EVAL", PAUSE, "4", "events", "session", "refused", "answer", USER, OWNER, "7", "e1",
        ];
        command.extend([current, "1000", "2000", "60", "60", request, "60"]);
        command.extend(["10", "drain", &now_ms, "60000", "3", "2", "5,8,6"]);
        redis_command(&command)
    };
    assert_eq!(pause("10", "a"), ["missing"]);
    redis_command(&["XGROUP", "CREATE", "events", "drain", "0", "MKSTREAM"]);
    assert_eq!(pause("10", "a"), ["no session"]);
    assert_eq!(
        redis_command(&["DBSIZE"]),
        ["1"],
        "a rejection leaves no key"
    );
    let now = redis_command(&["TIME"])[0].clone() + "000000";
    redis_command(&[
        "HSET", "session", "position", "4", "since", &now, "open", "1",
    ]);
    assert_eq!(pause("8", "a"), ["paused", "4", "0"]);
    assert_eq!(pause("8", "a"), ["paused", "4", "0"], "the stored reply");
    assert_eq!(pause("9", "b"), ["reused"]);
    assert_eq!(redis_command(&["XLEN", "events"]), ["1"]);
    let entry = redis_command(&["XRANGE", "events", "-", "+"]);
    let fields = [
        "id", "e1", "kind", "pause", "user", USER, "video", "7", "from", "4", "credited", "4",
        "reported", "4", "ads", "6:6,8:5", "rules", "3",
    ];
    assert_eq!(entry[1..], fields);
    assert_eq!(pause("1000", "")[2], "1", "the end");
    assert_eq!(pause("1000", ""), ["no session"], "it is closed");
    assert_eq!(redis_command(&["EXISTS", "session"]), ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_play_records_the_highest_assigned_ids() {
    let servers = shared().await;
    let database = servers.next_database();
    let redis_command = |command: &[&str]| servers.redis.command(database, command);
    redis_command(&["XGROUP", "CREATE", "events", "drain", "0", "MKSTREAM"]);
    let now_ms = redis_command(&["TIME"])[0].clone() + "000";
    let (first, last) = (ASSIGNED_IDS.start(), ASSIGNED_IDS.end());
    let id = |above: i64| (first + above).to_string();
    let beyond = (last + 1).to_string();
    let mut windows = 0;
    let mut play = |user: &str, owner: &str, video: &str| {
        windows += 1;
        let window = format!("gate{windows}");
        let mut command = vec!["EVAL", PLAY, "7", "count", &window, "events", "session"];
        command.extend([
            "refused", "answer", "highest", user, owner, "30", "1", "e1", video,
        ]);
        command.extend([
            "60", "60", "", "60", "10", "drain", &now_ms, "60000", "1", "600",
        ]);
        assert_eq!(redis_command(&command)[0], "playing");
        redis_command(&["HMGET", "highest", "user", "video"])
    };
    let none = [String::new(), String::new()];
    let before = (first - 1).to_string();
    assert_eq!(play(&before, "7", &beyond), none, "ids of imports");
    assert_eq!(play(&id(4), "7", &id(8)), [id(4), id(8)]);
    assert_eq!(play(&id(3), &id(4), &id(7)), [id(4), id(8)], "lower ids");
    assert_eq!(play(&id(3), &id(5), &id(8)), [id(5), id(8)], "an owner");
    let end = last.to_string();
    assert_eq!(play(&end, &id(5), &end), [end.clone(), end.clone()]);
    assert_eq!(play(&beyond, &beyond, &beyond), [end.clone(), end]);
}

/// A request, and the microseconds since the last one. They are negative if the clock is set back.
#[derive(Debug, Clone, Copy)]
enum Step {
    Play { after_micros: i64 },
    Pause { after_micros: i64, current_s: i64 },
}

/// Returns a script that runs a session with both scripts. After the first four arguments, each
/// step has three. The script replaces `TIME` by the clock of the test.
fn driver() -> String {
    format!(
        "local server, now = redis, 0
         local redis = {{ call = function(name, ...)
             if name == 'TIME' then
                 return {{ tostring(math.floor(now / 1000000)), tostring(now % 1000000) }}
             end
             return server.call(name, ...)
         end }}
         local function play(KEYS, ARGV) {PLAY} end
         local function pause(KEYS, ARGV) {PAUSE} end
         server.call('XGROUP', 'CREATE', 'events', 'drain', '0', 'MKSTREAM')
         local user, rate, ads, lines = ARGV[1], ARGV[2], ARGV[4], {{}}
         for i = 5, #ARGV, 3 do
             now = tonumber(ARGV[i + 1])
             local answer
             if ARGV[i] == 'play' then
                 answer = play({{ 'count', 'gate', 'events', 'session', 'refused', 'answer',
                     'highest' }},
                     {{ user, '{OWNER}', '0', '1', 'e', '7', '60', '60', '', '60', '1000', 'drain',
                     '0', '1e15', '1', '{DURATION_S}' }})
             else
                 answer = pause({{ 'events', 'session', 'refused', 'answer' }},
                     {{ user, '{OWNER}', '7', 'e', ARGV[i + 2], ARGV[3], rate, '60', '60', '', '60',
                     '1000', 'drain', '0', '1e15', '1', '{INTERVAL_S}', ads }})
             end
             local state = server.call('HMGET', 'session', 'position', 'since', 'open')
             lines[#lines + 1] = table.concat(answer, ' ') .. ' | ' .. (state[1] or '-') .. ' ' ..
                 (state[2] or '-') .. ' ' .. (state[3] or '-')
         end
         local capped, shown = 0, {{}}
         for _, event in ipairs(server.call('XRANGE', 'events', '-', '+')) do
             if event[2][4] == 'pause' then
                 capped = capped + event[2][14] - event[2][12]
                 shown[#shown + 1] = event[2][16]
             end
         end
         lines[#lines + 1] = string.format('%.0f capped', capped)
         lines[#lines + 1] = table.concat(shown, ' ')
         server.call('DEL', 'count', 'gate', 'events', 'session', 'refused', 'answer')
         return lines"
    )
}

/// Returns the results of the scripts.
fn script_results(
    servers: &Servers,
    database: u32,
    user: &str,
    rate: u32,
    ads: &[AdId],
    steps: &[Step],
) -> Vec<String> {
    let (driver, rate, length) = (driver(), rate.to_string(), DURATION_S.to_string());
    let ads: Vec<String> = ads.iter().map(ToString::to_string).collect();
    let ads = ads.join(",");
    let mut now_micros = BEGAN_MICROS;
    let mut arguments = Vec::new();
    for step in steps {
        let (name, after_micros, current_s) = match *step {
            Step::Play { after_micros } => ("play", after_micros, 0),
            Step::Pause {
                after_micros,
                current_s,
            } => ("pause", after_micros, current_s),
        };
        now_micros += after_micros;
        arguments.extend([
            name.to_owned(),
            now_micros.to_string(),
            current_s.to_string(),
        ]);
    }
    let mut command = vec!["EVAL", &driver, "0", user, &rate, &length, &ads];
    command.extend(arguments.iter().map(String::as_str));
    servers.redis.command(database, &command)
}

/// Returns the results of the domain. The time of a session never goes back.
fn expected(user: &str, rate: u32, ads: &[AdId], steps: &[Step]) -> Vec<String> {
    let schedule = AdSchedule::new(AdInterval::from_seconds(INTERVAL_S), ads.to_vec());
    let mut shown = Vec::new();
    let mut session: Option<Session> = None;
    let (mut clock_micros, mut capped_s) = (BEGAN_MICROS, 0);
    let mut results = Vec::new();
    for step in steps {
        let (Step::Play { after_micros } | Step::Pause { after_micros, .. }) = *step;
        clock_micros += after_micros;
        let since_micros = session.map_or(i64::MIN, |session| session.since_micros);
        let now_micros = clock_micros.max(since_micros);
        let answer = match (*step, session.filter(|session| session.is_open)) {
            (Step::Play { .. }, _) => {
                let opened = Session::play(session, now_micros);
                session = Some(opened);
                let counted = u8::from(user != OWNER);
                format!("playing {} {counted}", opened.position_s)
            }
            (Step::Pause { .. }, None) => "no session".to_owned(),
            (Step::Pause { current_s, .. }, Some(open)) => {
                let is_own = user == OWNER;
                let rate = PlaybackRate(rate);
                let (next, credit) = open.pause(current_s, DURATION_S, is_own, rate, now_micros);
                // Redis deletes the session at the end of the video.
                session = next.is_open.then_some(next);
                capped_s += credit.capped_s;
                let slots = schedule.shown(credit.from_s, credit.from_s + credit.credited_s);
                let slots = slots.map(|slot| format!("{}:{}", slot.slot_s, slot.ad_id));
                shown.push(slots.collect::<Vec<_>>().join(","));
                format!("paused {} {}", credit.credited_s, u8::from(!next.is_open))
            }
        };
        let state = session.map_or("- - -".to_owned(), |session| {
            let open = u8::from(session.is_open);
            format!("{} {} {open}", session.position_s, session.since_micros)
        });
        results.push(format!("{answer} | {state}"));
    }
    results.push(format!("{capped_s} capped"));
    results.push(shown.join(" "));
    results
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly realistic times; sometimes the clock is set back or a month ahead.
    let after_micros = prop_oneof![
        6 => 0_i64..400_000_000,
        2 => -500_000_000_i64..0,
        1 => 0_i64..3_000_000_000_000,
    ];
    let current_s = prop_oneof![8 => 0..=DURATION_S, 1 => Just(DURATION_S)];
    prop_oneof![
        1 => after_micros.clone().prop_map(|after_micros| Step::Play { after_micros }),
        4 => (after_micros, current_s)
            .prop_map(|(after_micros, current_s)| Step::Pause { after_micros, current_s }),
    ]
}

#[test]
fn the_scripts_and_the_rules_agree() {
    let servers: Arc<Servers> = Servers::shared();
    let database = servers.next_database();
    let rate = prop_oneof![Just(0_u32), Just(2_000), 1_u32..16_000, Just(u32::MAX)];
    let user = prop_oneof![4 => Just(USER), 1 => Just(OWNER)];
    let ads = prop::collection::btree_set((1_i64..1_000).prop_map(AdId), 0..5);
    let all = (user, rate, ads, prop::collection::vec(step(), 1..25));
    proptest!(ProptestConfig::with_cases(400), |((user, rate, ads, steps) in all)| {
        let ads: Vec<AdId> = ads.into_iter().collect();
        let results = script_results(&servers, database, user, rate, &ads, &steps);
        prop_assert_eq!(results, expected(user, rate, &ads, &steps));
    });
}

#[test]
fn changes_of_the_clock_earn_nothing() {
    let servers = block_on(shared());
    let database = servers.next_database();
    let pause = |after_s: i64, current_s| Step::Pause {
        after_micros: after_s * 1_000_000,
        current_s,
    };
    // The clock is set back by 400 s at 10 s, and corrected a second later. At 11 s, 22 s and twice
    // the grace are credited.
    let steps = [
        Step::Play { after_micros: 0 },
        pause(10, 0),
        pause(-400, 0),
        pause(401, 900),
    ];
    let results = script_results(&servers, database, USER, 2_000, &[], &steps);
    assert!(results[3].starts_with("paused 7 "), "{results:?}");
}
