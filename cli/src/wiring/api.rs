//! The parts of the API that come from the database and the settings.

use crate::wiring::{App, secret};
use anyhow::Context;
use balance_api::{Api, ProcessWorker, Secrets};
use balance_redis::{IntakeSettings, RedisIntake};
use balance_service::{
    jobs::launcher::Launcher,
    playback::{EmbeddedIntake, Playback, RulesFeed, intake::Intake},
};
use std::sync::Arc;

/// The parts that can be rejected, created before the process starts any work.
pub(crate) struct ApiParts {
    secrets: Secrets,
    playback: Playback,
}

impl ApiParts {
    pub(crate) async fn new(app: &App) -> anyhow::Result<Self> {
        let secrets = secret::secrets(&app.settings)?;
        let intake = intake(app).await?;
        let (store, clock) = (Arc::clone(&app.store), Arc::clone(&app.clock));
        Ok(Self {
            secrets,
            playback: Playback::new(intake, store, clock),
        })
    }

    /// Returns the API. `launcher` notifies the workers; `worker` is the worker of the same process.
    pub(crate) fn api(self, app: &App, launcher: Launcher, worker: Option<ProcessWorker>) -> Api {
        let settings = &app.settings.api;
        Api {
            store: Arc::clone(&app.store),
            playback: Arc::new(self.playback),
            launcher,
            secrets: self.secrets,
            limits: settings.limits(),
            proxies: settings.trusted_proxy_hops.into(),
            is_cookie_secure: settings.is_cookie_secure(),
            origins: settings.cors_allowed_origins.clone().unwrap_or_default(),
            stream: app.stream(),
            worker,
        }
    }
}

/// Returns the intake: in the SQLite database, or in the fleet's Redis.
async fn intake(app: &App) -> anyhow::Result<Arc<dyn Intake>> {
    let playback = &app.settings.playback;
    let lifetimes = playback.lifetimes();
    if app.is_file() {
        let store = Arc::clone(&app.store);
        return Ok(Arc::new(EmbeddedIntake::start(
            store,
            lifetimes,
            app.timezone,
        )));
    }
    let (Some(url), Some(events)) = (&app.settings.database.redis_url, &app.events) else {
        anyhow::bail!("REDIS_URL: required for a database on a server");
    };
    app.check_stream().await?;
    app.check_ids().await?;
    let intake = RedisIntake::open(
        url,
        events.stream.identity().clone(),
        IntakeSettings {
            shards: playback.intake_shards,
            backlog_max: playback.intake_backlog_max.into(),
            lifetimes,
            timezone: app.timezone,
        },
        RulesFeed::start(Arc::clone(&app.store)).await?,
        Arc::clone(&app.clock),
    );
    Ok(Arc::new(intake.context("REDIS_URL")?))
}
