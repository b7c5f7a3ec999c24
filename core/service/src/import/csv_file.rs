//! A strict reader of CSV files, with errors that name the line and the column.
//!
//! No value in these files contains a comma, a line break or a quote, so a row is always one line.
//! The quoting of the CSV library is off. An unclosed quote is therefore reported on its line, and
//! does not swallow the following lines.

mod lines;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use lines::{LineTooLong, Lines, MAX_LINE_BYTES};
use std::io::{self, Read};

/// The most characters of an invalid value in a message.
const SHOWN_CHARS: usize = 60;
/// The most column names of a wrong header in a message.
const SHOWN_NAMES: usize = 8;

/// An error in a file and its location.
///
/// Example: `plays.csv, line 12, column play_time_s: '-3' is negative (0 to 86400)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}{}: {reason}", show(", line ", .line), show(", column ", .column))]
pub struct FileError {
    /// The name of the file, as given by the caller.
    pub file: String,
    /// The line from 1, counting the header and blank lines; `None` for the whole file.
    pub line: Option<u64>,
    /// The column's name in the header; `None` for a whole line.
    pub column: Option<&'static str>,
    pub reason: String,
}

impl FileError {
    /// Creates an error of the whole file.
    #[must_use]
    pub fn of_file(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            column: None,
            reason: reason.into(),
        }
    }

    /// Creates the error of a file that cannot be opened.
    #[must_use]
    pub fn unreadable(file: impl Into<String>, error: &io::Error) -> Self {
        Self::of_file(file, unreadable(error))
    }
}

fn show(prefix: &str, value: &Option<impl ToString>) -> String {
    value
        .as_ref()
        .map(|value| format!("{prefix}{}", value.to_string()))
        .unwrap_or_default()
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

/// A CSV file that has exactly the expected columns, in any order.
///
/// Accepts a UTF-8 byte order mark, CRLF, blank lines, quoted values and a last line without a line
/// break. A file that consists of a header has no rows and is valid.
#[derive(Debug)]
pub struct CsvFile<R, const N: usize> {
    name: String,
    columns: &'static [&'static str; N],
    /// The index in a row of each expected column.
    positions: [usize; N],
    reader: csv::Reader<Lines<R>>,
    record: ByteRecord,
}

impl<R: Read, const N: usize> CsvFile<R, N> {
    /// Reads the header. `name` names the file in errors.
    ///
    /// # Errors
    /// If the file cannot be read or is empty, or if its header has missing, unknown or duplicate
    /// columns, which the error lists.
    pub fn new(
        source: R,
        name: impl Into<String>,
        columns: &'static [&'static str; N],
    ) -> Result<Self, FileError> {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .quoting(false)
            // The default also ends lines at a lone CR, which would break the line numbers.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(MAX_LINE_BYTES)
            .from_reader(Lines::new(source));
        let mut file = Self {
            name: name.into(),
            columns,
            positions: [0; N],
            reader,
            record: ByteRecord::new(),
        };
        match file.read_line()? {
            None => Err(FileError::of_file(file.name, "the file is empty")),
            Some(line) => {
                file.positions = file.read_header(line)?;
                Ok(file)
            }
        }
    }

    /// Returns the next row, or `None` at the end. After an error the position in the file is
    /// undefined.
    ///
    /// # Errors
    /// If the file cannot be read, a line is too long, or a row has too few or too many fields.
    pub fn next_row(&mut self) -> Result<Option<Row<'_, N>>, FileError> {
        let Some(line) = self.read_line()? else {
            return Ok(None);
        };
        let row = Row {
            name: &self.name,
            columns: self.columns,
            positions: &self.positions,
            record: &self.record,
            line,
        };
        if self.record.len() != N {
            return Err(row.miscounted());
        }
        Ok(Some(row))
    }

    /// Reads the next line that is not blank and returns its number.
    fn read_line(&mut self) -> Result<Option<u64>, FileError> {
        loop {
            match self.reader.read_byte_record(&mut self.record) {
                Ok(false) => return Ok(None),
                // The CSV reader skips empty lines, except lines that consist of a CR.
                Ok(true) if self.record.len() == 1 && self.record.get(0) == Some(b"\r") => {}
                // The record's own position may be that of a preceding blank line. The reader is
                // behind the line break that `Lines` guarantees.
                Ok(true) => return Ok(Some(self.reader.position().line().saturating_sub(1))),
                Err(error) => return Err(self.read_error(error)),
            }
        }
    }

    fn read_error(&self, error: csv::Error) -> FileError {
        let reason = match error.into_kind() {
            csv::ErrorKind::Io(error) if error.get_ref().is_some_and(|e| e.is::<LineTooLong>()) => {
                LineTooLong.to_string()
            }
            csv::ErrorKind::Io(error) => unreadable(&error),
            other => format!("cannot be read: {other:?}"),
        };
        self.error_at(self.reader.get_ref().line, reason)
    }

    fn error_at(&self, line: u64, reason: String) -> FileError {
        FileError {
            line: Some(line),
            ..FileError::of_file(self.name.clone(), reason)
        }
    }

    fn read_header(&self, line: u64) -> Result<[usize; N], FileError> {
        let names: Vec<&[u8]> = (0..self.record.len())
            .map(|position| {
                let name = raw(&self.record, position);
                // The CSV reader misses a byte order mark that spans several reads.
                unquote(name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name))
            })
            .collect();
        if let Some(reason) = names.iter().find_map(|name| invalid_text(name)) {
            return Err(self.error_at(line, format!("the header: {reason}")));
        }
        let count = |column: &str| names.iter().filter(|n| **n == column.as_bytes()).count();
        let with = |test: fn(usize) -> bool| {
            let found = self.columns.iter().filter(|column| test(count(column)));
            found.map(|column| (*column).to_owned()).collect::<Vec<_>>()
        };
        let (missing, duplicate) = (with(|count| count == 0), with(|count| count > 1));
        let unknown: Vec<_> = names
            .iter()
            .filter(|name| !self.columns.iter().any(|c| c.as_bytes() == **name))
            .map(|name| quoted(name))
            .collect();
        if missing.len() == N {
            let reason = format!(
                "there is no header: {} names none of {}",
                quoted(&names.join(&b',')),
                self.columns.join(",")
            );
            return Err(self.error_at(line, reason));
        }
        let errors: Vec<_> = [
            ("missing", missing),
            ("unknown", unknown),
            ("duplicate", duplicate),
        ]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(error, names)| format!("{error}: {}", listed(&names)))
        .collect();
        if !errors.is_empty() {
            let wanted = self.columns.join(",");
            let reason = format!("the header must be {wanted}; {}", errors.join("; "));
            return Err(self.error_at(line, reason));
        }
        let position = |column: &str| names.iter().position(|n| *n == column.as_bytes());
        Ok(self
            .columns
            .map(|column| position(column).unwrap_or_default()))
    }
}

/// A row with one field for each column. Columns are identified by their index in the expected
/// order.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a, const N: usize> {
    name: &'a str,
    columns: &'static [&'static str; N],
    positions: &'a [usize; N],
    record: &'a ByteRecord,
    line: u64,
}

impl<const N: usize> Row<'_, N> {
    /// Returns the line of the row, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Parses the value of a column. The parser must reject quotes and everything but ASCII: only
    /// rejected values are checked for unclosed quotes and invalid UTF-8.
    ///
    /// # Errors
    /// If `parse` rejects the value. The reason is that of `parse`, or an unclosed quote or invalid
    /// UTF-8.
    pub fn parse<T>(
        &self,
        column: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, FileError> {
        let value = unquote(raw(self.record, self.positions[column]));
        parse(value)
            .map_err(|reason| self.value_error(column, invalid_text(value).unwrap_or(reason)))
    }

    /// Creates an error of a column's value.
    #[must_use]
    pub fn value_error(&self, column: usize, reason: impl Into<String>) -> FileError {
        FileError {
            column: Some(self.columns[column]),
            ..self.row_error(reason)
        }
    }

    /// Creates an error of the whole row.
    #[must_use]
    pub fn row_error(&self, reason: impl Into<String>) -> FileError {
        FileError {
            line: Some(self.line),
            ..FileError::of_file(self.name, reason)
        }
    }

    /// Creates the error of a row with too few or too many fields. An unclosed quote or invalid
    /// UTF-8 is reported first, because it explains more than the number does.
    fn miscounted(&self) -> FileError {
        for position in 0..self.record.len() {
            if let Some(reason) = invalid_text(unquote(raw(self.record, position))) {
                return match self.positions.iter().position(|p| *p == position) {
                    Some(column) => self.value_error(column, reason),
                    None => self.row_error(reason),
                };
            }
        }
        let problem = match self.record.len() {
            found if found < N => "the row has too few fields",
            _ => "the row has too many fields",
        };
        self.row_error(format!("{problem}: {} instead of {N}", self.record.len()))
    }
}

/// Returns the bytes of a field, without the CR of a CRLF.
fn raw(record: &ByteRecord, position: usize) -> &[u8] {
    let value = record.get(position).unwrap_or_default();
    if position + 1 == record.len() {
        value.strip_suffix(b"\r").unwrap_or(value)
    } else {
        value
    }
}

/// Removes a pair of quotes around a value.
fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// Returns why a value is invalid in every column: invalid UTF-8 or an unclosed quote.
fn invalid_text(value: &[u8]) -> Option<String> {
    if std::str::from_utf8(value).is_err() {
        Some(format!("{} is not UTF-8 text", quoted(value)))
    } else if value.contains(&b'"') {
        Some(format!("unclosed quote in {}", quoted(value)))
    } else {
        None
    }
}

/// Formats a value for a message: truncated to 60 characters, with control characters and invalid
/// UTF-8 escaped.
pub(super) fn quoted(value: &[u8]) -> String {
    let mut chars = value.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(|char| match char {
            '"' | '\'' => char.to_string(),
            _ => char.escape_debug().to_string(),
        });
        let invalid = chunk.invalid().iter();
        valid.chain(invalid.map(|byte| byte.escape_ascii().to_string()))
    });
    let shown: String = chars.by_ref().take(SHOWN_CHARS).collect();
    let more = chars.next().map_or("", |_| "…");
    format!("'{shown}{more}'")
}

fn listed(names: &[String]) -> String {
    match names.len().checked_sub(SHOWN_NAMES) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN_NAMES].join(", ")),
    }
}

/// Parses a whole number that consists of digits.
///
/// # Errors
/// A message with the value and the range.
pub(super) fn integer(value: &[u8], min: i64, max: i64) -> Result<i64, String> {
    let mut number = Some(0_i64);
    for byte in value {
        if !byte.is_ascii_digit() {
            return Err(not_an_integer(value, min, max));
        }
        let digit = i64::from(byte - b'0');
        number = number.and_then(|n| n.checked_mul(10)?.checked_add(digit));
    }
    let problem = match number {
        _ if value.is_empty() => return Err(format!("the value is missing ({min} to {max})")),
        Some(number) if number < min => "is too small",
        Some(number) if number <= max => return Ok(number),
        _ => "is too large",
    };
    Err(integer_error(value, problem, min, max))
}

fn not_an_integer(value: &[u8], min: i64, max: i64) -> String {
    let digits = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let problem = match value {
        _ if padded(value) => "has spaces around it",
        [b'-', rest @ ..] if digits(rest) => "is negative",
        [b'+', rest @ ..] if digits(rest) => "has a sign",
        _ => "is not a whole number",
    };
    integer_error(value, problem, min, max)
}

fn integer_error(value: &[u8], problem: &str, min: i64, max: i64) -> String {
    format!("{} {problem} ({min} to {max})", quoted(value))
}

/// Returns whether a value begins or ends with white space.
pub(super) fn padded(value: &[u8]) -> bool {
    value.trim_ascii().len() != value.len()
}

#[cfg(test)]
mod tests;
