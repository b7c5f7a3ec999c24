//! The settings of the database and of Redis.

use anyhow::{Context, bail};
use balance_domain::calendar::BusinessTimezone;
use std::path::{Path, PathBuf};

/// The time zone of a database that is created without `BUSINESS_TIMEZONE`.
pub(crate) const DEFAULT_TIMEZONE: BusinessTimezone =
    BusinessTimezone::Named(chrono_tz::Asia::Seoul);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DatabaseSettings {
    /// The database
    ///
    /// Range: `sqlite:///absolute/path`, `sqlite://relative/path`, `mysql://user:password@host/name`
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://data/balance.db",
        hide_env_values = true
    )]
    pub(crate) database_url: String,

    /// The Redis server of a fleet; required by `serve`, `api` and `worker` on MySQL, ignored on
    /// SQLite
    ///
    /// Range: `redis://:password@host:port/number`
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub(crate) redis_url: Option<String>,

    /// A separate Redis server for notifications
    ///
    /// Range: `redis://:password@host:port/number`
    ///
    /// Default: `REDIS_URL`
    #[arg(long, env = "QUEUE_REDIS_URL", hide_env_values = true)]
    pub(crate) queue_redis_url: Option<String>,

    /// Seconds to retry an unavailable server at start
    ///
    /// Range: 0 to 3,600
    #[arg(
        long,
        env = "CONNECT_TIMEOUT_S",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(0..=3_600)
    )]
    pub(crate) connect_timeout_s: u32,

    /// The time zone of business days; stored by the first command that writes to the database, such as
    /// `migrate`, and permanent: a different value is rejected
    ///
    /// Range: IANA name, or offset such as `+09:00` or `-00:00:03`
    ///
    /// Default: `Asia/Seoul`
    #[arg(long, env = "BUSINESS_TIMEZONE", allow_hyphen_values = true)]
    pub(crate) business_timezone: Option<BusinessTimezone>,
}

/// A database, selected by the scheme of its URL.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(PathBuf),
    /// The URL, which can contain a password.
    MySql(String),
}

impl DatabaseSettings {
    /// Parses `DATABASE_URL`. The URL can contain a password, so errors do not repeat it.
    pub(crate) fn database(&self) -> anyhow::Result<Database> {
        if self.database_url.starts_with("mysql://") {
            return Ok(Database::MySql(self.database_url.clone()));
        }
        let Some(path) = self.database_url.strip_prefix("sqlite://") else {
            bail!(
                "DATABASE_URL: must start with sqlite:// or mysql://, e.g. \
                 sqlite:///var/lib/balance/balance.db or mysql://user:password@host/database"
            );
        };
        if path.is_empty() || path.contains('?') || path.ends_with('/') {
            bail!("DATABASE_URL: '{path}' after sqlite:// is not the path of a file");
        }
        if path.starts_with(':') {
            bail!(
                "DATABASE_URL: '{path}' is not the path of a file; a database in memory is not supported, \
                 and a file of this name is sqlite://./{path}"
            );
        }
        let path = Path::new(path);
        let path = std::path::absolute(path).context("DATABASE_URL")?;
        Ok(Database::Sqlite(path))
    }

    /// Returns the URL of the notifier's Redis server and the name of its setting.
    pub(crate) fn notifier_url(&self) -> Option<(&'static str, &str)> {
        match (&self.queue_redis_url, &self.redis_url) {
            (Some(url), _) => Some(("QUEUE_REDIS_URL", url)),
            (None, Some(url)) => Some(("REDIS_URL", url)),
            (None, None) => None,
        }
    }
}
