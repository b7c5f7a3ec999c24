//! Connections to Redis. They connect on first use, so that a process can start while the server is
//! unavailable. Every operation has a time limit. After a failover they leave the old server.

use ::redis::{
    Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::time::Instant;

/// The error for an invalid URL. It does not repeat the URL, which may contain a password.
pub(crate) const INVALID_URL: &str = "the URL must be redis://[:password@]host:port/number";

/// The shortest time between two new connections. It limits the load on a server that accepts no
/// writes.
const MIN_AGE: Duration = Duration::from_millis(500);

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
    /// The server answers, but accepts no writes now.
    NotWritable(&'static str),
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

/// A connection to the server at a URL. All clones share it.
///
/// A server that a failover replaced still answers. Its errors therefore replace the connection: the
/// new one resolves the address again and reaches the new master. A server without the event stream
/// replaces the connection too.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

struct Shared {
    client: Client,
    config: ConnectionManagerConfig,
    current: RwLock<Current>,
}

struct Current {
    manager: ConnectionManager,
    opened: Instant,
}

impl Current {
    fn open(client: &Client, config: &ConnectionManagerConfig) -> RedisResult<Self> {
        Ok(Self {
            manager: ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?,
            opened: Instant::now(),
        })
    }
}

/// Opens a connection to the server at `url`. Does not connect yet.
pub(crate) fn open(url: &str, timeouts: Timeouts) -> Result<Connection, ConnectionError> {
    let client = Client::open(url).map_err(|_| ConnectionError::Rejected(INVALID_URL))?;
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(timeouts.answer))
        .set_connection_timeout(Some(timeouts.connect))
        .set_number_of_retries(timeouts.retries);
    let current = Current::open(&client, &config).map_err(connection_error)?;
    Ok(Connection(Arc::new(Shared {
        client,
        config,
        current: RwLock::new(current),
    })))
}

impl Connection {
    /// Replaces the connection, unless it is new. Running commands complete on the old one.
    pub(crate) fn leave(&self) {
        let Shared {
            client,
            config,
            current,
        } = self.0.as_ref();
        let mut current = current.write().unwrap_or_else(PoisonError::into_inner);
        if current.opened.elapsed() < MIN_AGE {
            return;
        }
        if let Ok(new) = Current::open(client, config) {
            *current = new;
        }
    }

    /// Checks that the server is a master. A replica answers reads, but with the data of a past
    /// moment.
    pub(crate) async fn check_master(&mut self) -> Result<(), ConnectionError> {
        self.replication().await.map(drop)
    }

    /// Returns the replication of a master.
    pub(crate) async fn replication(&mut self) -> Result<Replication, ConnectionError> {
        let info = self.info("replication").await?;
        if field(&info, "role") == "master" {
            return Ok(Replication::parse(&info));
        }
        self.leave();
        Err(ConnectionError::NotWritable(REPLICA))
    }

    /// Returns a section of the server's INFO reply, or the default sections.
    pub(crate) async fn info(&mut self, section: &str) -> Result<String, ConnectionError> {
        ::redis::cmd("INFO")
            .arg(section)
            .query_async(self)
            .await
            .map_err(connection_error)
    }

    fn manager(&self) -> ConnectionManager {
        let current = self.0.current.read();
        let current = current.unwrap_or_else(PoisonError::into_inner);
        current.manager.clone()
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let result = self.manager().send_packed_command(cmd).await;
            if match &result {
                Ok(value) => leaves_after_value(value),
                Err(error) => leaves_after(error),
            } {
                self.leave();
            }
            result
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut manager = self.manager();
            let result = manager.send_packed_commands(cmd, offset, count).await;
            if match &result {
                Ok(values) => values.iter().any(leaves_after_value),
                Err(error) => leaves_after(error),
            } {
                self.leave();
            }
            result
        })
    }

    fn get_db(&self) -> i64 {
        self.0.client.get_connection_info().redis_settings().db()
    }
}

/// The data of a master: how many bytes it has replicated, and how many the previous master had given it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Replication {
    id: String,
    offset: u64,
    previous_id: String,
    /// The first byte that the server did not get from the previous master.
    promoted_at: u64,
}

impl Replication {
    fn parse(info: &str) -> Self {
        let number = |name| field(info, name).parse().unwrap_or_default();
        Self {
            id: field(info, "master_replid").to_owned(),
            offset: number("master_repl_offset"),
            previous_id: field(info, "master_replid2").to_owned(),
            promoted_at: number("second_repl_offset"),
        }
    }

    /// Returns how many bytes of an earlier master this server lacks. 0 if it did not replace that one.
    pub(crate) fn lost_after(&self, earlier: &Self) -> u64 {
        if self.id == earlier.id || self.previous_id != earlier.id {
            return 0;
        }
        (earlier.offset + 1).saturating_sub(self.promoted_at)
    }
}

/// Returns a field of an INFO reply; empty if the field is missing.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let value = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().trim()
}

const REPLICA: &str = "Redis is a replica, not a master";

/// Returns why a server with this error code accepts no writes, if that is the meaning of the code.
fn not_writable(code: &str) -> Option<&'static str> {
    Some(match code {
        "READONLY" => REPLICA,
        "MASTERDOWN" => "Redis is a replica without a connection to its master",
        "LOADING" => "Redis is loading its data",
        "OOM" => "Redis is out of memory",
        "MISCONF" => "Redis cannot write to its disk",
        "NOREPLICAS" => "Redis has too few replicas that are up to date",
        "CLUSTERDOWN" => "the Redis cluster is down",
        _ => return None,
    })
}

/// Returns whether another server may accept what this one rejected with the code. A server that is
/// out of memory or of disk space is still the master.
fn is_other_server(code: &str) -> bool {
    match code {
        "OOM" | "MISCONF" => false,
        // A new master may lack the user for a moment.
        "NOAUTH" | "WRONGPASS" | "MOVED" | "UNBLOCKED" => true,
        code => not_writable(code).is_some(),
    }
}

fn leaves_after_value(value: &Value) -> bool {
    match value {
        Value::ServerError(error) => is_other_server(error.code()),
        Value::Array(values) => values.iter().any(leaves_after_value),
        _ => false,
    }
}

/// Returns whether an error replaces the connection. A server that lost its power sends no reset, so
/// a missing answer does too.
fn leaves_after(error: &RedisError) -> bool {
    error.is_timeout()
        || error.kind() == ErrorKind::AuthenticationFailed
        || codes(error).iter().any(|code| is_other_server(code))
}

/// Returns the codes of an error and of its causes in a pipeline or transaction.
fn codes(error: &RedisError) -> Vec<String> {
    let own = error.code().map(str::to_owned);
    let causes = error.clone().into_server_errors();
    let causes = causes.iter().flat_map(|errors| errors.iter());
    own.into_iter()
        .chain(causes.map(|(_, error)| error.code().to_owned()))
        .collect()
}

/// Classifies an error.
pub(crate) fn connection_error(error: RedisError) -> ConnectionError {
    let codes = codes(&error);
    let is_rejected = matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig
    ) || codes
        .iter()
        .any(|code| matches!(code.as_str(), "NOAUTH" | "WRONGPASS" | "NOPERM"));
    if is_rejected {
        return ConnectionError::Rejected("the server rejected the user or password");
    }
    match codes.iter().find_map(|code| not_writable(code)) {
        Some(reason) => ConnectionError::NotWritable(reason),
        None => ConnectionError::Unavailable(error.to_string()),
    }
}
