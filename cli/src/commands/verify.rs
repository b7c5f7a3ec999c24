//! `balance verify`.

use crate::{output::verify as print, progress, wiring::App};
use anyhow::bail;
use balance_service::verification::{self, Options};
use std::{process::ExitCode, time::Instant};

pub(super) async fn run(app: &App, options: Options, json: bool) -> anyhow::Result<ExitCode> {
    if let (Some(from), Some(to)) = (options.from, options.to)
        && from > to
    {
        bail!("--from: {from} is after --to {to}");
    }
    let began = Instant::now();
    let bar = progress::count(0, "verifying");
    let verified =
        verification::verify(app.store.as_ref(), app.timezone, options, &mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        })
        .await;
    bar.finish_and_clear();
    let verified = verified?;
    if json {
        print::json(&verified)?;
    } else {
        print::text(&verified, began.elapsed());
    }
    Ok(if verified.findings.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
