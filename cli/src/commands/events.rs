//! `balance events`.

use crate::{app::App, output, progress};
use anyhow::{Context, anyhow, bail};
use balance_service::events::replay::{self, EventRules, ReplayError};
use std::{process::ExitCode, time::Instant};

/// Writes what the stream retains into the database once more.
pub(super) async fn replay(app: &App, without_ads: bool, json: bool) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let Some(of_fleet) = &app.events else {
        bail!("REDIS_URL: needed, for the plays of a fleet come by a stream");
    };
    let stream = of_fleet.stream.as_ref();
    // Before the number of shards is stored: an empty database would keep a wrong one for ever.
    let retained = stream.retained().await.context("REDIS_URL")?;
    replay::check_shards(stream, &retained).map_err(explained)?;
    app.check_stream().await?;
    if app.store.slots().await? > 0 {
        progress::line(
            "workers are at work: a day that they close before its plays are written again keeps \
             the rest of them as late events",
        );
    }
    let rules = EventRules {
        timezone: app.timezone,
        ad_interval_s: of_fleet.ad_interval_s,
    };
    progress::line(&format!(
        "an ad slot every {} s (AD_INTERVAL_S), as the fleet must have it",
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
    let replayed = replayed.map_err(explained)?;
    if json {
        output::replayed_json(&replayed)?;
    } else {
        output::replayed(&replayed, begun.elapsed());
    }
    Ok(ExitCode::SUCCESS)
}

/// An error with what to do about it.
fn explained(error: ReplayError) -> anyhow::Error {
    match error {
        ReplayError::NoAds => anyhow!(
            "{error}: restore them first; --without-ads goes on where there have never been any"
        ),
        ReplayError::MoreShards { .. } => anyhow::Error::new(error).context("INTAKE_SHARDS"),
        ReplayError::Stream(_) => anyhow::Error::new(error).context("REDIS_URL"),
        ReplayError::Store(_) => {
            anyhow::Error::new(error).context("not all is replayed; begin again to go on")
        }
    }
}
