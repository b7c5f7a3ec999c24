//! Wiring of the API: what it needs of an open database and of the settings.

use crate::{app::App, secret};
use anyhow::Context;
use balance_api::{Api, Secrets, Work};
use balance_redis::RedisIntake;
use balance_service::{
    jobs::launcher::Launcher,
    playback::{EmbeddedIntake, Playback, intake::Intake},
};
use std::sync::Arc;

/// What may be refused, before anything begins.
pub(crate) struct Parts {
    secrets: Secrets,
    playback: Playback,
}

impl Parts {
    /// Of an open database.
    pub(crate) async fn of(app: &App) -> anyhow::Result<Self> {
        let secrets = secret::secrets(&app.settings)?;
        let intake = intake(app).await?;
        let (store, clock) = (Arc::clone(&app.store), Arc::clone(&app.clock));
        Ok(Self {
            secrets,
            playback: Playback::new(intake, store, clock),
        })
    }

    /// The API, which launches jobs by a launcher whose rings somebody hears, and tells of the
    /// worker beside it, if there is one.
    pub(crate) fn api(self, app: &App, launcher: Launcher, work: Option<Work>) -> Api {
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
            work,
        }
    }
}

/// The intake: on the database itself where that is a file, else on Redis.
async fn intake(app: &App) -> anyhow::Result<Arc<dyn Intake>> {
    let rules = app.settings.intake_rules();
    if app.is_file() {
        let store = Arc::clone(&app.store);
        return Ok(Arc::new(EmbeddedIntake::start(store, rules, app.timezone)));
    }
    let Some(url) = &app.settings.redis_url else {
        anyhow::bail!("REDIS_URL: needed where the database is on a server");
    };
    app.check_stream().await?;
    let intake = RedisIntake::open(
        url,
        app.settings.intake_shards,
        app.settings.intake_backlog_max.into(),
        rules,
        app.timezone,
        Arc::clone(&app.clock),
    );
    Ok(Arc::new(intake.context("REDIS_URL")?))
}
