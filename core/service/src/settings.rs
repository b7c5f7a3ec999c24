//! Settings that are stored in the database, because its rows depend on them.

use balance_domain::calendar::BusinessTimezone;
use balance_store::{Store, StoreError, settings::INTAKE_SHARDS};

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
