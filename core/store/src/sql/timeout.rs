//! Time limits of database calls.

use std::{io, time::Duration};

/// The time limit of a statement and of a rollback, and on a server of begin and commit: more than
/// any statement of a day with 10 million plays takes. A hanging server or disk sends no response,
/// so each call needs a limit.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits for a database's response for up to 60 s, see [`limited_to`].
pub(crate) async fn limited<T>(
    response: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    limited_to(STATEMENT_TIMEOUT, response).await
}

/// Waits for a database's response. After the time limit it returns an error; the database may
/// still execute the statement or the commit.
pub(crate) async fn limited_to<T>(
    limit: Duration,
    response: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(limit, response)
        .await
        .unwrap_or_else(|_| {
            let reason = format!("no response within {} s", limit.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StoreError, sql::errors::store_error};

    #[tokio::test]
    async fn a_call_without_a_response_is_a_transient_error() {
        let limit = Duration::from_millis(1);
        let error = limited_to::<()>(limit, std::future::pending()).await;
        let error = store_error(error.unwrap_err());
        assert!(matches!(error, StoreError::Transient(_)), "{error:?}");
    }
}
