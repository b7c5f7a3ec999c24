//! Bad files are rejected with file, line, column and reason, and change nothing.

use crate::{
    env::TestEnv,
    plays::{DAYS, HEADER, half_settled},
    rows::assert_same,
};

/// The bytes of a file, the line and column of its fault, and words of the reason.
type Case = (Vec<u8>, &'static str, &'static str);

/// Asserts that the command rejects each case and changes no table.
fn assert_rejected(env: &TestEnv, command: &[&str], cases: &[Case]) {
    let before = env.everything();
    for (content, fault, reason) in cases {
        let file = env.file("bad.csv", content);
        let mut args = command.to_vec();
        args.push(&file);
        let found = env.balance(&args).run();
        let message = format!("error: {file}{fault}: ");
        found.failed(&[&message, reason]);
        // A valid file in the same call is not imported either.
        assert_same(&env.everything(), &before, fault);
        if command[0] == "import" {
            let good = format!("{HEADER}\n77,777,9,2024-05-01T00:00:00Z,1,100\n");
            let good = env.file("good.csv", good);
            env.balance(&["import", "--ads", "9", &good, &file])
                .run()
                .failed(&[&message]);
            assert_same(&env.everything(), &before, fault);
            let piped = env.balance(&["import", "-"]).stdin(&file).run();
            piped.failed(&[&format!("error: standard input{fault}: "), reason]);
        }
    }
}

/// Returns a file of plays with these rows.
fn plays(rows: &str) -> Vec<u8> {
    format!("{HEADER}\n{rows}").into_bytes()
}

#[test]
fn a_bad_file_of_plays_is_rejected_whole() {
    let env = half_settled();
    let good = "7,8,9,2024-05-01T00:00:00Z,1,100\n";
    let at = |row: &str| plays(&format!("{good}{row}\n"));
    let mut not_utf8 = plays("7,8,9,2024-05-01T00:00:0");
    not_utf8.extend(b"\xff,1,100\n");
    let mut not_utf8_header = HEADER.as_bytes().to_vec();
    not_utf8_header[0] = 0xfe;
    assert_rejected(
        &env,
        &["import"],
        &[
            (vec![], "", "the file is empty"),
            (
                b"1,2,3,2024-05-01T00:00:00Z,1,100\n".to_vec(),
                ", line 1",
                "no header",
            ),
            (
                b"user_id,video,owner_id,started_at,play_time_s,video_duration_s\n".to_vec(),
                ", line 1",
                "missing: video_id; unknown: 'video'",
            ),
            (
                format!("{HEADER},more\n").into_bytes(),
                ", line 1",
                "unknown: 'more'",
            ),
            (not_utf8_header, ", line 1", "UTF-8"),
            (
                at("-7,8,9,2024-05-01T00:01:00Z,1,100"),
                ", line 3, column user_id",
                "negative",
            ),
            (
                at("0,8,9,2024-05-01T00:01:00Z,1,100"),
                ", line 3, column user_id",
                "too small",
            ),
            (
                at("7,99999999999999999999,9,2024-05-01T00:01:00Z,1,100"),
                ", line 3, column video_id",
                "too large",
            ),
            (
                at("7,8.5,9,2024-05-01T00:01:00Z,1,100"),
                ", line 3, column video_id",
                "'8.5'",
            ),
            (
                at("7,8,x,2024-05-01T00:01:00Z,1,100"),
                ", line 3, column owner_id",
                "'x'",
            ),
            (
                at("7,8,9,2024-05-01T00:01:00Z,-1,100"),
                ", line 3, column play_time_s",
                "negative",
            ),
            (
                at("7,8,9,2024-05-01T00:01:00Z,999999999,100"),
                ", line 3, column play_time_s",
                "too large",
            ),
            (
                at("7,8,9,2024-05-01T00:01:00Z,,100"),
                ", line 3, column play_time_s",
                "missing",
            ),
            (
                at("7,8,9,2024-05-01T00:01:00Z,1,0"),
                ", line 3, column video_duration_s",
                "small",
            ),
            (
                at("7,8,9,yesterday,1,100"),
                ", line 3, column started_at",
                "is not a time",
            ),
            (
                at("7,8,9,2024-05-01 00:01,1,100"),
                ", line 3, column started_at",
                "is not a time",
            ),
            (
                at("7,8,9,2024-02-30T00:01:00Z,1,100"),
                ", line 3, column started_at",
                "does not exist",
            ),
            (
                at("7,8,9,2999-05-01T00:01:00Z,1,100"),
                ", line 3, column started_at",
                "future",
            ),
            (
                at("7,8,9,1969-05-01T00:01:00Z,1,100"),
                ", line 3, column started_at",
                "1970",
            ),
            (not_utf8, ", line 2, column started_at", "UTF-8"),
            (at("7,8,9,2024-05-01T00:0"), ", line 3", "too few fields"),
            (
                at("7,8,9,2024-05-01T00:01:00Z,1,100,5"),
                ", line 3",
                "7 instead of 6",
            ),
            (
                at("7,8,9,\"2024-05-01T00:01:00Z,1,100"),
                ", line 3, column started_at",
                "unclosed quote",
            ),
            (
                at(&"7".repeat(100_000)),
                ", line 3",
                "longer than 65536 bytes",
            ),
        ],
    );
}

#[test]
fn contradictions_are_reported_with_both_values() {
    let env = half_settled();
    // Video 1 has owner 9 and 600 s; users 100 and 101 have plays at known instants.
    let known = env.value(
        "SELECT play_time || '|' || strftime('%Y-%m-%dT%H:%M:%SZ', occurred_at_micros / 1000000, \
         'unixepoch') FROM play_history WHERE video_id = 1 AND user_id = 100 AND date > '2024-03-31'",
    );
    let (seconds, instant) = known.split_once('|').unwrap();
    let closed = format!("{}T05:00:00Z", DAYS[0]);
    let other = format!("100,1,9,{instant},599,600\n");
    let seconds: &'static str = format!("with {seconds} seconds, here with 599").leak();
    assert_rejected(
        &env,
        &["import"],
        &[
            (plays(&other), ", line 2, column play_time_s", seconds),
            (
                plays(&format!("100,1,8,{instant},10,600\n")),
                ", line 2, column owner_id",
                "owner 9, here with 8",
            ),
            (
                plays(&format!("100,1,9,{instant},10,601\n")),
                ", line 2, column video_duration_s",
                "600 seconds, here with 601",
            ),
            (
                plays("5,50,9,2024-05-01T00:00:00Z,1,100\n5,50,9,2024-05-01T00:00:00Z,2,100\n"),
                ", line 3, column play_time_s",
                "1 seconds, here with 2",
            ),
            (
                plays("5,50,9,2024-05-01T00:00:00Z,1,100\n5,50,9,2024-05-02T00:00:00Z,1,101\n"),
                ", line 3, column video_duration_s",
                "100 seconds, here with 101",
            ),
            (
                plays(&format!(
                    "5,1,9,2024-05-01T00:00:00Z,1,600\n5,1,9,{closed},1,600\n"
                )),
                ", line 3, column started_at",
                "closed through 2024-03-30",
            ),
            (
                plays("5,1,9,2020-01-01T00:00:00Z,1,600\n"),
                ", line 2, column started_at",
                "the business day 2020-01-01 (Asia/Seoul) is closed",
            ),
        ],
    );
}

#[test]
fn a_bad_file_of_balances_is_rejected_whole() {
    let env = TestEnv::new();
    let at = |row: &str| format!("video_id,view_count,ad_view_count\n1,2,3\n{row}\n").into_bytes();
    assert_rejected(
        &env,
        &["import-balances"],
        &[
            (vec![], "", "the file is empty"),
            (b"1,2,3\n".to_vec(), ", line 1", "no header"),
            (
                b"video_id,views\n".to_vec(),
                ", line 1",
                "missing: view_count, ad_view_count",
            ),
            (at("2,-2,3"), ", line 3, column view_count", "negative"),
            (
                at("2,2,99999999999999"),
                ", line 3, column ad_view_count",
                "too large",
            ),
            (at("x,2,3"), ", line 3, column video_id", "'x'"),
            (at("2,2"), ", line 3", "too few fields"),
            (
                at("2,\"2,3"),
                ", line 3, column view_count",
                "unclosed quote",
            ),
            (at("1,2,4"), ", line 3, column video_id", "in line 2"),
            (
                b"video_id,view_count,ad_view_count\n1,\xff,3".to_vec(),
                ", line 2, column view_count",
                "UTF-8",
            ),
        ],
    );
    // A valid file is imported. A second import changes nothing, and one after a closed day is
    // rejected.
    let good = env.file("good.csv", at("2,99999,5"));
    let args = ["import-balances", &good];
    env.balance(&args).run().succeeded();
    let before = env.everything();
    let again = env.balance(&args).run().succeeded();
    assert!(
        again.stdout.contains("0 new, 0 changed, 2 unchanged"),
        "{again:#?}"
    );
    assert_same(&env.everything(), &before, "the same balances again");
    let settled = half_settled();
    let before = settled.everything();
    settled
        .balance(&args)
        .run()
        .failed(&["before the first day is closed", DAYS[0]]);
    assert_same(
        &settled.everything(),
        &before,
        "balances after a closed day",
    );
}

#[test]
fn a_bad_file_of_rates_is_rejected_whole() {
    let env = half_settled();
    let set = ["rates", "set", "--effective-from", "2024-04-05"];
    let with = |rows: &str| format!("kind,from_count,to_count,won\n{rows}\n").into_bytes();
    assert_rejected(
        &env,
        &set,
        &[
            (vec![], "", "the file is empty"),
            (
                with("VIDEO,0,,1\nVIEW,0,,1"),
                ", line 3, column kind",
                "neither VIDEO nor AD",
            ),
            (
                with("VIDEO,-1,,1"),
                ", line 2, column from_count",
                "negative",
            ),
            (
                with("VIDEO,5,4,1"),
                ", line 2, column to_count",
                "ends before it begins",
            ),
            (
                with("VIDEO,0,,1.0000001"),
                ", line 2, column won",
                "'1.0000001'",
            ),
            (
                with("VIDEO,0,,1000001"),
                ", line 2, column won",
                "'1000001'",
            ),
            (with("VIDEO,0,,-1"), ", line 2, column won", "'-1'"),
            (with("VIDEO,0,,1"), "", "AD: there are no tiers"),
            (
                with("VIDEO,0,9,1\nVIDEO,11,,1\nAD,0,,1"),
                "",
                "no tier begins at 10",
            ),
            (
                with("VIDEO,0,9,1\nVIDEO,9,,1\nAD,0,,1"),
                "",
                "from 9 overlaps",
            ),
            (with("VIDEO,0,9,1\nAD,0,,1"), "", "must have no end"),
            (with("VIDEO,1,,1\nAD,0,,1"), "", "no tier begins at 0"),
        ],
    );
    let good = env.file("good.csv", with("VIDEO,0,,2.5\nAD,0,,1"));
    let before = env.everything();
    env.balance(&["rates", "set", "--effective-from", DAYS[0], &good])
        .run()
        .failed(&[DAYS[0], "closed"]);
    assert_same(&env.everything(), &before, "rates on a closed day");
    env.balance(&["rates", "set", "--effective-from", "2024-03-31", &good])
        .run()
        .succeeded();
    let shown = env.balance(&["rates", "show"]).run().succeeded();
    assert!(shown.stdout.contains("2.5"), "{shown:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let env = half_settled();
    let before = env.everything();
    let folder = env.folder().display().to_string();
    for command in [
        &["import"][..],
        &["import-balances"],
        &["rates", "set", "--effective-from", "2024-04-05"],
    ] {
        let on = |file: &str| {
            let mut args = command.to_vec();
            args.push(file);
            env.balance(&args).run()
        };
        let missing = format!("{folder}/missing.csv");
        on(&missing).failed(&[&missing, "cannot be read", "No such file"]);
        on(&folder).failed(&[&folder, "is a folder"]);
    }
    assert_same(&env.everything(), &before, "unreadable files");
    // The database that such a command would create, with a time zone for good, is not created.
    let empty = TestEnv::empty();
    for command in ["import", "import-balances"] {
        let outcome = empty.balance(&[command, "missing.csv"]).run();
        outcome.failed(&["missing.csv", "cannot be read"]);
        assert!(!empty.database().exists(), "{command}");
    }
}
