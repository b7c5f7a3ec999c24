//! `balance admin`.

use crate::{
    args::{Admin, GrantedRole, PasswordArgs},
    commands::source::open_source,
    output,
    wiring::App,
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
            app.check_ids_of_command().await?;
            let password = read_password(&password)?;
            let account = accounts.create(&username, password, Role::Admin).await?;
            output::line(&format!(
                "created {username}, user {}, role admin",
                account.user_id
            ));
        }
        Admin::Grant { username, role } => {
            let role = match role {
                GrantedRole::User => Role::User,
                GrantedRole::Admin => Role::Admin,
            };
            accounts.grant(&username, role).await?;
            output::line(&format!("{username} now has the role {}", role.name()));
        }
        Admin::Password { username, password } => {
            let password = read_password(&password)?;
            accounts.set_password(&username, password).await?;
            output::line(&format!(
                "changed the password of {username}; all sessions have ended"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a new password from a file, or twice from the terminal. Command-line arguments are visible
/// to other users, so none is accepted there.
fn read_password(args: &PasswordArgs) -> anyhow::Result<Password> {
    let text = match &args.password_file {
        Some(path) => first_line(path)?,
        None if std::io::stdin().is_terminal() => {
            let text = rpassword::prompt_password("Password: ")?;
            if rpassword::prompt_password("Repeat the password: ")? != text {
                anyhow::bail!("the passwords differ");
            }
            text
        }
        None => anyhow::bail!(
            "cannot prompt for the password: standard input is not a terminal; use --password-file, - \
             for standard input"
        ),
    };
    Password::new(&text).map_err(|invalid_input| anyhow::anyhow!("the password {invalid_input}"))
}

/// Returns the first line of a file.
fn first_line(path: &Path) -> anyhow::Result<String> {
    let (source, _) = open_source(path)?;
    let limit = u64::try_from(MAX_PASSWORD + 2)?;
    let mut text = String::new();
    source
        .take(limit)
        .read_to_string(&mut text)
        .context("the password file")?;
    let line = text.lines().next().unwrap_or_default();
    Ok(line.to_owned())
}
