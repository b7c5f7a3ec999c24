//! The id of a request, in the header `X-Request-Id`.

use poem::Request;
use uuid::Uuid;

pub(crate) const HEADER: &str = "X-Request-Id";
/// The maximum length of a request id that a client sends, in bytes.
const MAX_LEN: usize = 128;

/// The id of a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// Returns the client's id if it has 1 to 128 letters, digits or `-_.:`, otherwise a new UUID.
    pub(crate) fn of(request: &Request) -> Self {
        let is_valid = |id: &&str| {
            (1..=MAX_LEN).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
        };
        let given = request.headers().get(HEADER);
        let given = given.and_then(|id| id.to_str().ok()).filter(is_valid);
        Self(given.map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned))
    }
}
