//! Runs the command of the command line.

use crate::{
    args::{self, Args, Command, DatabaseUse, Events, Restore},
    commands::{
        admin, backup, demo, events, import, jobs, money, operations, report, serve, settle,
        source::check_source, verify,
    },
    output,
    settings::{Database, Settings},
    wiring::{App, check_settings, connect},
};
use anyhow::{Context, bail};
use balance_service::verification::Options;
use balance_store::{FileUse, Store, StoreError};
use std::process::ExitCode;

/// Runs a command. Returns the exit code of the process.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { command, settings } = args;
    if let DatabaseUse::Open(file_use) = command.database_use() {
        return run_on_database(command, settings, file_use).await;
    }
    match command {
        Command::Demo(demo) => return demo::run(settings, demo).await,
        Command::Backup { file } => return backup::run(&settings, &file).await,
        Command::Openapi => output::text(&balance_api::document()),
        Command::Completions { shell } => output::text(&args::completion_script(shell)),
        Command::Help { topic, markdown } => output::text(&args::help_page(&topic, markdown)?),
        _ => bail!("the command uses the configured database"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the database, runs a command on it and closes it.
async fn run_on_database(
    command: Command,
    settings: Settings,
    file_use: FileUse,
) -> anyhow::Result<ExitCode> {
    check_settings(&command, &settings)?;
    prepare(&command, &settings).await?;
    let app = App::open(settings, file_use).await?;
    let rules = match command.uses_play_rules() {
        true => app.play_rules().await.map(|_| ()),
        false => Ok(()),
    };
    let result = match rules {
        Ok(()) => run_on(&app, command).await,
        Err(error) => Err(error),
    };
    app.close().await;
    result
}

/// Migrates a server for `migrate`; opening an SQLite file migrates it. Rejects input files that cannot be
/// read, before a database is created.
async fn prepare(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    match (command, settings.database.database()?) {
        (Command::Migrate, Database::MySql(url)) => connect(
            settings,
            || Store::migrate_mysql(&url),
            StoreError::is_transient,
        )
        .await
        .context("the database of DATABASE_URL"),
        (
            Command::Import {
                imports: None,
                plays,
            },
            _,
        ) => plays.files.iter().try_for_each(|file| check_source(file)),
        (Command::ImportBalances { file }, _) => check_source(file),
        _ => Ok(()),
    }
}

async fn run_on(app: &App, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import {
            imports: None,
            plays,
        } => import::plays(app, &plays).await,
        Command::Import {
            imports: Some(imports),
            ..
        } => import::recorded(app, imports).await,
        Command::ImportBalances { file } => import::balances(app, &file).await,
        Command::Settle(settle) => settle::run(app, settle).await,
        Command::Report { report } => report::run(app, report).await,
        Command::Verify {
            from,
            to,
            limit,
            json,
        } => verify::run(app, Options { from, to, limit }, json).await,
        Command::Jobs { jobs } => jobs::run(app, jobs).await,
        Command::Events {
            events:
                Events::Adopt {
                    identity,
                    shared_server,
                    new,
                },
        } => events::adopt(app, identity, shared_server, new).await,
        Command::Events {
            events: Events::Replay { without_ads, json },
        } => events::replay(app, without_ads, json).await,
        Command::Restore {
            restore: Restore::Complete,
        } => backup::complete_restore(app).await,
        Command::Rates { rates } => money::rates(app, rates).await,
        Command::Rules { rules } => money::rules(app, rules).await,
        Command::Admin { admin } => admin::run(app, admin).await,
        Command::Serve => serve::serve(app).await,
        Command::Api => serve::api(app).await,
        Command::Worker => serve::worker(app).await,
        Command::Workers { here, json } => operations::workers(app, here, json).await,
        Command::Clock { clock } => operations::clock(app, clock).await,
        Command::Migrate => {
            output::line("the schema of the database is up to date");
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(_)
        | Command::Backup { .. }
        | Command::Openapi
        | Command::Completions { .. }
        | Command::Help { .. } => bail!("the command does not use a database"),
    }
}
