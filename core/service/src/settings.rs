//! The settings that a database keeps, because its rows depend on them.

use balance_domain::calendar::BusinessTimezone;
use balance_store::{Store, StoreError};

const TIMEZONE: &str = "business_timezone";

/// Why a database cannot be worked with these settings.
#[derive(Debug, thiserror::Error)]
pub enum StoredSettingError {
    /// The zone is another one than that of the first start.
    #[error(
        "BUSINESS_TIMEZONE: '{given}' is not '{stored}', by which the days of this database were \
         made; unset it, or set it to '{stored}'"
    )]
    OtherTimezone {
        /// The zone asked for.
        given: String,
        /// The stored one.
        stored: String,
    },
    /// The stored text makes no sense.
    #[error("a stored setting is damaged: {0}")]
    Damaged(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The zone of a database's business days: stored at first start (`given`, or else `default`); a
/// different one is refused ever after.
///
/// # Errors
/// Where another zone is stored, or the store fails.
pub async fn business_timezone(
    store: &Store,
    given: Option<BusinessTimezone>,
    default: BusinessTimezone,
) -> Result<BusinessTimezone, StoredSettingError> {
    let wanted = given.unwrap_or(default);
    let stored = store
        .setting_or_insert(TIMEZONE, &wanted.to_string())
        .await?;
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

const INTAKE_SHARDS: &str = "intake_shards";

/// Over how many shards the plays of a database are spread: stored at first start.
///
/// # Errors
/// Where the stored text is no number, or the store fails.
pub async fn intake_shards(store: &Store, given: u16) -> Result<u16, StoredSettingError> {
    let stored = store
        .setting_or_insert(INTAKE_SHARDS, &given.to_string())
        .await?;
    parsed_shards(&stored)
}

/// The same, where it is stored already: where plays have ever come by a stream.
///
/// # Errors
/// Where the stored text is no number, or the store fails.
pub async fn stored_intake_shards(store: &Store) -> Result<Option<u16>, StoredSettingError> {
    let stored = store.setting(INTAKE_SHARDS).await?;
    stored.as_deref().map(parsed_shards).transpose()
}

fn parsed_shards(stored: &str) -> Result<u16, StoredSettingError> {
    stored
        .parse()
        .map_err(|_| StoredSettingError::Damaged(format!("'{stored}' is no number of shards")))
}
