//! The reference of all settings, for `balance help settings` and `docs/configuration.md`. It is
//! generated from the doc comments of the fields.

use crate::settings::Settings;
use clap::{Arg, Args, Command};
use std::fmt::Write;

/// A documented setting. Texts mark code with backticks.
struct Setting {
    variable: String,
    option: String,
    default: String,
    range: String,
    meaning: String,
}

impl Setting {
    fn new(arg: &Arg) -> Self {
        let help = arg.get_long_help().or_else(|| arg.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let paragraph = |label: &str| {
            let text = help.split("\n\n").find_map(|text| text.strip_prefix(label));
            text.map(|text| text.trim_end_matches('.').to_owned())
        };
        let default = arg
            .get_default_values()
            .first()
            .map(|value| plain_default(&value.to_string_lossy()));
        Self {
            variable: arg
                .get_env()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            option: format!("--{}", arg.get_long().unwrap_or_default()),
            default: default
                .or_else(|| paragraph("Default: "))
                .unwrap_or_else(|| "none".to_owned()),
            range: paragraph("Range: ").unwrap_or_default(),
            meaning: paragraph("").unwrap_or_default(),
        }
    }
}

/// Marks a default value as code, unless it is a number.
fn plain_default(value: &str) -> String {
    if value.parse::<f64>().is_ok() {
        value.to_owned()
    } else {
        format!("`{value}`")
    }
}

fn settings() -> Vec<Setting> {
    let command = Settings::augment_args(Command::new("settings"));
    command.get_arguments().map(Setting::new).collect()
}

/// Returns all settings as text for a terminal.
pub(crate) fn reference() -> String {
    let mut text = "Settings are environment variables and options of every command. If both are \
                    given, the option takes precedence.\n"
        .to_owned();
    for setting in settings() {
        let _ = write!(
            text,
            "\n{}, {}\n    {}\n    default: {}\n    range: {}\n",
            setting.variable, setting.option, setting.meaning, setting.default, setting.range
        );
    }
    text.replace('`', "")
}

/// Returns all settings as a Markdown table.
pub(crate) fn reference_markdown() -> String {
    let mut text =
        "| variable | option | default | range | meaning |\n|---|---|---|---|---|\n".to_owned();
    for setting in settings() {
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {} | {} | {} |",
            setting.variable, setting.option, setting.default, setting.range, setting.meaning
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    /// Returns whether one setting may have a value.
    fn accepts(setting: &Setting, value: u64) -> bool {
        let command = Settings::augment_args(Command::new("balance"));
        let args = ["balance".to_owned(), format!("{}={value}", setting.option)];
        command
            .mut_args(|arg| arg.env(None))
            .try_get_matches_from(args)
            .and_then(|matches| Settings::from_arg_matches(&matches))
            .is_ok_and(|settings| settings.processing.worker().is_ok())
    }

    fn number(text: &str) -> Option<u64> {
        text.replace(',', "").parse().ok()
    }

    #[test]
    fn every_setting_is_documented() {
        let settings = settings();
        assert!(settings.len() > 30, "{} settings", settings.len());
        for setting in settings {
            for text in [&setting.variable, &setting.range, &setting.meaning] {
                assert!(!text.is_empty(), "{}", setting.option);
                assert!(!text.contains(['|', '\n']), "{}", setting.option);
            }
        }
    }

    #[test]
    fn documented_ranges_are_the_accepted_ones() {
        let mut checked = 0;
        for setting in settings() {
            let range = setting.range.split(", at most").next().unwrap_or_default();
            let (least, most) = match range.split_once(" to ") {
                Some((least, most)) => (number(least), number(most)),
                None => (range.strip_suffix(" or more").and_then(number), None),
            };
            let Some(least) = least else {
                continue;
            };
            checked += 1;
            assert!(accepts(&setting, least), "{} = {least}", setting.variable);
            if least > 0 {
                let value = least - 1;
                assert!(!accepts(&setting, value), "{} = {value}", setting.variable);
            }
            if let Some(most) = most {
                let value = most + 1;
                assert!(accepts(&setting, most), "{} = {most}", setting.variable);
                assert!(!accepts(&setting, value), "{} = {value}", setting.variable);
            }
        }
        assert!(checked > 20, "only {checked} ranges");
    }
}
