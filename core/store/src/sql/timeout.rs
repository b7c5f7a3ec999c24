//! The time limit of a statement.

use std::{io, time::Duration};

/// The longest time that a statement may take: more than any statement of a day with 10 million
/// plays. A server that hangs sends no response, so each wait needs a limit.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits for a database's response. After the time limit it returns an error; the database may
/// still execute the statement.
pub(crate) async fn limited<T>(
    response: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(STATEMENT_TIMEOUT, response)
        .await
        .unwrap_or_else(|_| {
            let reason = format!("no response within {} s", STATEMENT_TIMEOUT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
        })
}
