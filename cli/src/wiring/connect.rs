//! Connections to the database and to Redis.

use crate::{
    progress,
    settings::{Database, Settings},
};
use anyhow::{Context, anyhow};
use backon::{ExponentialBuilder, Retryable};
use balance_domain::clock::Clock;
use balance_redis::{RedisNotifier, RedisStream};
use balance_store::{FileUse, Store, StoreError, events::StreamIdentity};
use balance_worker::settings::EventStreamSettings;
use std::{sync::Arc, time::Duration};

/// Checks the URLs of a fleet's Redis before the database is opened. Returns whether there are any.
pub(super) fn check_redis_urls(settings: &Settings) -> anyhow::Result<bool> {
    let urls = [
        settings.database.notifier_url(),
        settings
            .database
            .redis_url
            .as_deref()
            .map(|url| ("REDIS_URL", url)),
    ];
    for (name, url) in urls.into_iter().flatten() {
        balance_redis::check_url(url).map_err(|reason| anyhow!("{name}: {reason}"))?;
    }
    Ok(urls.iter().any(Option::is_some))
}

/// Creates the notifier of a fleet, if its Redis is configured. It connects at the first use.
pub(super) fn open_notifier(
    settings: &Settings,
    identity: &StreamIdentity,
) -> anyhow::Result<Option<RedisNotifier>> {
    let Some((name, url)) = settings.database.notifier_url() else {
        return Ok(None);
    };
    RedisNotifier::open(url, identity).map(Some).context(name)
}

/// Creates the event stream of a fleet, if its Redis is configured. It connects at the first use.
pub(super) fn open_event_stream(
    settings: &Settings,
    identity: StreamIdentity,
) -> anyhow::Result<Option<EventStreamSettings>> {
    if settings.database.redis_url.is_none() {
        return Ok(None);
    }
    let playback = &settings.playback;
    let stream = open_stream(settings, identity)?;
    Ok(Some(EventStreamSettings {
        stream: Arc::new(stream),
        retention_h: playback.stream_retention_h,
        close_timeout_s: playback.close_timeout_s,
    }))
}

/// Creates the stream of an identity. It connects at the first use.
pub(crate) fn open_stream(
    settings: &Settings,
    identity: StreamIdentity,
) -> anyhow::Result<RedisStream> {
    let Some(url) = &settings.database.redis_url else {
        anyhow::bail!("REDIS_URL: required to open an event stream");
    };
    RedisStream::open(url, identity, settings.playback.intake_shards).context("REDIS_URL")
}

/// Opens a database. Retries a server that is unavailable.
pub(super) async fn open_store(
    settings: &Settings,
    database: &Database,
    file_use: FileUse,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Store> {
    let processing = &settings.processing;
    match database {
        Database::Sqlite(path) => {
            let readers = processing.readers();
            Store::open_sqlite_to(file_use, path, readers, Arc::clone(clock))
                .await
                .with_context(|| format!("the database {}", path.display()))
        }
        // The URL can contain a password, so the error does not repeat it.
        Database::MySql(url) => {
            let open = || {
                let (connections, lease_s) = (processing.connections(), processing.lease_s);
                Store::open_mysql(url, connections, lease_s, Arc::clone(clock))
            };
            connect(settings, open, StoreError::is_transient)
                .await
                .context("the database of DATABASE_URL")
        }
    }
}

/// Calls a server until it is available, for at most `CONNECT_TIMEOUT_S`. Prints each failure.
pub(crate) async fn connect<T, E, F, Fut>(
    settings: &Settings,
    call: F,
    is_unavailable: fn(&E) -> bool,
) -> anyhow::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let limit_s = settings.database.connect_timeout_s;
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_total_delay(Some(Duration::from_secs(u64::from(limit_s))));
    let mut has_retried = false;
    let connected = call
        .retry(backoff)
        .when(is_unavailable)
        .notify(|error, _| {
            has_retried = true;
            progress::line(&format!("{error}; retrying for at most {limit_s} s"));
        })
        .await;
    match connected {
        Err(error) if has_retried && is_unavailable(&error) => {
            Err(anyhow::Error::from(error).context(format!("gave up after {limit_s} s")))
        }
        connected => Ok(connected?),
    }
}
