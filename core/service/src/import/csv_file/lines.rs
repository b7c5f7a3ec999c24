//! The bytes of a file, line by line as far as limits and line numbers go.

use crate::import::csv_file::MAX_LINE_BYTES;
use std::io::{self, Read};

#[derive(Debug, thiserror::Error)]
#[error("the line is longer than {MAX_LINE_BYTES} bytes")]
pub(super) struct LineTooLong;

/// Passes bytes on, refuses an endless line, ends a last line that has no line break, and
/// knows the number of the line it is in.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    /// The line that the last byte passed on belongs to, from 1.
    pub(super) line: u64,
    /// Bytes of that line so far.
    length: usize,
    ended: bool,
}

impl<R> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            line: 1,
            length: 0,
            ended: false,
        }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // No more than the limit at once: then a line that lies within one read cannot break it,
        // and only the first and the last line break matter.
        let size = buffer.len().min(MAX_LINE_BYTES);
        let buffer = &mut buffer[..size];
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let read = loop {
            match self.source.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if read == 0 {
            self.ended = true;
            let unended = self.length > 0;
            buffer[0] = b'\n';
            return Ok(usize::from(unended));
        }
        let bytes = &buffer[..read];
        let first = bytes.iter().position(|byte| *byte == b'\n');
        if self.length + first.unwrap_or(read) > MAX_LINE_BYTES {
            return Err(io::Error::other(LineTooLong));
        }
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            None => self.length += read,
            Some(last) => {
                self.length = read - last - 1;
                self.line += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            }
        }
        Ok(read)
    }
}
