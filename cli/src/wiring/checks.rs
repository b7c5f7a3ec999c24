//! Checks of the settings before a database is opened, and of a fleet's Redis before work starts.

use crate::{
    args::Command,
    settings::{Database, Settings},
    wiring::{App, connect, secret},
};
use anyhow::{Context, anyhow};
use balance_service::{
    events::identity::{IdentityError, require_stream},
    jobs::notifier::NotifierError,
    operations::restore::{IdWatch, check_ids_at_start},
    settings::{intake_shards, play_rules, stored_intake_shards},
};
use balance_store::playback::RulesVersion;
use std::sync::Arc;

/// Rejects settings that do not fit the command or each other, before a database is opened or created.
pub(crate) fn check_settings(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    let is_file = matches!(settings.database.database()?, Database::Sqlite(_));
    settings.processing.worker()?;
    settings.playback.check()?;
    match command {
        Command::Events { .. } if is_file => anyhow::bail!(
            "DATABASE_URL: `events` requires the event stream of a fleet, and an SQLite database \
             has none"
        ),
        Command::Serve | Command::Api => {
            secret::check(settings)?;
            require_redis(settings, is_file)
        }
        Command::Worker => require_redis(settings, is_file),
        _ => Ok(()),
    }
}

/// Rejects a process of a fleet without Redis.
fn require_redis(settings: &Settings, is_file: bool) -> anyhow::Result<()> {
    if !is_file && settings.database.redis_url.is_none() {
        anyhow::bail!("REDIS_URL: required for a database on a server");
    }
    Ok(())
}

impl App {
    /// Rejects a database with an event stream if `REDIS_URL` is missing or names a server without
    /// that stream: a day could be closed before all its events are persisted. Creates the stream of
    /// a new database. Accepts a server that is unavailable, and a stream that workers will upgrade.
    pub(crate) async fn check_stream(&self) -> anyhow::Result<()> {
        self.check_shards().await?;
        let Some(events) = &self.events else {
            return Ok(());
        };
        match require_stream(self.store.as_ref(), events.stream.as_ref()).await {
            // The event writers and the step that closes a day check again.
            Err(IdentityError::Stream(_)) => Ok(()),
            Err(error @ IdentityError::Missing { .. }) => Err(anyhow!(
                "{error}; correct REDIS_URL, or run `balance events adopt` if the events are lost \
                 for good"
            )
            .context("REDIS_URL")),
            checked => checked.map(|_| ()).context("REDIS_URL"),
        }
    }

    /// Rejects a database that was restored, until every id in the event stream is below its sequences.
    /// If the stream is unavailable, no id is assigned until an [`IdWatch`] has checked them.
    pub(crate) async fn check_ids(&self) -> anyhow::Result<()> {
        let Some(events) = &self.events else {
            return Ok(());
        };
        let checked = check_ids_at_start(self.store.as_ref(), events.stream.as_ref());
        checked.await.context("DATABASE_URL")
    }

    /// Checks the ids for a command that assigns some, or writes other facts about money: a database that
    /// is older than its event stream lacks facts, which the restore brings back. A database without an event stream has nothing to
    /// compare them with.
    pub(crate) async fn check_ids_of_command(&self) -> anyhow::Result<()> {
        if self.is_file() || stored_intake_shards(self.store.as_ref()).await?.is_none() {
            return Ok(());
        }
        self.check_shards().await?;
        self.check_ids().await
    }

    /// Starts the periodic check of a process that assigns ids.
    pub(crate) fn watch_ids(&self) -> Option<IdWatch> {
        let stream = self.stream()?;
        Some(IdWatch::start(Arc::clone(&self.store), stream))
    }

    /// Rejects a database with an event stream if `REDIS_URL` is missing or `INTAKE_SHARDS`
    /// differs.
    pub(crate) async fn check_shards(&self) -> anyhow::Result<()> {
        let shards = self.settings.playback.intake_shards;
        let stored = match &self.events {
            Some(_) => Some(intake_shards(self.store.as_ref(), shards).await?),
            None => stored_intake_shards(self.store.as_ref()).await?,
        };
        match stored {
            Some(_) if self.events.is_none() && !self.is_file() => {
                anyhow::bail!("REDIS_URL: required, because this database has an event stream")
            }
            Some(stored) if stored != shards => anyhow::bail!(
                "INTAKE_SHARDS: {shards} differs from {stored}, the stored number of event \
                 streams; set it to {stored}"
            ),
            _ => Ok(()),
        }
    }

    /// Returns the rules of plays. The first process that uses them stores those of its settings. Rejects
    /// different ones, and positions that expire within the view window.
    pub(crate) async fn play_rules(&self) -> anyhow::Result<RulesVersion> {
        let playback = &self.settings.playback;
        let stored = play_rules(self.store.as_ref(), &playback.rules.given()).await?;
        playback.check_view_window(stored.rules.view_window_s)?;
        Ok(stored)
    }

    /// Rejects a process of a fleet without Redis, and waits until Redis is available.
    pub(crate) async fn require_notifier(&self) -> anyhow::Result<()> {
        if self.is_file() {
            return Ok(());
        }
        let (Some(notifier), Some(_)) = (&self.fleet_notifier, &self.events) else {
            anyhow::bail!("REDIS_URL: required for a database on a server");
        };
        connect(
            &self.settings,
            || notifier.ping(),
            |error| matches!(error, NotifierError::Unavailable(_)),
        )
        .await
        .context("REDIS_URL")
    }
}
