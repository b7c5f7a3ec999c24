//! The stored rules of plays: versions that are never changed.

use crate::{
    Store, StoreError, StoreResult,
    operations::{Actor, AuditAction, audit},
    sql::{retry::on_conflict, statement::params, tx::Tx},
};
use balance_domain::{
    playback::{PlayRules, PlaybackRate},
    videos::{AdId, MAX_ADS},
};
use chrono::NaiveDateTime;
use sqlx::AssertSqlSafe;

/// A version of the rules of plays. The newest version applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulesVersion {
    /// 1 and up, without gaps.
    pub version: u32,
    pub rules: PlayRules,
    /// The time of storage, in UTC.
    pub set_at: NaiveDateTime,
}

/// What an intake outside of the database decides by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveRules {
    /// The newest version.
    pub current: RulesVersion,
    /// The first [`MAX_ADS`] ads, in the order in which they are shown.
    pub ads: Vec<AdId>,
}

/// A change of the rules. Rules that are `None` stay unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RulesChange {
    pub view_window_s: Option<u32>,
    pub ad_interval_s: Option<u32>,
    pub playback_rate: Option<PlaybackRate>,
    pub credit_burst_s: Option<u32>,
    pub max_unconfirmed_s: Option<u32>,
    pub views_per_minute: Option<u32>,
    pub view_burst: Option<u32>,
    pub videos_per_hour: Option<u32>,
    pub video_burst: Option<u32>,
    /// The version that the change replaces, if it must be the newest one.
    pub replaces: Option<u32>,
}

/// All rules, whichever version is the newest one.
impl From<PlayRules> for RulesChange {
    fn from(rules: PlayRules) -> Self {
        Self {
            view_window_s: Some(rules.view_window_s),
            ad_interval_s: Some(rules.ad_interval_s),
            playback_rate: Some(rules.playback_rate),
            credit_burst_s: Some(rules.credit_burst_s),
            max_unconfirmed_s: Some(rules.max_unconfirmed_s),
            views_per_minute: Some(rules.views_per_minute),
            view_burst: Some(rules.view_burst),
            videos_per_hour: Some(rules.videos_per_hour),
            video_burst: Some(rules.video_burst),
            replaces: None,
        }
    }
}

impl RulesChange {
    /// Returns the rules after the change.
    #[must_use]
    pub fn applied_to(&self, rules: PlayRules) -> PlayRules {
        PlayRules {
            view_window_s: self.view_window_s.unwrap_or(rules.view_window_s),
            ad_interval_s: self.ad_interval_s.unwrap_or(rules.ad_interval_s),
            playback_rate: self.playback_rate.unwrap_or(rules.playback_rate),
            credit_burst_s: self.credit_burst_s.unwrap_or(rules.credit_burst_s),
            max_unconfirmed_s: self.max_unconfirmed_s.unwrap_or(rules.max_unconfirmed_s),
            views_per_minute: self.views_per_minute.unwrap_or(rules.views_per_minute),
            view_burst: self.view_burst.unwrap_or(rules.view_burst),
            videos_per_hour: self.videos_per_hour.unwrap_or(rules.videos_per_hour),
            video_burst: self.video_burst.unwrap_or(rules.video_burst),
        }
    }
}

/// Why a change of the rules was rejected.
#[derive(Debug, thiserror::Error)]
pub enum SetRulesError {
    /// Another change came first.
    #[error("version {given} is not the newest one, which is {newest}")]
    Outdated { given: u32, newest: u32 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl crate::sql::retry::Conflict for SetRulesError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}

impl Store {
    /// Returns the newest version of the rules; `None` if no process that uses them has started yet.
    pub async fn play_rules(&self) -> StoreResult<Option<RulesVersion>> {
        let mut tx = self.db.read().await?;
        Ok(newest(&mut tx).await?.map(|stored| stored.version))
    }

    /// Returns the newest version of the rules and the ads; `None` without a version.
    pub async fn active_rules(&self) -> StoreResult<Option<ActiveRules>> {
        let mut tx = self.db.read().await?;
        let Some(Stored { version, .. }) = newest(&mut tx).await? else {
            return Ok(None);
        };
        let current = version;
        let limit = i64::try_from(MAX_ADS).unwrap_or(i64::MAX);
        let rows: Vec<(i64,)> = tx
            .fetch_all("SELECT id FROM ad ORDER BY id LIMIT ?", &params![limit])
            .await?;
        Ok(Some(ActiveRules {
            current,
            ads: rows.into_iter().map(|(id,)| AdId(id)).collect(),
        }))
    }

    /// Stores version 1 if there is no version yet: the defaults with the rules that `given` contains. If
    /// the newest version lacks rules that this program has, stores a version that has them too. Returns
    /// the newest version.
    pub async fn play_rules_or_insert(&self, given: &RulesChange) -> StoreResult<RulesVersion> {
        on_conflict(|| async {
            let mut tx = self.db.read().await?;
            let stored = newest(&mut tx).await?;
            drop(tx);
            match stored {
                Some(stored) if stored.is_complete => Ok(stored.version),
                Some(stored) => complete(self, stored.version, given).await,
                None => {
                    let mut tx = self.db.write().await?;
                    insert(&mut tx, 1, &given.applied_to(PlayRules::DEFAULT)).await?;
                    let stored = required(&mut tx).await?;
                    tx.commit().await?;
                    Ok(stored)
                }
            }
        })
        .await
    }

    /// Stores a changed version of the rules, and returns the newest version. A change that changes
    /// nothing stores no version.
    ///
    /// # Errors
    /// If there is no version yet, the change replaces another version than the newest one, or the store
    /// fails.
    pub async fn set_play_rules(
        &self,
        change: &RulesChange,
        by: &Actor,
    ) -> Result<RulesVersion, SetRulesError> {
        on_conflict(|| set(self, change, by)).await
    }
}

/// Stores the rules of a version with those that it lacks, if it is still the newest one.
async fn complete(
    store: &Store,
    lacking: RulesVersion,
    given: &RulesChange,
) -> StoreResult<RulesVersion> {
    let mut tx = store.db.write().await?;
    lock(&mut tx).await?;
    if required(&mut tx).await?.version == lacking.version {
        let new = RulesChange {
            view_window_s: None,
            ad_interval_s: None,
            playback_rate: None,
            ..*given
        };
        let version = lacking.version.saturating_add(1);
        insert(&mut tx, version, &new.applied_to(lacking.rules)).await?;
    }
    let stored = required(&mut tx).await?;
    tx.commit().await?;
    Ok(stored)
}

/// Locks the rules, so that changes come one after the other. The row of the first version never changes.
async fn lock(tx: &mut Tx) -> StoreResult<()> {
    let lock = tx.for_update();
    let _: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!(
                "SELECT version FROM play_rules WHERE version = 1{lock}"
            )),
            &[],
        )
        .await?;
    Ok(())
}

async fn set(
    store: &Store,
    change: &RulesChange,
    by: &Actor,
) -> Result<RulesVersion, SetRulesError> {
    let mut tx = store.db.write().await?;
    lock(&mut tx).await?;
    let newest = required(&mut tx).await?;
    if let Some(given) = change.replaces
        && given != newest.version
    {
        return Err(SetRulesError::Outdated {
            given,
            newest: newest.version,
        });
    }
    let rules = change.applied_to(newest.rules);
    if rules == newest.rules {
        return Ok(newest);
    }
    let version = newest.version.saturating_add(1);
    insert(&mut tx, version, &rules).await?;
    let subject = format!("play rules {version}: {rules}");
    audit::record(&mut tx, by, AuditAction::SetPlayRules, &subject).await?;
    let stored = required(&mut tx).await?;
    tx.commit().await?;
    Ok(stored)
}

async fn insert(tx: &mut Tx, version: u32, rules: &PlayRules) -> StoreResult<()> {
    let now = tx.now();
    let keep = tx.on_conflict_keep("version");
    tx.execute(
        AssertSqlSafe(format!(
            "INSERT INTO play_rules (version, view_window_s, ad_interval_s, max_playback_rate, \
             credit_burst_s, max_unconfirmed_s, views_per_minute, view_burst, videos_per_hour, \
             video_burst, set_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?){keep}"
        )),
        &params![
            version,
            rules.view_window_s,
            rules.ad_interval_s,
            rules.playback_rate.0,
            rules.credit_burst_s,
            rules.max_unconfirmed_s,
            rules.views_per_minute,
            rules.view_burst,
            rules.videos_per_hour,
            rules.video_burst,
            now
        ],
    )
    .await?;
    Ok(())
}

/// A stored version of the rules.
struct Stored {
    /// Rules that the version lacks have their defaults.
    version: RulesVersion,
    /// Whether the version has all rules of this program.
    is_complete: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    version: i64,
    view_window_s: i64,
    ad_interval_s: i64,
    max_playback_rate: i64,
    credit_burst_s: Option<i64>,
    max_unconfirmed_s: Option<i64>,
    views_per_minute: Option<i64>,
    view_burst: Option<i64>,
    videos_per_hour: Option<i64>,
    video_burst: Option<i64>,
    set_at: NaiveDateTime,
}

impl Row {
    fn stored(self) -> StoreResult<Stored> {
        const DEFAULT: PlayRules = PlayRules::DEFAULT;
        let version = self.version;
        let number = |value: i64| {
            u32::try_from(value).map_err(|_| {
                StoreError::Damaged(format!(
                    "the play rules {version} contain the number {value}"
                ))
            })
        };
        let or = |value: Option<i64>, default: u32| value.map_or(Ok(default), number);
        let rules = PlayRules {
            view_window_s: number(self.view_window_s)?,
            ad_interval_s: number(self.ad_interval_s)?,
            playback_rate: PlaybackRate(number(self.max_playback_rate)?),
            credit_burst_s: or(self.credit_burst_s, DEFAULT.credit_burst_s)?,
            max_unconfirmed_s: or(self.max_unconfirmed_s, DEFAULT.max_unconfirmed_s)?,
            views_per_minute: or(self.views_per_minute, DEFAULT.views_per_minute)?,
            view_burst: or(self.view_burst, DEFAULT.view_burst)?,
            videos_per_hour: or(self.videos_per_hour, DEFAULT.videos_per_hour)?,
            video_burst: or(self.video_burst, DEFAULT.video_burst)?,
        };
        Ok(Stored {
            version: RulesVersion {
                version: number(version)?,
                rules,
                set_at: self.set_at,
            },
            // A version has all limits, or none of them.
            is_complete: self.credit_burst_s.is_some(),
        })
    }
}

/// Returns the newest version of the rules.
async fn newest(tx: &mut Tx) -> StoreResult<Option<Stored>> {
    let row: Option<Row> = tx
        .fetch_optional(
            "SELECT version, view_window_s, ad_interval_s, max_playback_rate, credit_burst_s, \
             max_unconfirmed_s, views_per_minute, view_burst, videos_per_hour, video_burst, set_at \
             FROM play_rules ORDER BY version DESC LIMIT 1",
            &[],
        )
        .await?;
    row.map(Row::stored).transpose()
}

/// Returns the newest version of the rules. Fails if there is none.
pub(crate) async fn required(tx: &mut Tx) -> StoreResult<RulesVersion> {
    let stored = newest(tx).await?.map(|stored| stored.version);
    stored.ok_or_else(|| StoreError::Unusable("the database has no rules of plays yet".to_owned()))
}
