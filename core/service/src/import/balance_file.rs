//! Files of opening counts: `video_id,view_count,ad_view_count`.

use crate::import::csv_file::{CsvFile, FileError, integer};
use balance_domain::videos::{MAX_OPENING_COUNT, OpeningBalance, VideoId};
use std::io::Read;

/// The most rows of a file. The rows are kept in memory, at 32 bytes each.
pub const MAX_BALANCE_ROWS: usize = 10_000_000;

const COLUMNS: [&str; 3] = ["video_id", "view_count", "ad_view_count"];

/// Reads opening counts and returns them ordered by video id. Video ids are 1 to `i64::MAX`, counts
/// are 0 to [`MAX_OPENING_COUNT`]. Drops repeated rows. `name` names the file in errors. The source
/// needs no buffer.
///
/// # Errors
/// If the file cannot be read, is empty or has a wrong header; if a value is invalid; if the file
/// has more than [`MAX_BALANCE_ROWS`] rows; or if two rows have different counts of a video. Names
/// the line and the column of the first error.
pub fn read_balances(
    source: impl Read,
    name: impl Into<String>,
) -> Result<Vec<OpeningBalance>, FileError> {
    read_at_most(MAX_BALANCE_ROWS, source, name.into())
}

fn read_at_most(
    max_rows: usize,
    source: impl Read,
    name: String,
) -> Result<Vec<OpeningBalance>, FileError> {
    let mut csv = CsvFile::new(source, name.clone(), &COLUMNS)?;
    let mut rows = Vec::new();
    while let Some(row) = csv.next_row()? {
        if rows.len() == max_rows {
            return Err(row.row_error(format!("the file has more than {max_rows} rows")));
        }
        let count = |value: &[u8]| integer(value, 0, MAX_OPENING_COUNT);
        let balance = OpeningBalance {
            video_id: VideoId(row.parse(0, |value| integer(value, 1, i64::MAX))?),
            view_count: row.parse(1, count)?,
            ad_view_count: row.parse(2, count)?,
        };
        rows.push((balance, row.line()));
    }
    // Sorting in place needs far less memory than a map of the videos.
    rows.sort_unstable_by_key(|(balance, line)| (balance.video_id, *line));
    if let Some(error) = contradiction(&rows, name) {
        return Err(error);
    }
    rows.dedup_by_key(|(balance, _)| balance.video_id);
    Ok(rows.into_iter().map(|(balance, _)| balance).collect())
}

/// Returns the error of the first line that contradicts an earlier one. The rows are ordered by
/// video and line.
fn contradiction(rows: &[(OpeningBalance, u64)], name: String) -> Option<FileError> {
    let [(earlier, earlier_line), (later, later_line)] = rows
        .array_windows::<2>()
        .filter(|[(a, _), (b, _)]| a.video_id == b.video_id && a != b)
        .min_by_key(|[_, (_, line)]| *line)?;
    let counts = |balance: &OpeningBalance| {
        let (views, ad_views) = (balance.view_count, balance.ad_view_count);
        format!("{views} views and {ad_views} ad views")
    };
    let reason = format!(
        "video {} has {} here and {} in line {earlier_line}",
        later.video_id,
        counts(later),
        counts(earlier),
    );
    Some(FileError {
        line: Some(*later_line),
        column: Some(COLUMNS[0]),
        ..FileError::of_file(name, reason)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "video_id,view_count,ad_view_count";

    fn read(rows: &str) -> Result<Vec<OpeningBalance>, FileError> {
        read_at_most(
            4,
            format!("{HEADER}\n{rows}").as_bytes(),
            "b.csv".to_owned(),
        )
    }

    fn fault(rows: &str) -> String {
        read(rows).unwrap_err().to_string()
    }

    fn balance(video_id: i64, view_count: i64, ad_view_count: i64) -> OpeningBalance {
        OpeningBalance {
            video_id: VideoId(video_id),
            view_count,
            ad_view_count,
        }
    }

    #[test]
    fn reads_counts_ordered_by_video() {
        let text = "\u{feff}ad_view_count,video_id,view_count\r\n\"7\",30,99999\r\n\r\n0,2,0";
        let expected = vec![balance(2, 0, 0), balance(30, 99_999, 7)];
        assert_eq!(read_balances(text.as_bytes(), "b.csv"), Ok(expected));
        assert_eq!(read(""), Ok(vec![]));
        let most = balance(1, MAX_OPENING_COUNT, MAX_OPENING_COUNT);
        assert_eq!(read("1,1000000000000,1000000000000"), Ok(vec![most]));
    }

    #[test]
    fn a_video_may_be_repeated_but_not_contradicted() {
        assert_eq!(read("1,2,3\n1,2,3\n"), Ok(vec![balance(1, 2, 3)]));
        assert_eq!(
            fault("9,2,3\n1,2,3\n9,2,4\n1,1,1\n"),
            "b.csv, line 4, column video_id: \
             video 9 has 2 views and 4 ad views here and 2 views and 3 ad views in line 2"
        );
        assert_eq!(
            fault("1,2,3\n1,2,3\n\n1,3,3\n"),
            "b.csv, line 5, column video_id: \
             video 1 has 3 views and 3 ad views here and 2 views and 3 ad views in line 3"
        );
    }

    #[test]
    fn bad_input_is_reported_with_line_and_column() {
        for (rows, expected) in [
            (
                "0,2,3",
                "b.csv, line 2, column video_id: '0' is too small (1 to 9223372036854775807)",
            ),
            (
                "1,-2,3",
                "b.csv, line 2, column view_count: '-2' is negative (0 to 1000000000000)",
            ),
            (
                "1,2,1000000000001",
                "b.csv, line 2, column ad_view_count: '1000000000001' is too large \
                 (0 to 1000000000000)",
            ),
            (
                "1,2,",
                "b.csv, line 2, column ad_view_count: the value is missing (0 to 1000000000000)",
            ),
            (
                "1,2,\"3",
                "b.csv, line 2, column ad_view_count: unclosed quote in '\"3'",
            ),
            (
                "1,2",
                "b.csv, line 2: the row has too few fields: 2 instead of 3",
            ),
            (
                "1,2,3\n2,2,3\n3,2,3\n4,2,3\n5,2,3\n",
                "b.csv, line 6: the file has more than 4 rows",
            ),
        ] {
            assert_eq!(fault(rows), expected);
        }
        let fault = |text: &[u8]| read_balances(text, "b.csv").unwrap_err().to_string();
        assert_eq!(fault(b""), "b.csv: the file is empty");
        assert_eq!(
            fault(b"video_id,views,ad_view_count\n"),
            "b.csv, line 1: the header must be video_id,view_count,ad_view_count; \
             missing: view_count; unknown: 'views'"
        );
        assert_eq!(
            fault(b"video_id,view_count,ad_view_count\n1,\xff,3"),
            r"b.csv, line 2, column view_count: '\xff' is not UTF-8 text"
        );
    }

    proptest! {
        #[test]
        fn written_balances_read_back(
            counts in prop::collection::btree_map(
                1..=i64::MAX,
                (0..=MAX_OPENING_COUNT, 0..=MAX_OPENING_COUNT),
                0..20,
            ),
        ) {
            let expected: Vec<_> = counts.iter().map(|(id, (v, a))| balance(*id, *v, *a)).collect();
            let rows = counts.iter().rev().map(|(id, (v, a))| format!("\n{id},{v},{a}"));
            let text = format!("{HEADER}{}", rows.collect::<String>());
            prop_assert_eq!(read_balances(text.as_bytes(), "b.csv"), Ok(expected));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, rows in "[0-3,\"\n-]{0,40}") {
            let _ = read_balances(bytes.as_slice(), "b.csv");
            let _ = read(&rows);
        }
    }
}
