//! A reader that limits the length of lines and counts them.

use std::io::{self, Read};

/// The longest line, in bytes. A longer line is rejected before it is in memory.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("the line is longer than {MAX_LINE_BYTES} bytes")]
pub(super) struct LineTooLong;

/// Reads the bytes of a source, rejects a line that is too long, and adds a missing line break at
/// the end.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    /// The line of the last byte read, from 1.
    pub(super) line: u64,
    /// The bytes of that line so far.
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
        // Reads at most the limit at once. A line within one read then cannot exceed the limit, so
        // only the first and the last line break matter.
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
