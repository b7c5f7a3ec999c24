//! Connections to Redis. They connect on first use, so that a process can start while the server is
//! unavailable. Every operation has a time limit.

use ::redis::{
    Client, ErrorKind, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::time::Duration;

/// The error for an invalid URL. It does not repeat the URL, which may contain a password.
pub(crate) const INVALID_URL: &str = "the URL must be redis://[:password@]host:port/number";

/// Time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Maximum time for a reply.
    pub(crate) answer: Duration,
    /// Maximum time for one attempt to connect.
    pub(crate) connect: Duration,
    /// Number of retries of connecting.
    pub(crate) retries: usize,
}

/// A failed Redis operation, classified by whether a retry can help.
#[derive(Debug)]
pub(crate) enum ConnectionError {
    /// The URL, the user, the password or a permission is wrong. Retries do not help.
    Rejected(&'static str),
    /// The server does not answer or returned an error.
    Unavailable(String),
}

/// Checks the form of a URL.
///
/// # Errors
/// The reason. It does not repeat the URL, which may contain a password.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    Client::open(url).map(|_| ()).map_err(|_| INVALID_URL)
}

/// Opens a connection to the server at `url`. Does not connect yet.
pub(crate) fn open(url: &str, timeouts: Timeouts) -> Result<ConnectionManager, ConnectionError> {
    let client = Client::open(url).map_err(|_| ConnectionError::Rejected(INVALID_URL))?;
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(timeouts.answer))
        .set_connection_timeout(Some(timeouts.connect))
        .set_number_of_retries(timeouts.retries);
    ConnectionManager::new_lazy_with_config(client, config).map_err(connection_error)
}

/// Classifies an error.
pub(crate) fn connection_error(error: RedisError) -> ConnectionError {
    let is_rejected = matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig
    ) || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    if is_rejected {
        ConnectionError::Rejected("the server rejected the user or password")
    } else {
        ConnectionError::Unavailable(error.to_string())
    }
}
