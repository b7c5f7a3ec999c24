//! What the subcommands do.

mod admin;

mod demo;

mod events;

mod import;

mod import_balances;

mod jobs;

mod rates;

mod report;

mod serve;

mod settle;

mod verify;

mod watch;

mod workers;

use crate::{
    app::{App, connect},
    args::{Admin, Args, Command, Events, Rates},
    output,
    settings::Database,
};
use anyhow::{Context, bail};
use balance_service::verification::Options;
use balance_store::{Store, StoreError};
use std::{fs::File, io::Read, path::Path, process::ExitCode};

/// Runs a subcommand; answers the process's exit code.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { command, settings } = args;
    if let Command::Demo {
        dir,
        reset,
        plays,
        seed,
    } = command
    {
        return demo::run(settings, &dir, reset, plays, seed).await;
    }
    if matches!(command, Command::Openapi) {
        output::text(&balance_api::document());
        return Ok(ExitCode::SUCCESS);
    }
    if matches!(command, Command::Migrate)
        && let Database::MySql(url) = settings.database()?
    {
        // A file is migrated by whoever opens it; a server's schema only on request.
        connect(
            &settings,
            || Store::migrate_mysql(&url),
            StoreError::is_transient,
        )
        .await
        .context("the database of DATABASE_URL")?;
    }
    if matches!(command, Command::Events { .. })
        && matches!(settings.database()?, Database::Sqlite(_))
    {
        bail!(
            "DATABASE_URL: the database is a file, whose plays come by no stream; `events` is for a \
             fleet's"
        );
    }
    // A mistyped path must not make a database where one only wants to read.
    let only_reads = matches!(
        command,
        Command::Report { .. }
            | Command::Verify { .. }
            | Command::Jobs { .. }
            | Command::Workers { .. }
            | Command::Admin {
                admin: Admin::Grant { .. } | Admin::Password { .. }
            }
            | Command::Rates { rates: Rates::Show }
    );
    let app = App::open(settings, !only_reads).await?;
    let result = match command {
        Command::Demo { .. } | Command::Openapi | Command::Migrate => {
            output::line("the database's schema is up to date");
            Ok(ExitCode::SUCCESS)
        }
        Command::Import { files, ads } => import::run(&app, &files, ads).await,
        Command::ImportBalances { file } => import_balances::run(&app, &file).await,
        Command::Settle {
            date,
            from,
            to,
            no_work,
        } => settle::run(&app, date, from.zip(to), no_work).await,
        Command::Report { report } => report::run(&app, report).await,
        Command::Verify {
            from,
            to,
            limit,
            json,
        } => verify::run(&app, Options { from, to, limit }, json).await,
        Command::Jobs { jobs } => jobs::run(&app, jobs).await,
        Command::Events {
            events: Events::Replay { without_ads, json },
        } => events::replay(&app, without_ads, json).await,
        Command::Rates { rates } => rates::run(&app, rates).await,
        Command::Admin { admin } => admin::run(&app, admin).await,
        Command::Serve => serve::serve(&app).await,
        Command::Api => serve::api(&app).await,
        Command::Worker => serve::worker(&app).await,
        Command::Workers { here, json } => workers::run(&app, here, json).await,
    };
    app.close().await;
    result
}

/// What messages call a file.
fn display_name(path: &Path) -> String {
    if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Opens a file, or standard input for `-`; with its length in bytes where it has one.
fn open_source(path: &Path) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let open = || -> std::io::Result<(File, std::fs::Metadata)> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let (file, metadata) = open().with_context(|| format!("{}: cannot be read", path.display()))?;
    if metadata.is_dir() {
        bail!("{}: is a folder, not a file", path.display());
    }
    let length = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(file), length))
}
