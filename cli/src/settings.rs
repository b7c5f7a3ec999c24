//! All settings, in one place: environment variables, each also a flag, checked together at start.

mod api;

mod observation;

use anyhow::{Context, bail};
pub(crate) use api::ApiSettings;
use balance_batch::partition::MAX_PARTITIONS;
use balance_domain::{calendar::BusinessTimezone, playback::PlaybackRate};
use balance_store::{events::MAX_SHARDS, operations::WorkerIdentity, playback::IntakeRules};
use balance_worker::settings::WorkerSettings;
pub(crate) use observation::{LogFormat, ObservabilitySettings};
use std::{
    path::{Path, PathBuf},
    thread::available_parallelism,
};

/// The settings as given.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Settings {
    /// The database: sqlite:///absolute/path, sqlite://relative/path or mysql://user:password@host/name
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://data/balance.db",
        hide_env_values = true,
        global = true
    )]
    pub(crate) database_url: String,

    /// The fleet's Redis, redis://:password@host:port/number: with a database on a server, and
    /// needed by `worker` and `api` there
    #[arg(long, env = "REDIS_URL", hide_env_values = true, global = true)]
    pub(crate) redis_url: Option<String>,

    /// The Redis of the queue alone [default: REDIS_URL]
    #[arg(long, env = "QUEUE_REDIS_URL", hide_env_values = true, global = true)]
    pub(crate) queue_redis_url: Option<String>,

    /// How long a server that is away is tried again at start, in seconds
    #[arg(
        long,
        env = "CONNECT_TIMEOUT_S",
        default_value_t = 30,
        global = true,
        value_parser = clap::value_parser!(u32).range(0..=3_600)
    )]
    pub(crate) connect_timeout_s: u32,

    /// The zone of the business days: an IANA name or an offset such as +09:00 or -00:00:03;
    /// stored at first start [default: Asia/Seoul]
    #[arg(
        long,
        env = "BUSINESS_TIMEZONE",
        global = true,
        allow_hyphen_values = true
    )]
    pub(crate) business_timezone: Option<BusinessTimezone>,

    /// What the API takes.
    #[command(flatten)]
    pub(crate) api: ApiSettings,

    /// Seconds within which a view of the same user and video is a repeat
    #[arg(
        long,
        env = "VIEW_WINDOW_S",
        default_value_t = 30,
        global = true,
        value_parser = clap::value_parser!(u32).range(0..=86_400)
    )]
    pub(crate) view_window_s: u32,

    /// Seconds between two ad slots
    #[arg(
        long,
        env = "AD_INTERVAL_S",
        default_value_t = 300,
        global = true,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub(crate) ad_interval_s: u32,

    /// How fast a video can be played, at most; 0 switches the cap on credited seconds off
    #[arg(
        long,
        env = "MAX_PLAYBACK_RATE",
        default_value = "2.0",
        global = true,
        value_parser = playback_rate
    )]
    pub(crate) max_playback_rate: PlaybackRate,

    /// Seconds that positions in videos are remembered
    #[arg(
        long,
        env = "RESUME_TTL_S",
        default_value_t = 2_592_000,
        global = true,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) resume_ttl_s: u32,

    /// Streams that the plays of a fleet come by; stored at first start
    #[arg(
        long,
        env = "INTAKE_SHARDS",
        default_value_t = 1,
        global = true,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_SHARDS))
    )]
    pub(crate) intake_shards: u16,

    /// Plays that may wait in one of a fleet's streams to be written down; more are refused
    #[arg(
        long,
        env = "INTAKE_BACKLOG_MAX",
        default_value_t = 1_000_000,
        global = true,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) intake_backlog_max: u32,

    /// Hours that plays stay in a fleet's stream after they were written down
    #[arg(
        long,
        env = "STREAM_RETENTION_H",
        default_value_t = 48,
        global = true,
        value_parser = clap::value_parser!(u32).range(0..=8_760)
    )]
    pub(crate) stream_retention_h: u32,

    /// How long closing a day waits for a fleet's stream, in seconds
    #[arg(
        long,
        env = "CLOSE_TIMEOUT_S",
        default_value_t = 3_600,
        global = true,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub(crate) close_timeout_s: u32,

    /// Partitions of a step [default: twice the cores]
    #[arg(
        long,
        env = "PARTITIONS",
        global = true,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PARTITIONS))
    )]
    pub(crate) partitions: Option<u32>,

    /// Videos in a chunk
    #[arg(long, env = "CHUNK_SIZE", default_value_t = 1_000, global = true)]
    pub(crate) chunk_size: u32,

    /// Videos that may be skipped in a step: money is not skipped silently
    #[arg(long, env = "SKIP_LIMIT", default_value_t = 0, global = true)]
    pub(crate) skip_limit: u32,

    /// How often a chunk is tried again after a passing fault
    #[arg(long, env = "RETRY_LIMIT", default_value_t = 3, global = true)]
    pub(crate) retry_limit: u32,

    /// Partitions worked at a time [default: the cores]
    #[arg(long, env = "WORKER_CONCURRENCY", global = true)]
    pub(crate) worker_concurrency: Option<u32>,

    /// Seconds after which a silent worker's partition is taken over
    #[arg(long, env = "LEASE_S", default_value_t = 15, global = true)]
    pub(crate) lease_s: u32,

    /// The longest that one chunk may take, in seconds
    #[arg(long, env = "CHUNK_TIMEOUT_S", default_value_t = 60, global = true)]
    pub(crate) chunk_timeout_s: u32,

    /// Seconds that running chunks get to finish when the process is asked to end
    #[arg(long, env = "GRACE_S", default_value_t = 25, global = true)]
    pub(crate) grace_s: u32,

    /// Days that the step executions of settled days are kept
    #[arg(
        long,
        env = "JOB_RETENTION_DAYS",
        default_value_t = 90,
        global = true,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub(crate) job_retention_days: u32,

    /// What is told of the program while it runs.
    #[command(flatten)]
    pub(crate) observation: ObservabilitySettings,
}

/// How long answers to requests with a key are remembered, in seconds: a day.
const REPLAY_S: u32 = 86_400;

/// The most connections that read at a time.
const MAX_READERS: u32 = 64;

/// The most of a machine's name that is kept, in characters.
const MAX_HOST: usize = 64;

/// A database, by what its URL names.
#[derive(Clone)]
pub(crate) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server's; its URL may hold a password.
    MySql(String),
}

/// A rate such as 2 or 1.25, from 0 to 100.
fn playback_rate(text: &str) -> Result<PlaybackRate, String> {
    let reason = "not a number from 0 to 100 with at most three decimals, such as 1.25";
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 3 || !are_digits(whole) || !are_digits(decimals) {
        return Err(reason.to_owned());
    }
    let thousandths: Option<u32> = format!("{whole}{decimals:0<3}").parse().ok();
    match thousandths {
        Some(rate) if rate <= 100_000 => Ok(PlaybackRate(rate)),
        _ => Err(reason.to_owned()),
    }
}

/// The zone of a database that no other is asked for.
pub(crate) const DEFAULT_TIMEZONE: BusinessTimezone =
    BusinessTimezone::Named(chrono_tz::Asia::Seoul);

impl Settings {
    /// The database that the URL names.
    pub(crate) fn database(&self) -> anyhow::Result<Database> {
        if self.database_url.starts_with("mysql://") {
            return Ok(Database::MySql(self.database_url.clone()));
        }
        let Some(path) = self.database_url.strip_prefix("sqlite://") else {
            // The URL may hold a password: it is not repeated.
            bail!(
                "DATABASE_URL: only sqlite:// and mysql:// are known, e.g. \
                 sqlite:///var/lib/balance/balance.db or mysql://user:password@host/database"
            );
        };
        if path.is_empty() || path.contains('?') || path.ends_with('/') {
            bail!("DATABASE_URL: '{path}' after sqlite:// is not the path of a file");
        }
        let path = Path::new(path);
        let path = std::path::absolute(path).context("DATABASE_URL")?;
        Ok(Database::Sqlite(path))
    }

    /// Where the fleet's queue is, and which setting says so.
    pub(crate) fn queue_url(&self) -> Option<(&'static str, &str)> {
        match (&self.queue_redis_url, &self.redis_url) {
            (Some(url), _) => Some(("QUEUE_REDIS_URL", url)),
            (None, Some(url)) => Some(("REDIS_URL", url)),
            (None, None) => None,
        }
    }

    /// The rules of the intake.
    pub(crate) const fn intake_rules(&self) -> IntakeRules {
        IntakeRules {
            view_window_s: self.view_window_s,
            playback_rate: self.max_playback_rate,
            resume_ttl_s: self.resume_ttl_s,
            replay_s: REPLAY_S,
            ad_interval_s: self.ad_interval_s,
        }
    }

    /// Cores of this machine, as far as this process may use them.
    fn cores() -> u32 {
        available_parallelism()
            .ok()
            .and_then(|cores| u32::try_from(cores.get()).ok())
            .unwrap_or(1)
    }

    /// Partitions of a step.
    pub(crate) fn partitions(&self) -> u32 {
        self.partitions
            .unwrap_or_else(|| (Self::cores() * 2).min(MAX_PARTITIONS))
    }

    /// Connections that read at a time: one for each claim and some for whoever watches.
    pub(crate) fn readers(&self) -> u32 {
        self.worker_concurrency
            .unwrap_or_else(Self::cores)
            .min(MAX_READERS)
            + 2
    }

    /// Connections to a server: one for each claim, as many to watch and to advance.
    pub(crate) fn connections(&self) -> u32 {
        self.readers() * 2
    }

    /// Who a worker of this process is.
    fn identity(&self) -> WorkerIdentity {
        let host: String = gethostname::gethostname()
            .to_string_lossy()
            .chars()
            .take(MAX_HOST)
            .collect();
        let process_id = std::process::id();
        WorkerIdentity {
            name: format!("{host}-{process_id}-{:016x}", rand::random::<u64>()),
            host,
            process_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            concurrency: self
                .worker_concurrency
                .unwrap_or_else(|| Self::cores().min(256)),
        }
    }

    /// The worker's share, checked.
    pub(crate) fn worker(&self) -> anyhow::Result<WorkerSettings> {
        let settings = WorkerSettings {
            identity: self.identity(),
            lease_s: self.lease_s,
            chunk_timeout_s: self.chunk_timeout_s,
            grace_s: self.grace_s,
            chunk_size: self.chunk_size,
            skip_limit: self.skip_limit,
            retry_limit: self.retry_limit,
        };
        settings.check().map_err(anyhow::Error::msg)?;
        Ok(settings)
    }
}
