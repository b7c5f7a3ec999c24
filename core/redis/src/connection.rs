//! Connections to Redis, for the queue and the intake: made when they are first used, so that a
//! process starts while the server is away, and bounded in all they do.

use ::redis::{
    Client, ErrorKind, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::time::Duration;

/// What is wrong with an address that is none. It is not repeated: it may hold a password.
pub(crate) const NO_ADDRESS: &str = "its URL is no redis://[:password@]host:port/number";

/// How patient a connection is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// The longest that an answer may take.
    pub(crate) answer: Duration,
    /// The longest that connecting may take.
    pub(crate) connect: Duration,
    /// How often connecting is tried again.
    pub(crate) tries: usize,
}

/// Why the server did not do what it was asked.
#[derive(Debug)]
pub(crate) enum ConnectionError {
    /// It lets us in never, or not to this: trying again will not help.
    Refused(&'static str),
    /// It is away, or answers an error.
    Unavailable(String),
}

/// A connection to the server of a URL.
pub(crate) fn open(url: &str, timeouts: Timeouts) -> Result<ConnectionManager, ConnectionError> {
    let client = Client::open(url).map_err(|_| ConnectionError::Refused(NO_ADDRESS))?;
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(timeouts.answer))
        .set_connection_timeout(Some(timeouts.connect))
        .set_number_of_retries(timeouts.tries);
    ConnectionManager::new_lazy_with_config(client, config).map_err(connection_error)
}

/// Sorts an error by what to do about it.
pub(crate) fn connection_error(error: RedisError) -> ConnectionError {
    let is_refused = matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig
    ) || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    if is_refused {
        ConnectionError::Refused("it refuses our user or password")
    } else {
        ConnectionError::Unavailable(error.to_string())
    }
}
