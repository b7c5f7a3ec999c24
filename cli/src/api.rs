//! Wiring of the API: what it needs of an open database and of the settings.

use crate::{app::App, secret};
use anyhow::Context;
use balance_api::Api;
use balance_core::{
    intake::{EmbeddedIntake, RedisIntake},
    port::intake::Intake,
    service::playback::Playback,
};
use std::sync::Arc;

/// The API of an open database.
pub(crate) async fn of(app: &App) -> anyhow::Result<Api> {
    let settings = &app.settings.api;
    let secrets = secret::secrets(&app.settings)?;
    let intake = intake(app).await?;
    let playback = Playback::new(intake, Arc::clone(&app.store), Arc::clone(&app.clock));
    Ok(Api {
        store: Arc::clone(&app.store),
        playback: Arc::new(playback),
        clock: Arc::clone(&app.clock),
        secrets,
        limits: settings.limits(),
        proxies: settings.trusted_proxy_hops.into(),
        is_cookie_secure: settings.is_cookie_secure(),
    })
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
    app.know_the_stream().await?;
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
