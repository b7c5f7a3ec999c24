//! The encoding of notifications in Redis.

use apalis::prelude::Codec;
use balance_batch::execution::StepExecutionId;
use balance_service::jobs::notifier::Notification;
use std::convert::Infallible;

/// Maximum length of an unknown payload in the log, in characters.
const MAX_LOGGED: usize = 100;

/// Encodes notifications as decimal numbers.
///
/// Decoding never fails. Otherwise an invalid payload would end its consumer and every consumer that
/// receives it next.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotificationCodec;

impl Codec<Notification> for NotificationCodec {
    type Error = Infallible;
    type Compact = Vec<u8>;

    fn encode(&self, notification: &Notification) -> Result<Vec<u8>, Infallible> {
        Ok(match notification {
            Notification::StepExecution(id) => id.0.to_string().into_bytes(),
            Notification::Foreign(text) => text.clone().into_bytes(),
        })
    }

    fn decode(&self, bytes: &Vec<u8>) -> Result<Notification, Infallible> {
        let text = String::from_utf8_lossy(bytes);
        Ok(match text.parse() {
            Ok(id) if id > 0 => Notification::StepExecution(StepExecutionId(id)),
            _ => Notification::Foreign(text.chars().take(MAX_LOGGED).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_round_trips_and_every_other_payload_is_foreign() {
        let notification = Notification::StepExecution(StepExecutionId(42));
        let Ok(bytes) = NotificationCodec.encode(&notification);
        assert_eq!(bytes, b"42");
        assert_eq!(NotificationCodec.decode(&bytes), Ok(notification));
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
        assert_eq!(long, Notification::Foreign("x".repeat(MAX_LOGGED)));
    }
}
