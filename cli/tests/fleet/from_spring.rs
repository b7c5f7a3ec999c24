//! The move from a Spring system: the commands of the page "Coming from Spring", as they are written, on
//! a database that such a system makes.

use crate::env::TestEnv;
use balance_test_support::{
    process::{Call, Outcome},
    servers::{Database, PASSWORD, Servers, bound},
};
use std::{fs, path::Path, sync::Arc};
use tempfile::TempDir;

const PAGE: &str = include_str!("../../../docs/spring.md");
const SCHEMA: &str = include_str!("from_spring.sql");
/// The name of the old database on the page.
const NAME: &str = "your_database";

/// The results of a day and video, computed by the old database from its own rows: views, seconds, ad
/// views, and the lifetime counts before the day.
const EXPECTED: &str = "
    WITH plays AS (
        SELECT h.user_id, h.video_id, h.created_at, COALESCE(h.play_time, 0) AS seconds, v.owner_id,
            LAG(h.created_at) OVER (PARTITION BY h.user_id, h.video_id ORDER BY h.created_at) AS earlier
        FROM your_history h JOIN your_videos v ON v.id = h.video_id
        WHERE h.created_at >= '2026-03-02'),
    counted AS (
        SELECT DATE(created_at) AS date, video_id, user_id, seconds FROM plays
        WHERE user_id <> owner_id
        AND (earlier IS NULL OR TIMESTAMPDIFF(MICROSECOND, earlier, created_at) >= 30000000)),
    days AS (
        SELECT date, video_id, COUNT(*) AS views, SUM(seconds) AS seconds FROM counted
        GROUP BY date, video_id),
    ads AS (
        SELECT c.date, c.video_id, COUNT(DISTINCT c.user_id, slot.s) AS ad_views FROM counted c
        JOIN (SELECT 300 AS s UNION SELECT 600) slot ON slot.s <= c.seconds
        GROUP BY c.date, c.video_id),
    before_move AS (
        SELECT v.id AS video_id, COALESCE(SUM(s.view_count), 0) AS views,
            COALESCE(SUM(s.ad_view_count), 0) AS ad_views
        FROM your_videos v LEFT JOIN your_statistics s ON s.video_id = v.id GROUP BY v.id)
    SELECT d.date, d.video_id, d.views, d.seconds, COALESCE(a.ad_views, 0),
        b.views + COALESCE(SUM(d.views) OVER earlier_days, 0),
        b.ad_views + COALESCE(SUM(COALESCE(a.ad_views, 0)) OVER earlier_days, 0)
    FROM days d LEFT JOIN ads a ON a.date = d.date AND a.video_id = d.video_id
    JOIN before_move b ON b.video_id = d.video_id
    WINDOW earlier_days AS (PARTITION BY d.video_id ORDER BY d.date
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ORDER BY d.date, d.video_id";

const SETTLED: &str = "
    SELECT s.date, s.video_id, s.view_count, s.total_play_time, s.ad_view_count,
        s.cumulative_view_count - s.view_count, s.cumulative_ad_view_count - s.ad_view_count,
        r.view_revenue, r.ad_revenue
    FROM video_statistics s JOIN video_revenue r ON r.date = s.date AND r.video_id = s.video_id
    WHERE s.view_count > 0 ORDER BY s.date, s.video_id";

/// A database of the old system, an empty one of Balance, and a folder for the commands of the page.
struct Move {
    old: Database,
    env: TestEnv,
    folder: TempDir,
    port: u16,
}

impl Move {
    /// `servers` are used by one test, because the page names the database.
    fn new(servers: &Arc<Servers>) -> Self {
        let env = TestEnv::new(servers).with("BUSINESS_TIMEZONE", "Asia/Seoul");
        env.database
            .execute(&format!("CREATE DATABASE {NAME} CHARACTER SET utf8mb4"));
        let old = Database::new(servers.mariadb.url(PASSWORD, NAME));
        old.execute(SCHEMA);
        Self {
            old,
            env,
            folder: tempfile::tempdir().unwrap(),
            port: servers.mariadb.port,
        }
    }

    /// Runs the commands of a section of the page.
    fn run(&self, heading: &str) -> Outcome {
        let (_, below) = PAGE
            .split_once(&format!("\n## {heading}\n"))
            .expect(heading);
        let (_, block) = below.split_once("```sh\n").unwrap();
        let script = block.split_once("```").unwrap().0;
        let options = format!(
            "[client]\nhost=127.0.0.1\nport={}\nuser=balance\npassword={PASSWORD}\n",
            self.port
        );
        fs::write(self.folder.path().join(".my.cnf"), options).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_balance")).parent().unwrap();
        let mut command = bound("sh");
        command
            .args(["-c", script])
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", program.display()),
            )
            .envs(self.env.settings());
        Call::new(command).run()
    }
}

/// Returns the pay of views from a lifetime count on, in hundredths of a won. Each view is paid alone.
fn pay(before: u64, count: u64, tiers: [u64; 4]) -> u64 {
    let tier = |lifetime| match lifetime {
        0..100_000 => tiers[0],
        100_000..500_000 => tiers[1],
        500_000..1_000_000 => tiers[2],
        _ => tiers[3],
    };
    (before..before + count).map(tier).sum()
}

#[test]
fn the_commands_of_the_page_move_counts_and_plays() {
    let moved = Move::new(&Servers::start());
    let names = moved
        .old
        .value("SELECT CONVERT_TZ('2026-03-02', 'Asia/Seoul', '+00:00')");
    assert_eq!(names, "NULL", "the server has no time zone tables");
    let plays = "SELECT COUNT(*) FROM your_history WHERE created_at >= '2026-03-02'";
    let plays = moved.old.number(plays);

    moved.run("Counts").succeeded();
    let output = moved.run("History").succeeded().stdout;
    assert!(output.contains(&format!("{plays} read")), "{output}");
    assert!(output.contains("no differences"), "{output}");

    let expected: Vec<String> = moved.old.rows(EXPECTED);
    assert!(expected.len() >= 20, "{expected:#?}");
    let expected: Vec<String> = expected
        .into_iter()
        .map(|row| {
            let cells: Vec<u64> = row
                .split('|')
                .skip(2)
                .map(|cell| cell.parse().unwrap())
                .collect();
            let [views, _, ad_views, before, ads_before] = cells[..] else {
                panic!("{row}");
            };
            let view_revenue = pay(before, views, [100, 110, 130, 150]);
            let ad_revenue = pay(ads_before, ad_views, [1_000, 1_200, 1_500, 2_000]);
            format!("{row}|{view_revenue}|{ad_revenue}")
        })
        .collect();
    assert_eq!(moved.env.database.rows(SETTLED), expected);
    let second_tier = |row: &String| row.starts_with("2026-03-02|1|") && row.contains("|99999|");
    assert!(expected.iter().any(second_tier), "{expected:#?}");
    let ads = moved.env.database.number("SELECT COUNT(*) FROM ad");
    assert_eq!(ads, moved.old.number("SELECT COUNT(*) FROM your_ads"));
}

#[test]
fn the_commands_of_the_page_accept_a_system_without_plays() {
    let moved = Move::new(&Servers::start());
    moved
        .old
        .execute("DELETE FROM your_history; DELETE FROM your_statistics; DELETE FROM your_videos");
    moved.run("Counts").succeeded();
    let output = moved.run("History").succeeded().stdout;
    assert!(output.contains("nothing to settle"), "{output}");
}

#[test]
fn the_commands_of_the_page_stop_at_a_row_that_cannot_be_moved() {
    let moved = Move::new(&Servers::start());
    moved
        .old
        .execute("UPDATE your_videos SET owner_id = NULL WHERE id = 3");
    moved.run("Counts").succeeded();
    moved.run("History").failed(&["plays.csv, line "]);
    // The query itself fails.
    moved
        .old
        .execute("ALTER TABLE your_videos DROP COLUMN duration");
    moved.run("History").failed(&["duration"]);
    let rows =
        "SELECT (SELECT COUNT(*) FROM play_history), (SELECT COUNT(*) FROM BATCH_JOB_INSTANCE)";
    assert_eq!(
        moved.env.database.value(rows),
        "0|0",
        "nothing is imported or settled"
    );
}

#[test]
fn the_database_of_the_old_system_is_not_migrated() {
    let servers = Servers::start();
    let moved = Move::new(&servers);
    let url = servers.mariadb.url(PASSWORD, NAME);
    let tables = "SELECT table_name, create_time FROM information_schema.tables \
                  WHERE table_schema = DATABASE() ORDER BY table_name";
    let before = moved.old.rows(tables);
    let env = moved.env.without("DATABASE_URL").with("DATABASE_URL", url);
    let reason = "tables of another program";
    env.balance(&["migrate"]).run().failed(&[reason]);
    assert_eq!(moved.old.rows(tables), before);
}
