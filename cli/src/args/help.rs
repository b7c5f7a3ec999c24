//! Parsing of the command line, help pages and completion scripts.

use crate::{
    args::{Args, Command, Completions, Rules},
    settings,
};
use anyhow::bail;
use clap::{CommandFactory, FromArgMatches, error::ErrorKind};
use clap_complete::Shell;

/// The line that replaces the settings in the help of a command.
const SETTINGS: &str =
    "Settings (environment variables and options of every command): `balance help settings`";

/// Returns the command line's definition. Settings are accepted by every command; its help lists
/// its own options only.
fn command() -> clap::Command {
    with_settings_line(Args::command().mut_args(|arg| arg.global(true).hide(true)))
}

fn with_settings_line(command: clap::Command) -> clap::Command {
    command
        .mut_subcommands(with_settings_line)
        .after_help(SETTINGS)
}

/// Parses the arguments of the process. Prints the cause and exits if they are invalid.
pub(crate) fn parse() -> Args {
    // An invalid environment variable must not fail a command that reads no settings.
    let without_environment = command().mut_args(|arg| arg.env(None)).try_get_matches();
    let parsed = without_environment.and_then(|matches| Args::from_arg_matches(&matches));
    let parsed = match parsed {
        Ok(args) if !args.command.uses_settings() => return args,
        parsed => parsed.ok(),
    };
    let matches = command().get_matches();
    let mut args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if args.command.has_stray_options() {
        let reason = "`import list` and `import undo` have no options of an import";
        command().error(ErrorKind::ArgumentConflict, reason).exit();
    }
    if let Some(parsed) = parsed
        && let Command::Rules {
            rules: Rules::Set(new),
        } = parsed.command
    {
        // The options of `rules set` have the names of settings. They are not settings here, and the
        // environment changes no rule.
        args.command = parsed.command;
        args.settings.playback.rules.forget(&new.change());
    }
    args
}

/// Returns the help page of a command, given by its words, or of the settings.
pub(crate) fn help_page(topic: &[String], markdown: bool) -> anyhow::Result<String> {
    if let [topic] = topic
        && topic == "settings"
    {
        return Ok(if markdown {
            settings::reference_markdown()
        } else {
            settings::reference()
        });
    }
    if markdown {
        bail!("--markdown requires the topic `settings`");
    }
    let words = topic.iter().map(String::as_str);
    let args = ["balance"].into_iter().chain(words).chain(["--help"]);
    match command().try_get_matches_from(args) {
        Err(page) if page.kind() == ErrorKind::DisplayHelp => Ok(page.render().to_string()),
        _ => bail!(
            "no help for `{}`; `balance help` lists the commands",
            topic.join(" ")
        ),
    }
}

/// Returns the completion script for a shell.
pub(crate) fn completion_script(shell: Completions) -> String {
    let shell = match shell {
        Completions::Bash => Shell::Bash,
        Completions::Zsh => Shell::Zsh,
        Completions::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    let mut command = Args::command().mut_args(|arg| arg.global(true));
    clap_complete::generate(shell, &mut command, "balance", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
