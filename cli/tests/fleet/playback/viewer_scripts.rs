//! Both Lua scripts of the intake, compared with the domain: random requests of one viewer, on a clock
//! that the test sets.

use crate::{
    playback::{
        intake_scripts::{PAUSE, PLAY, VIEWER},
        viewer_model::{Action, Case, LENGTH_S, S, Step, expected},
    },
    queue::notifier::shared,
};
use balance_domain::{
    playback::{PlayRules, PlaybackRate},
    videos::AdId,
};
use balance_test_support::{
    process::block_on,
    servers::{PASSWORD, Servers},
};
use proptest::prelude::*;
use std::{cell::RefCell, sync::Arc};

/// Videos of a viewer: more than may be open.
const VIDEOS: usize = 40;

/// Runs requests with both scripts, and returns the results. It replaces `TIME` by the clock of the test, and
/// the IDs of entries by numbers. The first arguments are the same for all requests; each request has nine more.
const DRIVER: &str = "
    server.call('XGROUP', 'CREATE', 'events', 'drain', '0', 'MKSTREAM')
    local user, window, interval, burst, rate, ad_interval, ads, credit_burst, unconfirmed,
        min_watch = unpack(ARGV, 1, 10)
    local lines, function_of = {}, {play = play, pause = pause}
    local function join(list)
        for i, value in ipairs(list) do
            list[i] = value or '-'
        end
        return table.concat(list, ' ')
    end
    for i = 11, #ARGV, 9 do
        local name, at, video, owner, current, expired, max, key, is_new = unpack(ARGV, i, i + 8)
        now = tonumber(at)
        local gate, session, stored = 'gate:' .. video, 'session:' .. video, 'answer:' .. key
        local request = key ~= '' and join({name, video, current}) or ''
        if expired == 'window' then
            server.call('DEL', gate)
        elseif expired == 'position' then
            server.call('DEL', session)
        end
        local reply
        if name == 'play' then
            reply = play({'count', gate, 'events', session, 'refused', stored, 'highest', 'viewer'},
                {user, owner, window, '1', 'e', video, '60', '60', request, '60', max, 'drain',
                '0', '300000', '1', '1000', is_new, '60', interval, burst, min_watch})
        else
            reply = pause({'events', session, 'refused', stored, 'viewer', 'count'},
                {user, owner, video, 'e', current, '1000', rate, '60', '60', request, '60', max,
                'drain', '0', '300000', '1', ad_interval, ads, is_new, '60', credit_burst,
                unconfirmed, min_watch})
        end
        -- The rest of a window is real time.
        lines[#lines + 1] = reply[1] == 'repeat' and 'repeat' or join(reply)
        lines[#lines + 1] = join(server.call('HMGET', 'viewer', 'last', 'credit', 'views', 'ads',
            'open'))
        local fields = server.call('HGETALL', session)
        lines[#lines + 1] = #fields > 0 and join(fields) or '-'
    end
    for _, entry in ipairs(server.call('XRANGE', 'events', '-', '+')) do
        lines[#lines + 1] = join(entry[2])
    end
    local suppressed, sorted = server.call('HGETALL', 'refused'), {}
    for i = 1, #suppressed, 2 do
        sorted[#sorted + 1] = suppressed[i] .. ' ' .. suppressed[i + 1]
    end
    table.sort(sorted)
    lines[#lines + 1] = join(sorted)
    lines[#lines + 1] = server.call('GET', 'count') or '0'
    server.call('FLUSHDB')
    return lines";

/// Returns the text of the driver.
fn driver() -> String {
    format!(
        "local server, now, entries = redis, 0, 0
         local redis = {{ call = function(name, ...)
             if name == 'TIME' then
                 return {{ string.format('%.0f', math.floor(now / 1000000)),
                     string.format('%.0f', now % 1000000) }}
             end
             if name == 'XADD' then
                 entries = entries + 1
                 return server.call(name, 'events', entries .. '-1', select(3, ...))
             end
             return server.call(name, ...)
         end }}
         local function play(KEYS, ARGV)
             ARGV[13] = string.format('%.0f', math.floor(now / 1000))
             {VIEWER}{PLAY}
         end
         local function pause(KEYS, ARGV)
             ARGV[14] = string.format('%.0f', math.floor(now / 1000))
             {VIEWER}{PAUSE}
         end
         {DRIVER}"
    )
}

fn step() -> impl Strategy<Value = Step> {
    let after_micros = prop_oneof![
        8 => 0_i64..2 * S,
        8 => 0_i64..400 * S,
        2 => 0_i64..30_000 * S,
        2 => -400 * S..0_i64,
        1 => -500_000 * S..0_i64,
    ];
    let current_s = prop_oneof![8 => 0..=LENGTH_S, 4 => 0..60_i64, 1 => Just(LENGTH_S)];
    let action = prop_oneof![
        4 => Just(Action::Play),
        7 => current_s.prop_map(Action::Pause),
    ];
    let video = prop_oneof![4 => 0_usize..4, 1 => 0_usize..VIDEOS];
    let is_full = prop_oneof![12 => Just(false), 1 => Just(true)];
    let has_expired = prop_oneof![12 => Just(false), 1 => Just(true)];
    let key = prop_oneof![6 => Just(None), 1 => (0_u8..3).prop_map(Some)];
    (
        after_micros,
        action,
        video,
        (has_expired, is_full, key, any::<Option<bool>>()),
    )
        .prop_map(
            |(after_micros, action, video, (has_expired, is_full, key, is_new))| Step {
                after_micros,
                action,
                video,
                has_expired,
                is_full,
                key,
                is_new,
            },
        )
}

fn rules() -> impl Strategy<Value = PlayRules> {
    let rate = prop_oneof![
        4 => Just(2_000_u32),
        1 => Just(0),
        1 => Just(1),
        1 => Just(PlaybackRate::MAX.0),
        2 => 1_u32..4_000,
        1 => 1_u32..=PlaybackRate::MAX.0,
    ];
    let credit_burst_s = prop_oneof![4 => 0_u32..60, 1 => 0_u32..=3_600];
    let max_unconfirmed_s = prop_oneof![1 => Just(86_400_u32), 1 => 1_u32..86_400, 1 => 1_u32..60];
    let limit = (1_u32..120, 1_u32..40);
    let limit = prop_oneof![4 => limit, 1 => (1_u32..=100_000, 1_u32..=100_000)];
    let view_window_s = prop_oneof![1 => Just(0_u32), 1 => Just(30), 1 => 1_u32..600];
    let min_watch_s = prop_oneof![1 => Just(0_u32), 1 => 1_u32..1_200];
    (
        rate,
        credit_burst_s,
        max_unconfirmed_s,
        1_u32..400,
        limit,
        view_window_s,
        min_watch_s,
    )
        .prop_map(
            |(rate, burst, unconfirmed, ad_interval_s, limit, view_window_s, min_watch_s)| {
                PlayRules {
                    view_window_s,
                    ad_interval_s,
                    playback_rate: PlaybackRate(rate),
                    credit_burst_s: burst,
                    max_unconfirmed_s: unconfirmed,
                    min_watch_s,
                    views_per_minute: limit.0,
                    view_burst: limit.1,
                    ..PlayRules::DEFAULT
                }
            },
        )
}

/// Plays of so many videos that the sessions with the oldest contacts are closed. Some are at once.
fn crowd() -> impl Strategy<Value = Vec<Step>> {
    let after_micros = prop_oneof![1 => Just(0_i64), 1 => 0..2 * S];
    let play = (step(), after_micros, 0..VIDEOS);
    let play = play.prop_map(|(step, after_micros, video)| Step {
        after_micros,
        action: Action::Play,
        video,
        has_expired: false,
        key: None,
        ..step
    });
    prop::collection::vec(play, 60..100)
}

fn case() -> impl Strategy<Value = Case> {
    let ads = prop::collection::btree_set((1_i64..1_000).prop_map(AdId), 0..5);
    let steps = || prop::collection::vec(step(), 1..80);
    let steps = prop_oneof![
        8 => steps(),
        1 => (crowd(), steps()).prop_map(|(crowd, steps)| [crowd, steps].concat()),
    ];
    let case = (rules(), ads, any::<bool>(), steps);
    case.prop_map(|(mut rules, ads, is_owner, steps)| {
        if steps.len() > 80 {
            (rules.views_per_minute, rules.view_burst) = (1_000, 1_000);
        }
        Case {
            rules,
            ads: ads.into_iter().collect(),
            is_owner,
            steps,
        }
    })
}

/// A connection to a database of its own, and the driver.
struct Scripts {
    connection: RefCell<redis::Connection>,
    driver: redis::Script,
    /// Keeps the servers running.
    _servers: Arc<Servers>,
}

impl Scripts {
    fn open() -> Self {
        let servers = block_on(shared());
        let url = servers.redis.url(PASSWORD, servers.next_database());
        let client = redis::Client::open(url.as_str()).unwrap();
        Self {
            connection: RefCell::new(client.get_connection().unwrap()),
            driver: redis::Script::new(&driver()),
            _servers: servers,
        }
    }

    fn run(&self, arguments: &[String]) -> Vec<String> {
        let mut call = self.driver.prepare_invoke();
        for argument in arguments {
            call.arg(argument);
        }
        call.invoke(&mut *self.connection.borrow_mut()).unwrap()
    }
}

/// Random sequences of a run; `PROPTEST_CASES` sets a higher number.
const CASES: u32 = 2_000;

#[test]
fn the_scripts_and_the_rules_agree() {
    let scripts = Scripts::open();
    let default = ProptestConfig::default();
    let config = ProptestConfig {
        cases: default.cases.max(CASES),
        ..default
    };
    proptest!(config, |(case in case())| {
        let (arguments, expected) = expected(&case);
        let results = scripts.run(&arguments);
        for (number, (result, expected)) in results.iter().zip(&expected).enumerate() {
            prop_assert_eq!(result, expected, "line {} of the results", number);
        }
        prop_assert_eq!(results.len(), expected.len());
    });
}

#[test]
fn changes_of_the_clock_earn_nothing() {
    let step = |after_s: i64, action| Step {
        after_micros: after_s * S,
        action,
        video: 1,
        has_expired: false,
        is_full: false,
        key: None,
        is_new: None,
    };
    // The clock is set back by 200 s at 10 s, and corrected a second later.
    let case = Case {
        rules: PlayRules::DEFAULT,
        ads: Vec::new(),
        is_owner: false,
        steps: vec![
            step(0, Action::Play),
            step(10, Action::Pause(0)),
            step(-200, Action::Pause(0)),
            step(201, Action::Pause(900)),
        ],
    };
    let (arguments, expected) = expected(&case);
    let results = Scripts::open().run(&arguments);
    assert_eq!(results, expected);
    assert_eq!(results[9], "paused 7 0", "one second and the burst");
}
