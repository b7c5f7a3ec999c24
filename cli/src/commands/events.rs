//! `balance events`.

use crate::{
    output, progress,
    wiring::{App, open_stream},
};
use anyhow::{Context, anyhow, bail};
use balance_service::events::{
    identity::{self, IdentityError},
    replay::{self, ReplayError},
    stream::{EventStream, Retained},
};
use balance_store::{events::StreamIdentity, operations::Actor};
use std::{process::ExitCode, sync::Arc, time::Instant};

/// Adopts an event stream: an empty one, or an existing one of another identity.
pub(super) async fn adopt(
    app: &App,
    identity: Option<StreamIdentity>,
    is_shared: bool,
    is_new: bool,
) -> anyhow::Result<ExitCode> {
    let Some(events) = &app.events else {
        bail!("REDIS_URL: required to adopt an event stream");
    };
    let store = app.store.as_ref();
    let identity = match identity {
        Some(identity) => {
            let stream = open_stream(&app.settings, identity.clone())?;
            // Checked before the number of shards is stored.
            let retained = stream.retained().await.context("REDIS_URL")?;
            replay::check_shards(&stream, &retained).map_err(with_advice)?;
            identity::adopt_existing(store, &stream, &Actor::Console)
                .await
                .context("REDIS_URL")?;
            app.check_shards().await?;
            identity
        }
        None if is_new => {
            app.check_shards().await?;
            let stream = open_stream(&app.settings, StreamIdentity::random())?;
            identity::adopt_new(store, &stream, &Actor::Console)
                .await
                .context("REDIS_URL")?;
            stream.identity().clone()
        }
        None => {
            app.check_shards().await?;
            adopt_empty(app, events.stream.as_ref(), is_shared).await?
        }
    };
    output::line(&format!("adopted the event stream {identity}"));
    Ok(ExitCode::SUCCESS)
}

async fn adopt_empty(
    app: &App,
    stream: &dyn EventStream,
    is_shared: bool,
) -> anyhow::Result<StreamIdentity> {
    let adopted = identity::adopt_empty(app.store.as_ref(), stream, is_shared, &Actor::Console);
    match adopted.await {
        Err(error @ IdentityError::Missing { .. }) => bail!(
            "REDIS_URL: {error}; correct the URL, or use --shared-server if the databases share this \
             server"
        ),
        adopted => adopted.context("REDIS_URL"),
    }
}

/// Persists all events that the stream retains again.
pub(super) async fn replay(app: &App, without_ads: bool, json: bool) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let (stream, retained) = checked_stream(app).await?;
    if app.store.slots().await? > 0 {
        progress::line(
            "workers are running: plays of a day that they close before its replay ends become late \
             events",
        );
    }
    let bar = progress::count(0, "replaying");
    let store = app.store.as_ref();
    let replayed = replay::replay(
        store,
        stream.as_ref(),
        &retained,
        app.timezone,
        without_ads,
        &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        },
    )
    .await;
    bar.finish_and_clear();
    let replayed = replayed.map_err(with_advice)?;
    if json {
        output::replayed_json(&replayed)?;
    } else {
        output::replayed(&replayed, began.elapsed());
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the event stream of the database and its retained entries.
pub(super) async fn checked_stream(
    app: &App,
) -> anyhow::Result<(Arc<dyn EventStream>, Vec<Retained>)> {
    let Some(stream) = app.stream() else {
        bail!("REDIS_URL: required to read the event stream");
    };
    // Checked before the number of shards is stored: an empty database would store a wrong one
    // permanently.
    let retained = stream.retained().await.context("REDIS_URL")?;
    replay::check_shards(stream.as_ref(), &retained).map_err(with_advice)?;
    identity::require_adopted(app.store.as_ref(), stream.as_ref())
        .await
        .context("REDIS_URL")?;
    app.check_stream().await?;
    Ok((stream, retained))
}

/// Adds the setting or the action that resolves an error.
fn with_advice(error: ReplayError) -> anyhow::Error {
    match error {
        ReplayError::NoAds => anyhow!(
            "{error}: restore them first, or use --without-ads if there have never been any"
        ),
        ReplayError::UnknownAds(_) => anyhow!("{error}; `balance restore complete` registers them"),
        ReplayError::MoreShards { .. } => anyhow::Error::new(error).context("INTAKE_SHARDS"),
        ReplayError::Stream(_) => anyhow::Error::new(error).context("REDIS_URL"),
        ReplayError::Store(_) => {
            anyhow::Error::new(error).context("the replay is incomplete; run it again to continue")
        }
    }
}
