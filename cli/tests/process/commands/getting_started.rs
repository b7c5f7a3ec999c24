//! Runs the script of the page "Getting started" as it is written.

use crate::env::Call;
use balance_test_support::process::free_port;
use std::{path::Path, process::Command};

/// The heading above the script.
const HEADING: &str = "## A whole day in one script";

/// The first block of commands below the heading.
fn script() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/getting-started.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, below) = page.split_once(HEADING).expect(HEADING);
    let (_, block) = below.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// The expected output in order: the name of each line, a part of it, its status.
const EXPECTED: [(&str, &str, u16); 18] = [
    ("join", "\"userId\"", 201),
    ("join, second user", "\"userId\"", 201),
    ("register a video", "\"viewCount\"", 201),
    ("play, without a token", "token-missing", 401),
    ("play", "동영상을 처음부터 재생합니다.", 200),
    ("play again within the view window", "repeated-view", 429),
    ("pause at 120", "동영상 재생을 중단했습니다.", 200),
    (
        "resume after the view window",
        "동영상을 120초부터 이어서 재생합니다.",
        200,
    ),
    ("pause, answered in English", "paused", 200),
    ("settle a day, without the admin role", "admin-only", 403),
    (
        "settle yesterday, a day without plays",
        "dayStatisticsJob",
        202,
    ),
    ("settle today, before the day is over", "day-not-over", 409),
    (
        "settle today, a second time",
        "job-instance-already-complete",
        409,
    ),
    (
        "revenues of the month, as the creator",
        "\"totalRevenue\":\"2.00\"",
        200,
    ),
    ("revenues, as a user without videos", "period,from,to", 200),
    ("top 5 by views", "\"viewCount\":2", 200),
    ("top 5 by play time", "\"rank\":1", 200),
    ("statistics of the video", "\"dayCount\":1", 200),
];

#[test]
fn the_script_of_a_whole_day_prints_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_balance")).parent().unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", program.display());
    let mut command = Command::new("bash");
    command
        .args(["-e", "-u", "-o", "pipefail", "-c", &script()])
        .env_clear()
        .env("PATH", path)
        .env("TMPDIR", folder.path())
        // Enough time on a machine under load.
        .env("NIGHT_IN_S", "40")
        .env("LISTEN_ADDR", format!("127.0.0.1:{}", free_port()));
    let outcome = Call::new(command).run().succeeded();
    let mut rest = outcome.stdout.as_str();
    for (name, words, status) in EXPECTED {
        let line = format!("\n{name:44}");
        let Some((_, from)) = rest.split_once(&line) else {
            panic!("no {name:?} in {outcome:#?}");
        };
        rest = from;
        let end = format!(" {status}\n");
        let answer = rest.split_once(&end).map_or(rest, |(answer, _)| answer);
        assert!(
            answer.contains(words) && answer.len() < rest.len(),
            "{name}: {words} {status}: {rest}"
        );
    }
    assert!(rest.contains("no differences"), "{rest}");
}
