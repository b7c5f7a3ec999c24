//! All settings: environment variables that are also options of every command.
//!
//! The doc comment of a field is its entry in `balance help settings` and `docs/configuration.md`:
//! the meaning, a paragraph `Range: …` and, if clap has no default value, a paragraph `Default: …`.

mod api;
mod database;
mod observability;
mod playback;
mod processing;
mod reference;
mod rules;

pub(crate) use api::ApiSettings;
pub(crate) use database::{DEFAULT_TIMEZONE, Database, DatabaseSettings};
pub(crate) use observability::{LogFormat, ObservabilitySettings};
pub(crate) use playback::PlaybackSettings;
pub(crate) use processing::ProcessingSettings;
pub(crate) use reference::{reference, reference_markdown};

/// The settings as given, before cross-field checks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    pub(crate) database: DatabaseSettings,
    #[command(flatten)]
    pub(crate) api: ApiSettings,
    #[command(flatten)]
    pub(crate) playback: PlaybackSettings,
    #[command(flatten)]
    pub(crate) processing: ProcessingSettings,
    #[command(flatten)]
    pub(crate) observability: ObservabilitySettings,
}
