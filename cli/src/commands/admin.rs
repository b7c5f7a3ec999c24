//! `balance admin`: accounts, from the machine that has the database.

use crate::{
    app::App,
    args::{Admin, GrantedRole, PasswordArgs},
    commands::open_source,
    output,
};
use anyhow::Context;
use balance_domain::accounts::{MAX_PASSWORD, Password, Role};
use balance_service::accounts::Accounts;
use std::{
    io::{IsTerminal, Read},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

pub(super) async fn run(app: &App, admin: Admin) -> anyhow::Result<ExitCode> {
    let accounts = Accounts::new(Arc::clone(&app.store));
    match admin {
        Admin::Create { username, password } => {
            let password = read(&password)?;
            let account = accounts.create(&username, password, Role::Admin).await?;
            output::line(&format!(
                "made {username}, user {}, an admin",
                account.user_id
            ));
        }
        Admin::Grant { username, role } => {
            let role = match role {
                GrantedRole::User => Role::User,
                GrantedRole::Admin => Role::Admin,
            };
            accounts.grant(&username, role).await?;
            output::line(&format!("{username} has the role {} now", role.name()));
        }
        Admin::Password { username, password } => {
            let password = read(&password)?;
            accounts.set_password(&username, password).await?;
            output::line(&format!(
                "{username} has another password, and is logged out everywhere"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A new password: from a file, or typed twice. Never from the command line, which others can see.
fn read(args: &PasswordArgs) -> anyhow::Result<Password> {
    let text = match &args.password_file {
        Some(path) => from_file(path)?,
        None if std::io::stdin().is_terminal() => {
            let text = rpassword::prompt_password("Password: ")?;
            if rpassword::prompt_password("The same again: ")? != text {
                anyhow::bail!("the passwords are not the same");
            }
            text
        }
        None => anyhow::bail!(
            "there is no terminal to ask for the password; use --password-file, - for standard input"
        ),
    };
    Password::new(&text).map_err(|invalid_input| anyhow::anyhow!("the password {invalid_input}"))
}

/// The first line of a file.
fn from_file(path: &Path) -> anyhow::Result<String> {
    let (source, _) = open_source(path)?;
    let limit = u64::try_from(MAX_PASSWORD + 2)?;
    let mut text = String::new();
    source
        .take(limit)
        .read_to_string(&mut text)
        .context("the password's file")?;
    let line = text.lines().next().unwrap_or_default();
    Ok(line.to_owned())
}
