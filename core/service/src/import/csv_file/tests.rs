use crate::import::csv_file::*;
use proptest::prelude::*;

const COLUMNS: [&str; 3] = ["a", "b", "c"];

/// Returns all rows with their lines, in the expected order of the columns.
fn read(source: impl Read) -> Result<Vec<(u64, Vec<String>)>, FileError> {
    let mut file = CsvFile::new(source, "x.csv", &COLUMNS)?;
    let mut rows = Vec::new();
    while let Some(row) = file.next_row()? {
        let text = |value: &[u8]| match invalid_text(value) {
            None => Ok(String::from_utf8_lossy(value).into_owned()),
            Some(_) => Err("rejected".to_owned()),
        };
        let values: Result<_, _> = (0..3).map(|column| row.parse(column, text)).collect();
        rows.push((row.line(), values?));
    }
    Ok(rows)
}

fn fault(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

fn row(line: u64, values: [&str; 3]) -> (u64, Vec<String>) {
    (line, values.map(str::to_owned).to_vec())
}

/// Returns one byte at a time, and an optional error at the end.
struct Trickle<'a>(&'a [u8], Option<io::ErrorKind>);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self
            .1
            .take_if(|kind| self.0.is_empty() || *kind == io::ErrorKind::Interrupted)
        {
            Some(kind) => Err(kind.into()),
            None => self.0.read(&mut buffer[..1]),
        }
    }
}

#[test]
fn reads_columns_in_any_order_with_quotes_crlf_and_no_last_line_break() {
    let expected = vec![row(2, ["1", "2", "3"]), row(3, ["4", "", "6"])];
    for text in [
        "a,b,c\n1,2,3\n4,,6\n",
        "a,b,c\r\n1,2,3\r\n4,,6\r\n",
        "a,b,c\r\n1,2,3\n4,,6",
        "a,b,c\r\n1,2,3\r\n4,,6\r",
        "c,a,b\n3,1,2\n6,4,\n",
        "\"c\",b,\"a\"\n3,\"2\",1\n\"6\",\"\",\"4\"",
        "\"a\",b,\"c\"\r\n1,\"2\",3\r\n\"4\",\"\",\"6\"\r\n",
    ] {
        assert_eq!(read(text.as_bytes()).unwrap(), expected, "{text:?}");
        let marked = format!("\u{feff}{text}");
        assert_eq!(read(marked.as_bytes()).unwrap(), expected, "{marked:?}");
        assert_eq!(
            read(Trickle(marked.as_bytes(), None)).unwrap(),
            expected,
            "{marked:?}"
        );
    }
}

#[test]
fn a_header_alone_has_no_rows_and_an_empty_file_is_rejected() {
    assert_eq!(read(b"a,b,c\n".as_slice()).unwrap(), []);
    assert_eq!(read(b"a,b,c".as_slice()).unwrap(), []);
    for empty in ["", "\n", "\r\n\n", "\u{feff}", "\u{feff}\n"] {
        assert_eq!(
            fault(empty.as_bytes()),
            "x.csv: the file is empty",
            "{empty:?}"
        );
    }
}

#[test]
fn blank_lines_are_skipped_and_counted() {
    let text = b"\n\r\na,b,c\n\n\r\n1,2,3\r\n\r\n\n4,5,6\n\n";
    let expected = vec![row(6, ["1", "2", "3"]), row(9, ["4", "5", "6"])];
    assert_eq!(read(text.as_slice()).unwrap(), expected);
    assert_eq!(read(Trickle(text, None)).unwrap(), expected);
    assert!(fault(b"a,b,c\n\n\n1,2\n").starts_with("x.csv, line 4: "));
    assert!(fault(b"a,b,c\n\r\n\r\n1,2").starts_with("x.csv, line 4: "));
}

#[test]
fn a_wrong_header_names_each_column() {
    assert_eq!(
        fault(b"1,2,3\n4,5,6\n"),
        "x.csv, line 1: there is no header: '1,2,3' names none of a,b,c"
    );
    assert_eq!(
        fault(b"a;b;c\n"),
        "x.csv, line 1: there is no header: 'a;b;c' names none of a,b,c"
    );
    assert_eq!(
        fault(b"\nb,b,d,A,b\n"),
        "x.csv, line 2: the header must be a,b,c; missing: a, c; unknown: 'd', 'A'; duplicate: b"
    );
    assert_eq!(
        fault(b"a,b,c,\n"),
        "x.csv, line 1: the header must be a,b,c; unknown: ''"
    );
    assert_eq!(
        fault(b"a,b,c,1,2,3,4,5,6,7,8,9,10\n"),
        "x.csv, line 1: the header must be a,b,c; \
         unknown: '1', '2', '3', '4', '5', '6', '7', '8' and 2 more"
    );
    assert_eq!(
        fault(b"a,b,\xfc\n"),
        r"x.csv, line 1: the header: '\xfc' is not UTF-8 text"
    );
    assert_eq!(
        fault(b"a,b,\"c\n1,2,3\n"),
        "x.csv, line 1: the header: unclosed quote in '\"c'"
    );
}

#[test]
fn a_row_with_the_wrong_number_of_fields_is_rejected() {
    assert_eq!(
        fault(b"a,b,c\n1,2,3\n4,5"),
        "x.csv, line 3: the row has too few fields: 2 instead of 3"
    );
    assert_eq!(
        fault(b"a,b,c\n1,2,3,4\n"),
        "x.csv, line 2: the row has too many fields: 4 instead of 3"
    );
}

#[test]
fn an_unclosed_quote_is_found_everywhere() {
    for (text, expected) in [
        (
            "1,2,\"3",
            "x.csv, line 2, column c: unclosed quote in '\"3'",
        ),
        (
            "1,2,\"3\r\n4,5,6\r\n",
            "x.csv, line 2, column c: unclosed quote in '\"3'",
        ),
        (
            "\"1,2,3\n4,5,6\n\"",
            "x.csv, line 2, column a: unclosed quote in '\"1'",
        ),
        (
            "1,2\",3\n",
            "x.csv, line 2, column b: unclosed quote in '2\"'",
        ),
        (
            "1,\",3\n",
            "x.csv, line 2, column b: unclosed quote in '\"'",
        ),
        (
            "1,\"2\"3\",3\n",
            "x.csv, line 2, column b: unclosed quote in '2\"3'",
        ),
        (
            "\"1,1\",2,3\n",
            "x.csv, line 2, column a: unclosed quote in '\"1'",
        ),
        ("1,2,3,\"4\n", "x.csv, line 2: unclosed quote in '\"4'"),
        (
            "1,\"2\n\",3\n",
            "x.csv, line 2, column b: unclosed quote in '\"2'",
        ),
    ] {
        assert_eq!(
            fault(format!("a,b,c\n{text}").as_bytes()),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn invalid_utf8_is_reported_with_line_and_column() {
    let expected = r"x.csv, line 3, column b: 'a\xff\0z' is not UTF-8 text";
    assert_eq!(fault(b"c,b,a\n1,2,3\n1,a\xff\0z,3\n"), expected);
    assert_eq!(fault(b"c,b,a\n1,2,3\n1,a\xff\0z\n"), expected);
}

#[test]
fn an_endless_line_is_rejected_before_it_is_in_memory() {
    let expected = "the line is longer than 65536 bytes";
    let endless = io::repeat(b'x');
    assert_eq!(
        read(endless).unwrap_err().to_string(),
        format!("x.csv, line 1: {expected}")
    );
    let endless = b"a,b,c\n\n1,2,3\n".chain(io::repeat(b','));
    assert_eq!(
        read(endless).unwrap_err().to_string(),
        format!("x.csv, line 4: {expected}")
    );

    let long = |bytes: usize| format!("a,b,c\n1,2,{}\n4,5,6\n", "3".repeat(bytes - 4));
    assert_eq!(read(long(MAX_LINE_BYTES).as_bytes()).unwrap().len(), 2);
    let too_long = long(MAX_LINE_BYTES + 1);
    assert_eq!(
        fault(too_long.as_bytes()),
        format!("x.csv, line 2: {expected}")
    );
    let error = read(Trickle(too_long.as_bytes(), None)).unwrap_err();
    assert_eq!(error.to_string(), format!("x.csv, line 2: {expected}"));
}

#[test]
fn an_io_error_carries_file_and_line() {
    let broken = Trickle(b"a,b,c\n1,2,3\n4,", Some(io::ErrorKind::TimedOut));
    let expected = "x.csv, line 3: cannot be read: timed out";
    assert_eq!(read(broken).unwrap_err().to_string(), expected);
    let interrupted = Trickle(b"a,b,c\n1,2,3\n", Some(io::ErrorKind::Interrupted));
    assert_eq!(read(interrupted).unwrap(), [row(2, ["1", "2", "3"])]);
    let missing = FileError::unreadable("x.csv", &io::ErrorKind::NotFound.into());
    assert_eq!(
        missing.to_string(),
        "x.csv: cannot be read: entity not found"
    );
}

#[test]
fn integers_are_plain_digits_in_their_range() {
    let fault = |value: &str| integer(value.as_bytes(), 1, 99).unwrap_err();
    assert_eq!(integer(b"1", 1, 99), Ok(1));
    assert_eq!(integer(b"099", 1, 99), Ok(99));
    assert_eq!(integer(b"9223372036854775807", 1, i64::MAX), Ok(i64::MAX));
    assert_eq!(fault(""), "the value is missing (1 to 99)");
    assert_eq!(fault("0"), "'0' is too small (1 to 99)");
    assert_eq!(fault("100"), "'100' is too large (1 to 99)");
    assert_eq!(
        fault("9223372036854775808"),
        "'9223372036854775808' is too large (1 to 99)"
    );
    assert_eq!(fault("-3"), "'-3' is negative (1 to 99)");
    assert_eq!(fault("+3"), "'+3' has a sign (1 to 99)");
    assert_eq!(fault(" 3"), "' 3' has spaces around it (1 to 99)");
    assert_eq!(fault("3\t"), "'3\\t' has spaces around it (1 to 99)");
    for value in [
        "1 2", "1e1", "1.0", "0x1", "NaN", "-", "--1", "٣", "3\0", "\u{a0}3",
    ] {
        assert!(
            fault(value).ends_with("is not a whole number (1 to 99)"),
            "{value:?}"
        );
    }
}

#[test]
fn values_are_shown_cut_and_escaped() {
    assert_eq!(quoted(b"a\"b'c\\\n\x1b\0"), r#"'a"b'c\\\n\u{1b}\0'"#);
    assert_eq!(quoted("동영상\u{202e}".as_bytes()), r"'동영상\u{202e}'");
    assert_eq!(quoted(&[b'x'; 60]), format!("'{}'", "x".repeat(60)));
    assert_eq!(quoted(&[b'x'; 61]), format!("'{}…'", "x".repeat(60)));
    assert_eq!(quoted(&[0xff; 61]), format!("'{}…'", r"\xff".repeat(60)));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, header: bool) {
        let head: &[u8] = if header { b"a,b,c\n" } else { b"" };
        let whole = read(head.chain(bytes.as_slice()));
        let joined = [head, &bytes].concat();
        prop_assert_eq!(whole, read(Trickle(&joined, None)));
    }

    #[test]
    fn random_csv_syntax_reads_line_by_line(text in "[1\",\r\n]{0,40}") {
        let text = format!("a,b,c\n{text}");
        let expected: Option<Vec<_>> = text
            .split('\n')
            .zip(1..)
            .map(|(line, number)| (line.strip_suffix('\r').unwrap_or(line), number))
            .filter(|(line, number)| *number > 1 && !line.is_empty())
            .map(|(line, number)| {
                let values: Vec<_> = line.split(',').map(|value| {
                    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
                    inner.unwrap_or(value).to_owned()
                }).collect();
                let good = values.len() == 3 && values.iter().all(|v| !v.contains('"'));
                good.then_some((number, values))
            })
            .collect();
        prop_assert_eq!(read(text.as_bytes()).ok(), expected);
    }
}
