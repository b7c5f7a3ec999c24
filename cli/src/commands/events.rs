//! `balance events`.

use crate::{output, progress, wiring::App};
use anyhow::{Context, anyhow, bail};
use balance_service::events::replay::{self, EventRules, ReplayError};
use std::{process::ExitCode, time::Instant};

/// Persists all events that the stream retains again.
pub(super) async fn replay(app: &App, without_ads: bool, json: bool) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let Some(events) = &app.events else {
        bail!("REDIS_URL: required to read the event stream");
    };
    let stream = events.stream.as_ref();
    // Checked before the number of shards is stored: an empty database would store a wrong one
    // permanently.
    let retained = stream.retained().await.context("REDIS_URL")?;
    replay::check_shards(stream, &retained).map_err(with_advice)?;
    app.check_stream().await?;
    if app.store.slots().await? > 0 {
        progress::line(
            "workers are running: plays of a day that they close before its replay ends become late \
             events",
        );
    }
    let rules = EventRules {
        timezone: app.timezone,
        ad_interval_s: events.ad_interval_s,
    };
    progress::line(&format!(
        "an ad slot every {} s (AD_INTERVAL_S); the fleet must use the same value",
        rules.ad_interval_s
    ));
    let bar = progress::count(0, "replaying");
    let store = app.store.as_ref();
    let replayed = replay::replay(
        store,
        stream,
        &retained,
        rules,
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

/// Adds the setting or the action that resolves an error.
fn with_advice(error: ReplayError) -> anyhow::Error {
    match error {
        ReplayError::NoAds => anyhow!(
            "{error}: restore them first, or use --without-ads if there have never been any"
        ),
        ReplayError::MoreShards { .. } => anyhow::Error::new(error).context("INTAKE_SHARDS"),
        ReplayError::Stream(_) => anyhow::Error::new(error).context("REDIS_URL"),
        ReplayError::Store(_) => {
            anyhow::Error::new(error).context("the replay is incomplete; run it again to continue")
        }
    }
}
