//! Query plans: no statement that runs often, or on a large table, reads a whole table.
//!
//! The test runs the methods of the store on filled tables, records the statements that reach the
//! database, and explains each of them. A statement must not scan a large table, nor sort the rows
//! of one before it takes a page of them.
//!
//! The database is a SQLite file, or a database on the server of `TEST_SERVER_URL` if that is set.
//! There the general log of the server records the statements: it has their values, without which
//! MariaDB and MySQL make no plan.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use balance_batch::{execution::JobExecutionId, job::Job};
use balance_domain::{
    accounts::{Role, UserId, Username},
    period::PeriodKind,
    playback::{EventId, PlaybackRate},
    videos::{Title, VideoId},
};
use balance_service::verification::{self, Options};
use balance_store::{
    accounts::{NewToken, PasswordHash, TokenHash},
    events::{Content, Entry, EntryId, EventKind, PlaybackEvent, SuppressedCount},
    operations::AuditId,
    playback::{Command, IdempotencyKey, IntakeRequest, IntakeRules, SuppressedReason},
    reports::{RevenuePage, TopBy},
    videos::{Creation, NewVideo, VideoOrder, VideoQuery},
};
use balance_test_support::settlement::{Shape, TestEnv, at, date, even_day, worker_settings};
use chrono::Days;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Mutex,
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

const DAY: &str = "2024-06-03";
const NEXT: &str = "2024-06-04";
const THIRD: &str = "2024-06-05";
const OWNER: UserId = UserId(1_000_000);

/// Tables that stay small. Statements may read them whole.
const SMALL: [(&str, &str); 10] = [
    ("BATCH_JOB_EXECUTION_SEQ", "one row"),
    ("BATCH_JOB_INSTANCE_SEQ", "one row"),
    ("BATCH_STEP_EXECUTION_SEQ", "one row"),
    ("ad", "shown in turn, so that each is used"),
    ("closed_through", "one row"),
    ("intake_clock", "one row"),
    ("next_id", "a row for each kind of id"),
    ("revenue_rate", "the tiers of a few versions"),
    ("setting", "a few rows"),
    ("worker", "a row for each live process"),
];

/// Statements that may read or sort more than they return, and why. A `…` stands for any text.
const ALLOWED: [(&str, &str); 10] = [
    (
        "SUM(claim_token IS NULL)…FROM step_lease",
        "metrics: there are leases of unfinished partitions only",
    ),
    (
        "FROM step_lease l JOIN…l.worker IN",
        "the list of workers: the same leases",
    ),
    (
        "UPDATE step_lease SET lease_until_micros = 0 WHERE",
        "a process that has the file to itself, once at its start",
    ),
    (
        "ORDER BY s.STEP_EXECUTION_ID LIMIT",
        "sorts the steps of one execution",
    ),
    ("SELECT EXISTS (SELECT 1 FROM", "stops at the first row"),
    (
        "FROM video WHERE 1 = 1 AND owner_id = …ORDER BY title, id LIMIT",
        "sorts the videos of one owner",
    ),
    (
        "GROUP BY v.owner_id ORDER BY SUM",
        "the creators with the highest revenue: sums a whole period, for the demo only",
    ),
    (
        "SELECT COUNT(*) FROM…LEFT JOIN",
        "verification: searches whole tables for orphans",
    ),
    (
        "SELECT COUNT(*) FROM late_event l JOIN",
        "verification: checks all late events",
    ),
    (
        "SELECT COUNT(*) FROM period_total t WHERE",
        "verification: checks all totals",
    ),
];

/// The number of sorted rows from which a sort before a page is reported.
const MANY: i64 = 1_000;

/// Rows for the tables that the work below does not fill.
const FILLERS: &str = include_str!("query_plans.sql");

/// Fills the tables. Days are closed through the one before [`DAY`].
async fn fill(env: &TestEnv) {
    env.execute(
        "CREATE TABLE n (i BIGINT NOT NULL PRIMARY KEY, date DATE NOT NULL, \
         at DATETIME(6) NOT NULL, b16 BINARY(16) NOT NULL, b32 BINARY(32) NOT NULL)",
    )
    .await;
    for first in (1..3_000).step_by(500) {
        let rows = (first..first + 500).map(|i: u32| {
            let date = date("2012-01-01") + Days::new(i.into());
            format!("({i}, '{date}', '{date} 03:00:00', X'{i:032x}', X'{i:064x}')")
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        env.execute(&format!(
            "INSERT INTO n (i, date, at, b16, b32) VALUES {rows}"
        ))
        .await;
    }
    env.execute(FILLERS).await;
    env.execute("DROP TABLE n").await;
    env.execute("UPDATE closed_through SET date = '2024-06-02'")
        .await;
}

/// Runs the methods of the store: imports, settlements by a worker, and the others one by one.
async fn work(env: &TestEnv) {
    for day in [DAY, DAY, NEXT, THIRD] {
        env.import(&even_day(day, 400, 100), 2).await.unwrap();
    }
    for day in [DAY, NEXT] {
        env.settle(date(day), Shape::default()).await.unwrap();
    }
    jobs(env).await;
    events(env).await;
    playback(env).await;
    accounts(env).await;
    videos(env).await;
    reports(env).await;
    operations(env).await;
    let options = Options {
        from: Some(date(DAY)),
        to: Some(date(NEXT)),
        limit: 1,
    };
    verification::verify(&env.store, env.timezone, options, &mut |_| {})
        .await
        .unwrap();
}

async fn jobs(env: &TestEnv) {
    let store = &env.store;
    assert!(!store.is_empty().await.unwrap());
    store.expire_all_leases().await.unwrap();
    let launcher = env.launcher(4);
    let id = launcher.launch(date(THIRD)).await.unwrap().id;
    store.claimable(8).await.unwrap();
    store.running().await.unwrap();
    store.unclosed().await.unwrap();
    store.owners(id).await.unwrap();
    store.progress(id).await.unwrap();
    launcher.stop(id).await.unwrap();
    launcher.abandon(id).await.unwrap();
    store.executions(None, 10).await.unwrap();
    store.executions(Some(id), 10).await.unwrap();
    store
        .executions_of(Job::DayStatistics, date(DAY))
        .await
        .unwrap();
    let steps = store.steps(JobExecutionId(1), None, 2).await.unwrap();
    let last = steps.last().map(|step| step.id);
    store.steps(JobExecutionId(1), last, 2).await.unwrap();
    store.own_steps(JobExecutionId(1)).await.unwrap();
    store.active_days(Some(date(DAY)), 10).await.unwrap();
    let ended_before = date("2024-01-01").and_hms_opt(0, 0, 0).unwrap();
    assert!(store.prune_oldest(ended_before).await.unwrap());
}

/// Writes one event of an open day, one of a closed day and one that cannot be read.
async fn events(env: &TestEnv) {
    let entry = |number: u8, instant: &str, is_readable: bool| Entry {
        id: EntryId {
            shard: 0,
            ms: at(instant) / 1_000,
            sequence: i64::from(number),
        },
        content: if is_readable {
            Content::Event(PlaybackEvent {
                id: EventId([number; 16]),
                user_id: UserId(7),
                video_id: VideoId(1),
                kind: EventKind::Pause {
                    from_s: 0,
                    credited_s: 400,
                    reported_s: 400,
                },
            })
        } else {
            Content::Invalid {
                payload: "{}".to_owned(),
                reason: "it has no id".to_owned(),
            }
        },
    };
    let entries = [
        entry(1, "2024-06-06T03:00:00Z", true),
        entry(2, "2024-06-03T03:00:00Z", true),
        entry(3, "2024-06-06T03:00:00Z", false),
    ];
    let store = &env.store;
    store
        .write_entries(&entries, env.timezone, 300)
        .await
        .unwrap();
    let count = SuppressedCount {
        date: date(NEXT),
        video_id: VideoId(1),
        reason: SuppressedReason::Repeat,
        count: 2,
    };
    store.save_suppressed(&[count]).await.unwrap();
    store.late_events(None, None, 10).await.unwrap();
    let before = Some(EventId([0x7f; 16]));
    store
        .late_events(Some(date(DAY)), before, 10)
        .await
        .unwrap();
    store.rejected_events(None, 10).await.unwrap();
    store
        .rejected_events(Some(entries[2].id), 10)
        .await
        .unwrap();
}

async fn playback(env: &TestEnv) {
    let rules = IntakeRules {
        view_window_s: 30,
        playback_rate: PlaybackRate(2_000),
        resume_ttl_s: 86_400,
        replay_s: 86_400,
        ad_interval_s: 300,
    };
    let video = env.store.video_facts(VideoId(1)).await.unwrap().unwrap();
    let request = |number: u8, command, key: &str| IntakeRequest {
        event_id: EventId([number; 16]),
        user_id: UserId(7),
        video,
        command,
        key: IdempotencyKey::parse(key),
    };
    let group = [
        request(11, Command::Play, "play"),
        request(12, Command::Play, "play"),
        request(13, Command::Play, "repeat"),
        request(14, Command::Pause { current_s: 5 }, "pause"),
    ];
    env.store
        .accept(&group, &rules, env.timezone)
        .await
        .unwrap();
}

async fn accounts(env: &TestEnv) {
    let store = &env.store;
    let name = Username::parse("viewer").unwrap();
    let hash = PasswordHash("hash".to_owned());
    let account = store
        .create_account(&name, &hash, Role::User)
        .await
        .unwrap();
    store.credential(&name).await.unwrap().unwrap();
    store.grant(&name, Role::Admin).await.unwrap();
    store.set_password(&name, &hash).await.unwrap();
    let token = |byte| NewToken {
        hash: TokenHash([byte; 32]),
        lifetime_s: 60,
    };
    store
        .begin_family(account.user_id, &token(0xa1))
        .await
        .unwrap();
    for next in [0xa2, 0xa3] {
        // The second time the token was used before: its family is revoked.
        let hash = TokenHash([0xa1; 32]);
        store.rotate(&hash, &token(next), 0).await.unwrap();
    }
    store.revoke(&TokenHash([0xa2; 32])).await.unwrap();
}

async fn videos(env: &TestEnv) {
    let store = &env.store;
    let creation = Creation {
        user_id: OWNER,
        key: IdempotencyKey::parse("film"),
    };
    let video = NewVideo {
        title: Title::parse("film").unwrap(),
        duration_s: 60,
    };
    for _ in 0..2 {
        store.create_video(&creation, &video).await.unwrap();
    }
    store.video(VideoId(1)).await.unwrap();
    let after = VideoId(50);
    for order in [
        VideoOrder::Newest(None),
        VideoOrder::Newest(Some(after)),
        VideoOrder::Oldest(Some(after)),
        VideoOrder::Title(None),
        VideoOrder::Title(Some(("film 2".to_owned(), after))),
    ] {
        for owner_id in [None, Some(OWNER)] {
            let query = VideoQuery {
                owner_id,
                title: None,
                order: order.clone(),
                limit: 10,
            };
            store.videos(&query).await.unwrap();
        }
    }
    store.ads(None, 10).await.unwrap();
}

async fn reports(env: &TestEnv) {
    let store = &env.store;
    for kind in PeriodKind::ALL {
        let period = kind.containing(date(DAY));
        for by in [TopBy::ViewCount, TopBy::PlayTime] {
            store.top(period, by, 5).await.unwrap();
        }
        store.top_creators(period, 5).await.unwrap();
        for owner in [None, Some(OWNER)] {
            store.total(period, owner).await.unwrap();
            for after in [None, Some(VideoId(50))] {
                let page = RevenuePage {
                    owner,
                    after,
                    limit: 10,
                };
                store.revenues(period, page).await.unwrap();
            }
        }
    }
    store
        .video_days(VideoId(1), date(DAY), date(THIRD))
        .await
        .unwrap();
}

async fn operations(env: &TestEnv) {
    let store = &env.store;
    store.snapshot().await.unwrap();
    let identity = worker_settings(Shape::default()).identity;
    store.record_heartbeat(&identity, 60).await.unwrap();
    store.workers(10).await.unwrap();
    store.remove_dead_workers(86_400).await.unwrap();
    store.audit(None, 10).await.unwrap();
    store.audit(Some(AuditId([0x7f; 16])), 10).await.unwrap();
    store.rates_on(date(DAY)).await.unwrap();
}

/// The statements that sqlx has logged in this process.
static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Collects the statements that sqlx logs.
struct Recorder;

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        LOGGED.lock().unwrap().insert(statement.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The text of a logged statement.
#[derive(Default)]
struct Statement(String);

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        // The field `summary` comes first. It has the text of a statement of up to four words.
        if matches!(field.name(), "summary" | "db.statement") && !value.is_empty() {
            self.0 = value.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Runs the work, and returns the recorded statements, one of each shape.
async fn recorded(env: &TestEnv) -> Vec<String> {
    let statements: Vec<String> = match &env.server {
        None => {
            tracing::subscriber::set_global_default(Recorder).unwrap();
            LOGGED.lock().unwrap().clear();
            work(env).await;
            LOGGED.lock().unwrap().iter().cloned().collect()
        }
        Some(url) => {
            env.execute("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1")
                .await;
            // On connections that the log knows by the database.
            let reopened = env.reopen().await;
            work(&reopened).await;
            reopened.store.close().await;
            env.execute("SET GLOBAL general_log = 0").await;
            let (_, database) = url.rsplit_once('/').unwrap();
            env.rows(&format!(
                "SELECT DISTINCT CONVERT(argument USING utf8mb4) FROM mysql.general_log \
                 WHERE command_type = 'Execute' AND thread_id IN \
                 (SELECT thread_id FROM mysql.general_log \
                  WHERE command_type = 'Connect' AND argument LIKE '% on {database} using %')"
            ))
            .await
        }
    };
    let explainable = statements.into_iter().filter(|sql| is_explainable(sql));
    let shapes: BTreeMap<String, String> = explainable.map(|sql| (shape(&sql), sql)).collect();
    shapes.into_values().collect()
}

fn is_explainable(sql: &str) -> bool {
    let verbs = ["SELECT ", "UPDATE ", "DELETE ", "WITH "];
    let has_plan = verbs.iter().any(|verb| sql.starts_with(verb));
    let is_of_migrations = sql.contains("_sqlx_migrations") || sql.contains("information_schema");
    has_plan && !is_of_migrations
}

/// Returns a statement without its values.
fn shape(sql: &str) -> String {
    let mut is_quoted = false;
    sql.chars()
        .filter(|&c| {
            is_quoted ^= c == '\'';
            !is_quoted && !c.is_ascii_digit()
        })
        .collect()
}

/// Returns the table that a name in a plan stands for: itself or, if it is an alias, its table.
fn table_of(sql: &str, name: &str) -> String {
    let spaced = sql
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(',', " , ");
    let words: Vec<&str> = spaced
        .split_whitespace()
        .filter(|word| *word != "AS")
        .collect();
    let table = words
        .windows(3)
        .find(|words| matches!(words[0], "FROM" | "JOIN") && words[2] == name)
        .map_or(name, |words| words[1]);
    table.to_owned()
}

/// Returns whether a statement has the parts of a pattern in their order.
fn matches(sql: &str, pattern: &str) -> bool {
    let mut rest = sql;
    pattern.split('…').all(|part| {
        let found = rest.split_once(part);
        rest = found.map_or("", |(_, after)| after);
        found.is_some()
    })
}

/// The large tables with the numbers of their rows.
type Tables = BTreeMap<String, i64>;

async fn large_tables(env: &TestEnv) -> Tables {
    let mut tables = Tables::new();
    for table in env.tables().await {
        if SMALL.iter().all(|(small, _)| *small != table) {
            let rows = env.rows(&format!("SELECT COUNT(*) FROM {table}")).await;
            let rows: i64 = rows[0].parse().unwrap();
            assert!(
                rows >= 500,
                "{table} has {rows} rows: its plans prove nothing"
            );
            if env.is_server() {
                env.execute(&format!("ANALYZE TABLE {table}")).await;
            }
            tables.insert(table, rows);
        }
    }
    tables
}

/// Returns the scans and sorts of large tables in the plan of a statement.
async fn excesses(env: &TestEnv, sql: &str, tables: &Tables) -> Vec<String> {
    match &env.server {
        None => of_sqlite(env, sql, tables).await,
        Some(url) => of_server(url, sql, tables).await,
    }
}

async fn of_sqlite(env: &TestEnv, sql: &str, tables: &Tables) -> Vec<String> {
    // Placeholders without a value are NULL. The plans of SQLite do not depend on values.
    let rows = env.rows(&format!("EXPLAIN QUERY PLAN {sql}")).await;
    let plan: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.splitn(4, '|').nth(3))
        .collect();
    let has = |text: &str| plan.iter().any(|line| line.contains(text));
    let has_limit = sql.contains(" LIMIT ");
    let sorts = has("TEMP B-TREE");
    let mut found = Vec::new();
    for line in &plan {
        let mut words = line.split(' ');
        let (verb, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let is_large = tables.contains_key(&table_of(sql, name));
        // Without a sort, a limit ends the scan.
        let scans = verb == "SCAN" && !(has_limit && !sorts);
        // The rows of a subquery are few: it has a limit of its own, or groups.
        let sorts_all = has_limit && sorts && !has("CO-ROUTINE") && !has("MATERIALIZE");
        if is_large && (scans || sorts_all) {
            found.push((*line).to_owned());
        }
    }
    found
}

async fn of_server(url: &str, sql: &str, tables: &Tables) -> Vec<String> {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let explain = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {sql}")));
    let rows = explain.fetch_all(&mut connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut found = Vec::new();
    for row in rows {
        let column = |name: &str| -> String {
            let text: Option<String> = row.try_get_unchecked(name).unwrap();
            text.unwrap_or_default()
        };
        let (name, access, extra) = (column("table"), column("type"), column("Extra"));
        let Some(&all) = tables.get(&table_of(sql, &name)) else {
            continue;
        };
        let estimate: i64 = column("rows").parse().unwrap_or(0);
        let sorts = extra.contains("filesort") || extra.contains("temporary");
        let has_limit = sql.contains(" LIMIT ") && column("select_type") != "MATERIALIZED";
        let is_whole = access == "ALL" || access == "index" || estimate * 2 > all;
        let stops_early = access != "ALL" && has_limit && !sorts;
        let sorts_many = has_limit && extra.contains("filesort") && estimate >= MANY;
        if (is_whole && !stops_early) || sorts_many {
            found.push(format!(
                "{access} {name}, {estimate} of {all} rows, {extra}"
            ));
        }
    }
    connection.close().await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_read_no_large_table_whole() {
    let env = TestEnv::new().await;
    fill(&env).await;
    let statements = recorded(&env).await;
    assert!(
        statements.len() > 100,
        "only {} statements",
        statements.len()
    );
    let tables = large_tables(&env).await;

    // The rules find what they must.
    for bad in [
        "SELECT COUNT(play_time) FROM play_history p WHERE p.reported_time = 7",
        "SELECT title FROM video WHERE duration_s > 0 ORDER BY created_at LIMIT 1",
        "DELETE FROM late_event WHERE user_id = 7",
    ] {
        assert!(!excesses(&env, bad, &tables).await.is_empty(), "{bad}");
    }

    for (pattern, reason) in ALLOWED {
        let is_used = statements.iter().any(|sql| matches(sql, pattern));
        assert!(is_used, "no statement matches '{pattern}' ({reason})");
    }
    let mut found = Vec::new();
    for sql in &statements {
        if ALLOWED.iter().all(|(pattern, _)| !matches(sql, pattern)) {
            let excesses = excesses(&env, sql, &tables).await;
            found.extend(excesses.iter().map(|excess| format!("{excess}\n    {sql}")));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn names_and_shapes_of_statements() {
    let sql =
        "SELECT 1 FROM a JOIN (SELECT b.x FROM b) AS c ON c.x = a.x LEFT JOIN d AS e ON e.y = 2";
    assert_eq!(table_of(sql, "a"), "a");
    assert_eq!(table_of(sql, "c"), "c");
    assert_eq!(table_of(sql, "e"), "d");
    assert_eq!(
        shape("x = 17 AND y = DATE'2024-06-03'"),
        "x =  AND y = DATE'"
    );
    assert!(matches(sql, "FROM a…LEFT JOIN"));
    assert!(!matches(sql, "LEFT JOIN…FROM a"));
}
