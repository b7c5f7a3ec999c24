use crate::import::play_file::*;
use proptest::prelude::*;

/// 2030-01-01T00:00:00Z.
const NOW: i64 = 1_893_456_000_000_000;
const HEADER: &str = "user_id,video_id,owner_id,started_at,play_time_s,video_duration_s";

fn read(bytes: &[u8]) -> Result<Vec<SourcedPlay>, FileError> {
    PlayFile::new(bytes, "plays.csv", 0, NOW)?.collect()
}

fn fault(row: &str) -> String {
    read(format!("{HEADER}\n{row}\n").as_bytes())
        .unwrap_err()
        .to_string()
}

fn micros(started_at: &str) -> Result<i64, String> {
    let row = format!("{HEADER}\n1,2,3,{started_at},4,5\n");
    match read(row.as_bytes()) {
        Ok(rows) => Ok(rows[0].play.started_at_micros),
        Err(error) => {
            assert_eq!((error.line, error.column), (Some(2), Some("started_at")));
            Err(error.reason)
        }
    }
}

#[test]
fn reads_plays_with_their_file_and_line() {
    let text = "\u{feff}video_id,owner_id,user_id,started_at,video_duration_s,play_time_s\r\n\
                \"3431182\",,4854,2022-04-07T15:44:48Z,19,20\r\n\
                \r\n\
                526117,77,7603,\"2022-04-08T00:49:14.25+09:00\",28,0";
    let rows: Result<Vec<_>, _> = PlayFile::new(text.as_bytes(), "plays.csv", 3, NOW)
        .unwrap()
        .collect();
    let first = Play {
        user_id: UserId(4854),
        video_id: VideoId(3_431_182),
        owner_id: UserId(9_000_000_082),
        started_at_micros: 1_649_346_288_000_000,
        play_time_s: 20,
        duration_s: 19,
    };
    let second = Play {
        user_id: UserId(7603),
        video_id: VideoId(526_117),
        owner_id: UserId(77),
        started_at_micros: 1_649_346_554_250_000,
        play_time_s: 0,
        duration_s: 28,
    };
    let row = |play, line| SourcedPlay {
        play,
        file: 3,
        line,
    };
    assert_eq!(rows, Ok(vec![row(first, 2), row(second, 4)]));
}

#[test]
fn an_empty_file_a_missing_header_and_wrong_columns_are_rejected() {
    let fault = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(fault(""), "plays.csv: the file is empty");
    assert_eq!(
        fault("1,2,,2022-04-07T15:44:48Z,19,19\n"),
        format!(
            "plays.csv, line 1: there is no header: '1,2,,2022-04-07T15:44:48Z,19,19' names none \
             of {HEADER}"
        )
    );
    assert_eq!(
        fault("user_id,video_id,video_id,started_at,play_time,video_duration_s\n"),
        format!(
            "plays.csv, line 1: the header must be {HEADER}; missing: owner_id, play_time_s; \
             unknown: 'play_time'; duplicate: video_id"
        )
    );
    assert_eq!(read(HEADER.as_bytes()), Ok(vec![]));
}

#[test]
fn each_bad_value_is_named_with_line_column_and_reason() {
    for (row, expected) in [
        (
            "1,2,,2022-04-07T15:44:48Z,-3,19",
            "plays.csv, line 2, column play_time_s: '-3' is negative (0 to 86400)",
        ),
        (
            "1,2,,2022-04-07T15:44:48Z,86401,19",
            "plays.csv, line 2, column play_time_s: '86401' is too large (0 to 86400)",
        ),
        (
            "1,2,,2022-04-07T15:44:48Z,,19",
            "plays.csv, line 2, column play_time_s: the value is missing (0 to 86400)",
        ),
        (
            "1,2,,2022-04-07T15:44:48Z,19,0",
            "plays.csv, line 2, column video_duration_s: '0' is too small (1 to 86400)",
        ),
        (
            "1,2,,2022-04-07T15:44:48Z,19,1.5",
            "plays.csv, line 2, column video_duration_s: '1.5' is not a whole number (1 to 86400)",
        ),
        (
            "0,2,,2022-04-07T15:44:48Z,19,19",
            "plays.csv, line 2, column user_id: '0' is too small (1 to 9223372036854775807)",
        ),
        (
            "1,9223372036854775808,,2022-04-07T15:44:48Z,19,19",
            "plays.csv, line 2, column video_id: '9223372036854775808' is too large \
             (1 to 9223372036854775807)",
        ),
        (
            "1,2, ,2022-04-07T15:44:48Z,19,19",
            "plays.csv, line 2, column owner_id: ' ' has spaces around it \
             (1 to 9223372036854775807)",
        ),
        (
            "1,2,,yesterday,19,19",
            "plays.csv, line 2, column started_at: 'yesterday' is not a time with its zone \
             such as 2022-04-08T02:49:36Z (RFC 3339)",
        ),
        (
            "1\0,2,,2022-04-07T15:44:48Z,19,19",
            "plays.csv, line 2, column user_id: '1\\0' is not a whole number \
             (1 to 9223372036854775807)",
        ),
        (
            "1,2,,2022-04-07T15:44:48Z,19,\"19",
            "plays.csv, line 2, column video_duration_s: unclosed quote in '\"19'",
        ),
        (
            "1,2,,\"2022-04-07T15:44:48Z,19,19\n1,2,,2022-04-07T15:44:48Z,19,19",
            "plays.csv, line 2, column started_at: unclosed quote in '\"2022-04-07T15:44:48Z'",
        ),
        (
            "1,2,,2022-04-07T15:44:48Z,19,19\n1,2,,2022-04-0",
            "plays.csv, line 3: the row has too few fields: 4 instead of 6",
        ),
        (
            "1,2,,2022-04-07T15:44:48Z,19,19,20",
            "plays.csv, line 2: the row has too many fields: 7 instead of 6",
        ),
    ] {
        assert_eq!(fault(row), expected);
    }
}

#[test]
fn invalid_utf8_is_reported_in_every_column() {
    for (column, name) in COLUMNS.iter().enumerate() {
        let mut values: Vec<&[u8]> = vec![b"1", b"2", b"3", b"2022-04-07T15:44:48Z", b"4", b"5"];
        values[column] = b"\xc3(";
        let text = [HEADER.as_bytes(), b"\n", &values.join(&b',')].concat();
        let expected = format!(r"plays.csv, line 2, column {name}: '\xc3(' is not UTF-8 text");
        assert_eq!(read(&text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn times_have_any_offset_and_at_most_microseconds() {
    let at = 1_649_386_176_000_000;
    for text in [
        "2022-04-08T02:49:36Z",
        "2022-04-08T02:49:36.0Z",
        "2022-04-08T02:49:36+00:00",
        "2022-04-08T11:49:36+09:00",
        "2022-04-07T21:19:36-05:30",
        "2022-04-08t02:49:36.000000z",
    ] {
        assert_eq!(micros(text), Ok(at), "{text}");
    }
    assert_eq!(micros("2022-04-08T02:49:36.123456Z"), Ok(at + 123_456));
    assert_eq!(micros("1970-01-01T00:00:00Z"), Ok(0));
    assert_eq!(micros("2024-02-29T00:00:00Z"), Ok(1_709_164_800_000_000));
    assert_eq!(micros("2030-01-01T00:00:00Z"), Ok(NOW));
}

#[test]
fn invalid_times_and_times_out_of_range_are_rejected() {
    for (text, expected) in [
        ("", "the time is missing"),
        (
            " 2022-04-08T02:49:36Z",
            "' 2022-04-08T02:49:36Z' has spaces around it",
        ),
        (
            "2022-04-08T02:49:36.1234567Z",
            "'2022-04-08T02:49:36.1234567Z' is finer than a microsecond",
        ),
        (
            "2022-04-08T02:49:36.1234560000Z",
            "'2022-04-08T02:49:36.1234560000Z' is finer than a microsecond",
        ),
        (
            "2016-12-31T23:59:60Z",
            "'2016-12-31T23:59:60Z' is a leap second, which is not supported",
        ),
        (
            "1969-12-31T23:59:59.999999Z",
            "'1969-12-31T23:59:59.999999Z' is before 1970-01-01",
        ),
        (
            "1970-01-01T08:59:59+09:00",
            "'1970-01-01T08:59:59+09:00' is before 1970-01-01",
        ),
        (
            "2030-01-01T00:00:01Z",
            "'2030-01-01T00:00:01Z' is in the future (it is 2030-01-01T00:00:00Z)",
        ),
        (
            "2030-01-01T00:00:00.000001Z",
            "'2030-01-01T00:00:00.000001Z' is in the future (it is 2030-01-01T00:00:00Z)",
        ),
    ] {
        assert_eq!(micros(text), Err(expected.to_owned()));
    }
    for text in [
        "2022-02-29T00:00:00Z",
        "2022-13-01T00:00:00Z",
        "2022-00-01T00:00:00Z",
        "2022-04-08T24:00:00Z",
        "2022-04-08T02:60:36Z",
        "2022-04-08T02:49:61Z",
        "2022-04-08T02:49:36+24:00",
    ] {
        let expected = format!("'{text}' is a day or time that does not exist");
        assert_eq!(micros(text), Err(expected));
    }
    for text in [
        "2022-04-08T02:49:36",
        "2022-04-08 02:49:36",
        "2022-04-08",
        "2022-04-08T02:49Z",
        "2022-04-08T02:49:36.Z",
        "2022-04-08T02:49:36+0900",
        "2022-04-08T02:49:36\u{2212}09:00",
        "2022-04-08T02:49:36Zulu",
        "2022/04/08T02:49:36Z",
        "20222-04-08T02:49:36Z",
        "-022-04-08T02:49:36Z",
        "1649386176",
    ] {
        let expected =
            format!("'{text}' is not a time with its zone such as 2022-04-08T02:49:36Z (RFC 3339)");
        assert_eq!(micros(text), Err(expected));
    }
}

#[test]
fn a_wrong_time_does_not_change_the_cached_date() {
    let row = |at: &str| format!("1,2,,{at},19,19\n");
    let text = [
        "2022-04-08T00:00:01Z",
        "2022-04-09T00:00:00Z",
        "2022-04-08T00:00:00Z",
    ]
    .map(row);
    let text = format!("{HEADER}\n{}", text.concat());
    let found = read(text.as_bytes()).unwrap();
    let found: Vec<_> = found.iter().map(|row| row.play.started_at_micros).collect();
    let day = 1_649_376_000_000_000;
    assert_eq!(found, [day + 1_000_000, day + 86_400_000_000, day]);
}

#[test]
fn ends_after_the_first_error() {
    let text = format!("{HEADER}\nx\n1,2,,2022-04-07T15:44:48Z,19,19\n");
    let mut file = PlayFile::new(text.as_bytes(), "plays.csv", 0, NOW).unwrap();
    assert!(file.next().unwrap().is_err());
    assert_eq!(file.next(), None);
}

fn play() -> impl Strategy<Value = Play> {
    let ids = (1..=i64::MAX, 1..=i64::MAX, 1..=i64::MAX);
    (ids, 0..=NOW, 0..=MAX_PLAY_TIME_S, 1..=MAX_DURATION_S).prop_map(
        |((user, video, owner), started_at_micros, play_time_s, duration_s)| Play {
            user_id: UserId(user),
            video_id: VideoId(video),
            owner_id: UserId(owner),
            started_at_micros,
            play_time_s,
            duration_s,
        },
    )
}

proptest! {
    #[test]
    fn written_plays_read_back(
        plays in prop::collection::vec(play(), 0..8),
        order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle(),
        whole_seconds: bool,
        (mark, crlf, quotes, last) in any::<(bool, bool, bool, bool)>(),
    ) {
        let mut lines = vec![COLUMNS.map(str::to_owned)];
        let mut expected = Vec::new();
        for (mut play, line) in plays.into_iter().zip(2..) {
            let at = &mut play.started_at_micros;
            let form = if whole_seconds { SecondsFormat::Secs } else { SecondsFormat::Micros };
            if whole_seconds {
                *at -= *at % MICROS_PER_S;
            }
            let at = DateTime::from_timestamp_micros(*at).unwrap().to_rfc3339_opts(form, true);
            lines.push([
                play.user_id.to_string(),
                play.video_id.to_string(),
                play.owner_id.to_string(),
                at,
                play.play_time_s.to_string(),
                play.duration_s.to_string(),
            ]);
            expected.push(SourcedPlay { play, file: 0, line });
        }
        let written = |values: &[String; 6]| {
            order.map(|n: usize| if quotes { format!("\"{}\"", values[n]) } else { values[n].clone() })
                .join(",")
        };
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = lines.iter().map(written).collect::<Vec<_>>().join(end);
        if mark {
            text.insert(0, '\u{feff}');
        }
        if last {
            text.push_str(end);
        }
        prop_assert_eq!(read(text.as_bytes()), Ok(expected));
    }

    #[test]
    fn both_time_parsers_agree(text in "(19[67][0-9]|20[0-3][0-9])-[012][0-9]-[0-3][0-9]T[0-3][0-9]:[0-6][0-9]:[0-5][0-9]Z") {
        let mut times = TimeParser::new(i64::MAX);
        let common = times.common(text.as_bytes());
        prop_assert_eq!(common, general(text.as_bytes()).ok());
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, row in "[0-9a-zTZ:,\"\r\n+-]{0,80}") {
        let _ = read(&bytes);
        let _ = read(&[HEADER.as_bytes(), b"\n", &bytes].concat());
        let _ = read(&[HEADER.as_bytes(), b"\n", row.as_bytes()].concat());
    }
}
