//! A message of the queue: the id of a step execution to look at, and nothing else.

use apalis::prelude::Codec;
use balance_batch::execution::StepExecutionId;
use std::convert::Infallible;

/// The most of a foreign payload that a log repeats, in characters.
const SHOWN: usize = 100;

/// A ring, as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// Look at this step execution.
    StepExecution(StepExecutionId),
    /// Not one of ours: its beginning, for the log.
    Foreign(String),
}

/// Writes and reads rings as decimal numbers. Reading never fails: a payload that a consumer cannot
/// decode would end it, and then the next one.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotificationCodec;

impl Codec<Notification> for NotificationCodec {
    type Error = Infallible;
    type Compact = Vec<u8>;

    fn encode(&self, notify: &Notification) -> Result<Vec<u8>, Infallible> {
        Ok(match notify {
            Notification::StepExecution(id) => id.0.to_string().into_bytes(),
            Notification::Foreign(text) => text.clone().into_bytes(),
        })
    }

    fn decode(&self, bytes: &Vec<u8>) -> Result<Notification, Infallible> {
        let text = String::from_utf8_lossy(bytes);
        Ok(match text.parse() {
            Ok(id) if id > 0 => Notification::StepExecution(StepExecutionId(id)),
            _ => Notification::Foreign(text.chars().take(SHOWN).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_and_everything_else_is_foreign() {
        let notify = Notification::StepExecution(StepExecutionId(42));
        let Ok(bytes) = NotificationCodec.encode(&notify);
        assert_eq!(bytes, b"42");
        assert_eq!(NotificationCodec.decode(&bytes), Ok(notify));
        for payload in [
            &b""[..],
            b"0",
            b"-1",
            b"4.2",
            b"\"42\"",
            b"{}",
            b"\xff\xfe",
            b"42 ",
        ] {
            let Ok(read) = NotificationCodec.decode(&payload.to_vec());
            assert!(matches!(read, Notification::Foreign(_)), "{payload:?}");
        }
        let Ok(long) = NotificationCodec.decode(&vec![b'x'; 100_000]);
        assert_eq!(long, Notification::Foreign("x".repeat(SHOWN)));
    }
}
