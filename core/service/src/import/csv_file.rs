//! A strict reader of the CSV files that operators hand over, and the errors that name the place.
//!
//! No value in these files holds a comma, a line break or a quote. So a row is always one line,
//! the CSV reader's own quoting is off, and a quote that is left open is found where it is
//! instead of swallowing the lines that follow.

mod lines;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use lines::{LineTooLong, Lines};
use std::io::{self, Read};

/// The longest line, in bytes. A longer one is refused before it is in memory.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// How many characters of a refused value a message shows.
const SHOWN_CHARS: usize = 60;
/// How many column names of a wrong header a message shows.
const SHOWN_NAMES: usize = 8;

/// What is wrong with a file, and where.
///
/// Reads like `plays.csv, line 12, column play_time_s: '-3' is negative (0 to 86400)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}{}: {reason}", show(", line ", .line), show(", column ", .column))]
pub struct FileError {
    /// The file, as the operator named it.
    pub file: String,
    /// The line, from 1, blank lines and the header included; nothing for the file as a whole.
    pub line: Option<u64>,
    /// The column's name in the header; nothing for a line as a whole.
    pub column: Option<&'static str>,
    /// What is wrong there.
    pub reason: String,
}

impl FileError {
    /// A fault of the file as a whole.
    #[must_use]
    pub fn of_file(file: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            column: None,
            reason: reason.into(),
        }
    }

    /// A file that cannot be opened.
    #[must_use]
    pub fn unreadable(file: impl Into<String>, error: &io::Error) -> Self {
        Self::of_file(file, unreadable(error))
    }
}

fn show(prefix: &str, place: &Option<impl ToString>) -> String {
    place
        .as_ref()
        .map(|place| format!("{prefix}{}", place.to_string()))
        .unwrap_or_default()
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

/// A CSV file of exactly the wanted columns, in any order.
///
/// A UTF-8 byte order mark, CRLF, blank lines, values in a pair of quotes and a last line without
/// a line break are accepted. A file of a header and nothing else has no rows, which is no fault.
#[derive(Debug)]
pub struct CsvFile<R, const N: usize> {
    name: String,
    columns: &'static [&'static str; N],
    /// Where in a row each wanted column is.
    places: [usize; N],
    reader: csv::Reader<Lines<R>>,
    record: ByteRecord,
}

impl<R: Read, const N: usize> CsvFile<R, N> {
    /// Reads the header. `name` is what errors call the file.
    ///
    /// # Errors
    /// Where the file cannot be read or is empty, and where its header does not hold exactly
    /// these columns; each one missing, unknown or doubled is named.
    pub fn new(
        source: R,
        name: impl Into<String>,
        columns: &'static [&'static str; N],
    ) -> Result<Self, FileError> {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .quoting(false)
            // Not the default, which takes a lone CR for a line's end and loses count.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(MAX_LINE_BYTES)
            .from_reader(Lines::new(source));
        let mut file = Self {
            name: name.into(),
            columns,
            places: [0; N],
            reader,
            record: ByteRecord::new(),
        };
        match file.read_line()? {
            None => Err(FileError::of_file(file.name, "the file is empty")),
            Some(line) => {
                file.places = file.read_header(line)?;
                Ok(file)
            }
        }
    }

    /// The next row, or nothing at the end. After an error there is no sense in going on.
    ///
    /// # Errors
    /// Where the file cannot be read on, a line is too long, or a row has too few or too many
    /// fields.
    pub fn next_row(&mut self) -> Result<Option<Row<'_, N>>, FileError> {
        let Some(line) = self.read_line()? else {
            return Ok(None);
        };
        let row = Row {
            name: &self.name,
            columns: self.columns,
            places: &self.places,
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
                // The CSV reader skips empty lines, but not those of a lone CR.
                Ok(true) if self.record.len() == 1 && self.record.get(0) == Some(b"\r") => {}
                // The record's own position may be that of a blank line before it; the reader now
                // stands behind the line break that `Lines` guarantees.
                Ok(true) => return Ok(Some(self.reader.position().line().saturating_sub(1))),
                Err(error) => return Err(self.interrupted(error)),
            }
        }
    }

    fn interrupted(&self, error: csv::Error) -> FileError {
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
            .map(|place| {
                let name = raw(&self.record, place);
                // The CSV reader misses the mark when it comes in several reads.
                unquote(name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name))
            })
            .collect();
        if let Some(reason) = names.iter().find_map(|name| nonsense(name)) {
            return Err(self.error_at(line, format!("the header: {reason}")));
        }
        let count = |column: &str| names.iter().filter(|n| **n == column.as_bytes()).count();
        let with = |test: fn(usize) -> bool| {
            let found = self.columns.iter().filter(|column| test(count(column)));
            found.map(|column| (*column).to_owned()).collect::<Vec<_>>()
        };
        let (missing, doubled) = (with(|count| count == 0), with(|count| count > 1));
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
        let faults: Vec<_> = [
            ("missing", missing),
            ("unknown", unknown),
            ("doubled", doubled),
        ]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(fault, names)| format!("{fault}: {}", listed(&names)))
        .collect();
        if !faults.is_empty() {
            let wanted = self.columns.join(",");
            let reason = format!("the header must be {wanted}; {}", faults.join("; "));
            return Err(self.error_at(line, reason));
        }
        let place = |column: &str| names.iter().position(|n| *n == column.as_bytes());
        Ok(self.columns.map(|column| place(column).unwrap_or_default()))
    }
}

/// One row: as many fields as there are columns, asked for by the column's index in the wanted
/// order.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a, const N: usize> {
    name: &'a str,
    columns: &'static [&'static str; N],
    places: &'a [usize; N],
    record: &'a ByteRecord,
    line: u64,
}

impl<const N: usize> Row<'_, N> {
    /// The row's line, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Parses a column's value. A parser must refuse whatever is not plain ASCII, and quotes:
    /// only what it refuses is looked at again for open quotes and bytes that are no text.
    ///
    /// # Errors
    /// Where `parse` refuses it, with `parse`'s reason, or a better one.
    pub fn parse<T>(
        &self,
        column: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, FileError> {
        let value = unquote(raw(self.record, self.places[column]));
        parse(value).map_err(|reason| self.error(column, nonsense(value).unwrap_or(reason)))
    }

    /// A fault of a column's value.
    #[must_use]
    pub fn error(&self, column: usize, reason: impl Into<String>) -> FileError {
        FileError {
            column: Some(self.columns[column]),
            ..self.fault(reason)
        }
    }

    /// A fault of the row as a whole.
    #[must_use]
    pub fn fault(&self, reason: impl Into<String>) -> FileError {
        FileError {
            line: Some(self.line),
            ..FileError::of_file(self.name, reason)
        }
    }

    /// The error of a row with too few or too many fields: an open quote or bytes that are no
    /// text explain more than the number does.
    fn miscounted(&self) -> FileError {
        for place in 0..self.record.len() {
            if let Some(reason) = nonsense(unquote(raw(self.record, place))) {
                return match self.places.iter().position(|p| *p == place) {
                    Some(column) => self.error(column, reason),
                    None => self.fault(reason),
                };
            }
        }
        let fault = match self.record.len() {
            found if found < N => "the row is cut or fields are missing",
            _ => "the row has too many fields",
        };
        self.fault(format!("{fault}: {} instead of {N}", self.record.len()))
    }
}

/// A field's bytes as they are in the file, without the CR of a CRLF.
fn raw(record: &ByteRecord, place: usize) -> &[u8] {
    let value = record.get(place).unwrap_or_default();
    if place + 1 == record.len() {
        value.strip_suffix(b"\r").unwrap_or(value)
    } else {
        value
    }
}

/// Takes off a pair of quotes around a value.
fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// What is wrong with a value whatever its column is.
fn nonsense(value: &[u8]) -> Option<String> {
    if std::str::from_utf8(value).is_err() {
        Some(format!("{} is not UTF-8 text", quoted(value)))
    } else if value.contains(&b'"') {
        Some(format!("unclosed quote in {}", quoted(value)))
    } else {
        None
    }
}

/// A value for a message: cut to 60 characters, control characters and bytes that are no text
/// escaped.
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

/// Parses a whole number of plain digits.
///
/// # Errors
/// A reason that shows the value and the range.
pub(super) fn integer(value: &[u8], min: i64, max: i64) -> Result<i64, String> {
    let mut number = Some(0_i64);
    for byte in value {
        if !byte.is_ascii_digit() {
            return Err(no_integer(value, min, max));
        }
        let digit = i64::from(byte - b'0');
        number = number.and_then(|n| n.checked_mul(10)?.checked_add(digit));
    }
    let fault = match number {
        _ if value.is_empty() => return Err(format!("the value is missing ({min} to {max})")),
        Some(number) if number < min => "is too small",
        Some(number) if number <= max => return Ok(number),
        _ => "is too large",
    };
    Err(out_of(value, fault, min, max))
}

fn no_integer(value: &[u8], min: i64, max: i64) -> String {
    let digits = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let fault = match value {
        _ if padded(value) => "has spaces around it",
        [b'-', rest @ ..] if digits(rest) => "is negative",
        [b'+', rest @ ..] if digits(rest) => "has a sign",
        _ => "is not a whole number",
    };
    out_of(value, fault, min, max)
}

fn out_of(value: &[u8], fault: &str, min: i64, max: i64) -> String {
    format!("{} {fault} ({min} to {max})", quoted(value))
}

/// Whether a value has white space at an end.
pub(super) fn padded(value: &[u8]) -> bool {
    value.trim_ascii().len() != value.len()
}

#[cfg(test)]
mod tests;
