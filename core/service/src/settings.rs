//! Settings that are stored in the database, because its rows depend on them.

use balance_domain::{calendar::BusinessTimezone, playback::PlayRules};
use balance_store::{
    Store, StoreError,
    playback::{RulesChange, RulesVersion},
    settings::INTAKE_SHARDS,
};

const TIMEZONE: &str = "business_timezone";

/// The reason why the settings do not fit the database.
#[derive(Debug, thiserror::Error)]
pub enum StoredSettingError {
    /// The time zone differs from the stored one.
    #[error(
        "BUSINESS_TIMEZONE: '{given}' differs from '{stored}', the zone of the days in this \
         database; unset it, or set it to '{stored}'"
    )]
    OtherTimezone { given: String, stored: String },
    /// A rule of plays differs from the stored one.
    #[error(
        "{name}: {given} differs from {stored}, the stored rule of plays (version {version}); unset \
         it, or change the rule with `balance rules set {option} {given}`"
    )]
    OtherRule {
        /// The setting.
        name: &'static str,
        /// The option of `balance rules set`.
        option: &'static str,
        given: String,
        stored: String,
        version: u32,
    },
    /// The stored text cannot be parsed.
    #[error("failed to parse a stored setting: {0}")]
    Damaged(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the time zone of a database's business days. The first start stores `given`, or else
/// `default`; later starts reject a different zone.
///
/// # Errors
/// If another zone is stored, the stored text is damaged, or the store fails.
pub async fn business_timezone(
    store: &Store,
    given: Option<BusinessTimezone>,
    default: BusinessTimezone,
) -> Result<BusinessTimezone, StoredSettingError> {
    let wanted = given.unwrap_or(default);
    let stored = store
        .setting_or_insert(TIMEZONE, &wanted.to_string())
        .await?;
    checked_timezone(stored, given)
}

/// Returns the time zone of a database's business days, and stores nothing. In a database that no
/// process has opened to write, it is `given`, or else `default`.
///
/// # Errors
/// If another zone is stored, the stored text is damaged, or the store fails.
pub async fn stored_timezone(
    store: &Store,
    given: Option<BusinessTimezone>,
    default: BusinessTimezone,
) -> Result<BusinessTimezone, StoredSettingError> {
    match store.setting(TIMEZONE).await? {
        Some(stored) => checked_timezone(stored, given),
        None => Ok(given.unwrap_or(default)),
    }
}

fn checked_timezone(
    stored: String,
    given: Option<BusinessTimezone>,
) -> Result<BusinessTimezone, StoredSettingError> {
    let zone = stored
        .parse::<BusinessTimezone>()
        .map_err(|error| StoredSettingError::Damaged(error.to_string()))?;
    match given {
        Some(given) if given != zone => Err(StoredSettingError::OtherTimezone {
            given: given.to_string(),
            stored,
        }),
        _ => Ok(zone),
    }
}

/// Returns the rules of plays of a database. The first process that uses them stores `given`, and the
/// defaults for the rules that it does not contain; later ones reject different rules.
///
/// # Errors
/// If a given rule differs from the stored one, or the store fails.
pub async fn play_rules(
    store: &Store,
    given: &RulesChange,
) -> Result<RulesVersion, StoredSettingError> {
    let stored = store.play_rules_or_insert(given).await?;
    match rule_differences(given, &stored.rules).into_iter().next() {
        None => Ok(stored),
        Some(RuleDifference {
            name,
            option,
            given,
            stored: of_database,
        }) => Err(StoredSettingError::OtherRule {
            name,
            option,
            given,
            stored: of_database,
            version: stored.version,
        }),
    }
}

/// A rule of plays that differs from another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDifference {
    /// The setting.
    pub name: &'static str,
    /// The option of `balance rules set`.
    pub option: &'static str,
    pub given: String,
    pub stored: String,
}

/// Returns the given rules that differ from others.
#[must_use]
pub fn rule_differences(given: &RulesChange, rules: &PlayRules) -> Vec<RuleDifference> {
    let rate = (
        "MAX_PLAYBACK_RATE",
        "--max-playback-rate",
        given.playback_rate.map(|rate| rate.to_string()),
        rules.playback_rate.to_string(),
    );
    let numbers = [
        (
            "VIEW_WINDOW_S",
            "--view-window-s",
            given.view_window_s,
            rules.view_window_s,
        ),
        (
            "AD_INTERVAL_S",
            "--ad-interval-s",
            given.ad_interval_s,
            rules.ad_interval_s,
        ),
        (
            "CREDIT_BURST_S",
            "--credit-burst-s",
            given.credit_burst_s,
            rules.credit_burst_s,
        ),
        (
            "MAX_UNCONFIRMED_S",
            "--max-unconfirmed-s",
            given.max_unconfirmed_s,
            rules.max_unconfirmed_s,
        ),
        (
            "MIN_WATCH_S",
            "--min-watch-s",
            given.min_watch_s,
            rules.min_watch_s,
        ),
        (
            "VIEWS_PER_MINUTE",
            "--views-per-minute",
            given.views_per_minute,
            rules.views_per_minute,
        ),
        (
            "VIEW_BURST",
            "--view-burst",
            given.view_burst,
            rules.view_burst,
        ),
        (
            "VIDEOS_PER_HOUR",
            "--videos-per-hour",
            given.videos_per_hour,
            rules.videos_per_hour,
        ),
        (
            "VIDEO_BURST",
            "--video-burst",
            given.video_burst,
            rules.video_burst,
        ),
    ];
    let numbers = numbers.map(|(name, option, given, stored)| {
        let given = given.map(|given| given.to_string());
        (name, option, given, stored.to_string())
    });
    let all = numbers.into_iter().chain([rate]);
    let differing = all.filter_map(|(name, option, given, stored)| {
        let given = given.filter(|given| *given != stored)?;
        Some(RuleDifference {
            name,
            option,
            given,
            stored,
        })
    });
    differing.collect()
}

/// Returns the number of shards of a database's plays. The first start stores `given`.
///
/// # Errors
/// If the stored text is not a number, or the store fails.
pub async fn intake_shards(store: &Store, given: u16) -> Result<u16, StoredSettingError> {
    let stored = store
        .setting_or_insert(INTAKE_SHARDS, &given.to_string())
        .await?;
    parsed_shards(&stored)
}

/// Returns the stored number of shards, or `None` if the database never got plays from a stream.
///
/// # Errors
/// If the stored text is not a number, or the store fails.
pub async fn stored_intake_shards(store: &Store) -> Result<Option<u16>, StoredSettingError> {
    let stored = store.setting(INTAKE_SHARDS).await?;
    stored.as_deref().map(parsed_shards).transpose()
}

fn parsed_shards(stored: &str) -> Result<u16, StoredSettingError> {
    stored
        .parse()
        .map_err(|_| StoredSettingError::Damaged(format!("'{stored}' is not a number of shards")))
}
