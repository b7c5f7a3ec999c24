//! Files of rates: `kind,from_count,to_count,won`.

use crate::import::csv_file::{CsvFile, FileError, integer, padded, quoted};
use balance_domain::{
    money::MICRO_WON_PER_WON,
    rates::{MAX_MICRO_WON, MAX_TIERS, RateKind, Tier},
};
use std::io::Read;

const COLUMNS: [&str; 4] = ["kind", "from_count", "to_count", "won"];
const MAX_ROWS: usize = RateKind::ALL.len() * MAX_TIERS;

const DECIMAL_PLACES: usize = 6;

/// Reads tiers in the order of the file. `name` names the file in errors.
///
/// - `kind` is VIDEO or AD, in upper or lower case.
/// - Counts are 0 to `i64::MAX`. An empty `to_count` makes a tier without end.
/// - `won` is a decimal of at most six places, 0 to 1,000,000.
///
/// [`RateVersion::new`](balance_domain::rates::RateVersion::new) checks that the tiers are
/// complete.
///
/// # Errors
/// If the file cannot be read, is empty or has a wrong header; if a value is invalid or a tier ends
/// before it begins; or if the file has more rows than two kinds can have tiers. The error names
/// the line and the column.
pub fn read_rates(
    source: impl Read,
    name: impl Into<String>,
) -> Result<Vec<(RateKind, Tier)>, FileError> {
    let mut csv = CsvFile::new(source, name, &COLUMNS)?;
    let mut tiers = Vec::new();
    while let Some(row) = csv.next_row()? {
        if tiers.len() == MAX_ROWS {
            return Err(row.row_error(format!("the file has more than {MAX_ROWS} rows")));
        }
        let kind = row.parse(0, kind)?;
        let from_count = row.parse(1, |value| integer(value, 0, i64::MAX))?;
        let to_count = row.parse(2, |value| match value {
            [] => Ok(None),
            _ => integer(value, 0, i64::MAX).map(Some),
        })?;
        if to_count.is_some_and(|end| end < from_count) {
            return Err(row.value_error(
                2,
                format!("the tier from {from_count} ends before it begins"),
            ));
        }
        let tier = Tier {
            from_count,
            to_count,
            micro_won: row.parse(3, micro_won)?,
        };
        tiers.push((kind, tier));
    }
    Ok(tiers)
}

fn kind(value: &[u8]) -> Result<RateKind, String> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("{} is neither VIDEO nor AD", quoted(value)))
}

/// Parses a decimal such as `1.1` into millionths of a won.
fn micro_won(value: &[u8]) -> Result<i64, String> {
    const RANGE: &str = "(0 to 1000000 won)";
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let (whole, places) = match value.iter().position(|byte| *byte == b'.') {
        Some(point) => (&value[..point], Some(&value[point + 1..])),
        None => (value, None),
    };
    let problem = if value.is_empty() {
        return Err(format!("the rate is missing {RANGE}"));
    } else if padded(value) {
        "has spaces around it"
    } else if whole.first() == Some(&b'-') && digits(&whole[1..]) && places.is_none_or(digits) {
        "is negative"
    } else if !digits(whole) || !places.is_none_or(digits) {
        "is not a decimal number such as 1.1"
    } else if places.is_some_and(|places| places.len() > DECIMAL_PLACES) {
        "has more than 6 decimal places"
    } else {
        match in_micros(whole, places.unwrap_or_default()) {
            Some(micro_won) if micro_won <= MAX_MICRO_WON => return Ok(micro_won),
            _ => "is too large",
        }
    };
    Err(format!("{} {problem} {RANGE}", quoted(value)))
}

/// Converts the digits before the point, and at most six after it, into millionths.
fn in_micros(whole: &[u8], places: &[u8]) -> Option<i64> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |number, digit| {
            number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))
        })
    };
    let missing = u32::try_from(DECIMAL_PLACES.checked_sub(places.len())?).ok()?;
    let millionths = number(places)?.checked_mul(10_i64.pow(missing))?;
    number(whole)?
        .checked_mul(MICRO_WON_PER_WON)?
        .checked_add(millionths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use balance_domain::rates::RateVersion;
    use chrono::NaiveDate;
    use proptest::prelude::*;

    const HEADER: &str = "kind,from_count,to_count,won";

    fn read(rows: &str) -> Result<Vec<(RateKind, Tier)>, FileError> {
        read_rates(format!("{HEADER}\n{rows}").as_bytes(), "r.csv")
    }

    fn fault(rows: &str) -> String {
        read(rows).unwrap_err().to_string()
    }

    fn rate(won: &str) -> Result<i64, String> {
        micro_won(won.as_bytes())
    }

    #[test]
    fn reads_the_default_rates() {
        let text = "\u{feff}won,kind,from_count,to_count\r\n\
                    1.0,VIDEO,0,99999\r\n1.1,VIDEO,100000,499999\r\n\
                    1.3,VIDEO,500000,999999\r\n\"1.5\",\"VIDEO\",1000000,\"\"\r\n\
                    \r\n10,ad,0,";
        let tiers = read_rates(text.as_bytes(), "r.csv").unwrap();
        let tier = |from_count, to_count, micro_won| Tier {
            from_count,
            to_count,
            micro_won,
        };
        assert_eq!(
            tiers,
            [
                (RateKind::Video, tier(0, Some(99_999), 1_000_000)),
                (RateKind::Video, tier(100_000, Some(499_999), 1_100_000)),
                (RateKind::Video, tier(500_000, Some(999_999), 1_300_000)),
                (RateKind::Video, tier(1_000_000, None, 1_500_000)),
                (RateKind::Ad, tier(0, None, 10_000_000)),
            ]
        );
        let date = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
        assert!(RateVersion::new(date, tiers).is_ok());
        assert_eq!(read(""), Ok(vec![]));
    }

    #[test]
    fn a_rate_is_an_exact_decimal() {
        assert_eq!(rate("0"), Ok(0));
        assert_eq!(rate("1.1"), Ok(1_100_000));
        assert_eq!(rate("0.000001"), Ok(1));
        assert_eq!(rate("000000000000000000000000.5"), Ok(500_000));
        assert_eq!(rate("1000000.000000"), Ok(MAX_MICRO_WON));
        for (value, fault) in [
            ("1000000.000001", "is too large"),
            ("99999999999999999999", "is too large"),
            ("9223372036854.775808", "is too large"),
            ("-1.5", "is negative"),
            ("1.1234567", "has more than 6 decimal places"),
            (" 1.1", "has spaces around it"),
            ("1.", "is not a decimal number such as 1.1"),
            (".5", "is not a decimal number such as 1.1"),
            ("1.1.1", "is not a decimal number such as 1.1"),
            ("+1", "is not a decimal number such as 1.1"),
            ("-", "is not a decimal number such as 1.1"),
            ("1e3", "is not a decimal number such as 1.1"),
            ("NaN", "is not a decimal number such as 1.1"),
        ] {
            assert_eq!(
                rate(value),
                Err(format!("'{value}' {fault} (0 to 1000000 won)"))
            );
        }
        assert_eq!(
            rate(""),
            Err("the rate is missing (0 to 1000000 won)".to_owned())
        );
    }

    #[test]
    fn bad_input_is_reported_with_line_and_column() {
        for (rows, expected) in [
            (
                "MOVIE,0,,1.1",
                "r.csv, line 2, column kind: 'MOVIE' is neither VIDEO nor AD",
            ),
            (
                "AD,,,1.1",
                "r.csv, line 2, column from_count: the value is missing \
                 (0 to 9223372036854775807)",
            ),
            (
                "AD,0,x,1.1",
                "r.csv, line 2, column to_count: 'x' is not a whole number \
                 (0 to 9223372036854775807)",
            ),
            (
                "AD,10,9,1.1",
                "r.csv, line 2, column to_count: the tier from 10 ends before it begins",
            ),
            (
                "AD,0,,1.1x",
                "r.csv, line 2, column won: '1.1x' is not a decimal number such as 1.1 \
                 (0 to 1000000 won)",
            ),
            (
                "AD,0,9,1\nAD,10,,\"1.1",
                "r.csv, line 3, column won: unclosed quote in '\"1.1'",
            ),
            (
                "AD,0,,\"1,1\"",
                "r.csv, line 2, column won: unclosed quote in '\"1'",
            ),
            (
                "AD,0,1.1",
                "r.csv, line 2: the row has too few fields: 3 instead of 4",
            ),
        ] {
            assert_eq!(fault(rows), expected);
        }
        let many = "AD,0,,1\n".repeat(MAX_ROWS + 1);
        assert_eq!(
            fault(&many),
            "r.csv, line 202: the file has more than 200 rows"
        );
        let fault = |text: &[u8]| read_rates(text, "r.csv").unwrap_err().to_string();
        assert_eq!(fault(b""), "r.csv: the file is empty");
        assert_eq!(
            fault(b"kind,from_count,won\n"),
            "r.csv, line 1: the header must be kind,from_count,to_count,won; missing: to_count"
        );
        assert_eq!(
            fault(b"kind,from_count,to_count,won\n\xed\xa0\x80,0,,1"),
            r"r.csv, line 2, column kind: '\xed\xa0\x80' is not UTF-8 text"
        );
    }

    proptest! {
        #[test]
        fn written_rates_read_back(micro_won in 0..=MAX_MICRO_WON, from_count in 0..=i64::MAX) {
            let won = format!("{}.{:06}", micro_won / MICRO_WON_PER_WON, micro_won % MICRO_WON_PER_WON);
            let short = won.trim_end_matches('0').trim_end_matches('.');
            let tier = Tier { from_count, to_count: None, micro_won };
            let text = format!("VIDEO,{from_count},,{won}\nAD,{from_count},,{short}");
            let expected = vec![(RateKind::Video, tier), (RateKind::Ad, tier)];
            prop_assert_eq!(read(&text), Ok(expected));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, rows in "[AD0-3.,\"\n-]{0,40}", won in "[0-9.+-]{0,40}") {
            let _ = read_rates(bytes.as_slice(), "r.csv");
            let _ = read(&rows);
            let _ = rate(&won);
        }
    }
}
