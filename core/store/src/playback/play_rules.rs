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
    /// The version that the change replaces, if it must be the newest one.
    pub replaces: Option<u32>,
}

impl RulesChange {
    /// Returns the rules after the change.
    #[must_use]
    pub fn applied_to(&self, rules: PlayRules) -> PlayRules {
        PlayRules {
            view_window_s: self.view_window_s.unwrap_or(rules.view_window_s),
            ad_interval_s: self.ad_interval_s.unwrap_or(rules.ad_interval_s),
            playback_rate: self.playback_rate.unwrap_or(rules.playback_rate),
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
        newest(&mut tx).await
    }

    /// Returns the newest version of the rules and the ads; `None` without a version.
    pub async fn active_rules(&self) -> StoreResult<Option<ActiveRules>> {
        let mut tx = self.db.read().await?;
        let Some(current) = newest(&mut tx).await? else {
            return Ok(None);
        };
        let limit = i64::try_from(MAX_ADS).unwrap_or(i64::MAX);
        let rows: Vec<(i64,)> = tx
            .fetch_all("SELECT id FROM ad ORDER BY id LIMIT ?", &params![limit])
            .await?;
        Ok(Some(ActiveRules {
            current,
            ads: rows.into_iter().map(|(id,)| AdId(id)).collect(),
        }))
    }

    /// Stores version 1 if there is no version yet. Returns the newest version.
    pub async fn play_rules_or_insert(&self, first: &PlayRules) -> StoreResult<RulesVersion> {
        if let Some(stored) = self.play_rules().await? {
            return Ok(stored);
        }
        on_conflict(|| async {
            let mut tx = self.db.write().await?;
            insert(&mut tx, 1, first).await?;
            let stored = required(&mut tx).await?;
            tx.commit().await?;
            Ok(stored)
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

async fn set(
    store: &Store,
    change: &RulesChange,
    by: &Actor,
) -> Result<RulesVersion, SetRulesError> {
    let mut tx = store.db.write().await?;
    // The row of the first version never changes. Its lock serializes the changes.
    let lock = tx.for_update();
    let _: Option<(i64,)> = tx
        .fetch_optional(
            AssertSqlSafe(format!(
                "SELECT version FROM play_rules WHERE version = 1{lock}"
            )),
            &[],
        )
        .await?;
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
             set_at) VALUES (?, ?, ?, ?, ?){keep}"
        )),
        &params![
            version,
            rules.view_window_s,
            rules.ad_interval_s,
            rules.playback_rate.0,
            now
        ],
    )
    .await?;
    Ok(())
}

/// Returns the newest version of the rules.
async fn newest(tx: &mut Tx) -> StoreResult<Option<RulesVersion>> {
    let row: Option<(i64, i64, i64, i64, NaiveDateTime)> = tx
        .fetch_optional(
            "SELECT version, view_window_s, ad_interval_s, max_playback_rate, set_at \
             FROM play_rules ORDER BY version DESC LIMIT 1",
            &[],
        )
        .await?;
    let Some((version, view_window_s, ad_interval_s, rate, set_at)) = row else {
        return Ok(None);
    };
    let number = |value: i64| {
        u32::try_from(value).map_err(|_| {
            StoreError::Damaged(format!(
                "the play rules {version} contain the number {value}"
            ))
        })
    };
    Ok(Some(RulesVersion {
        version: number(version)?,
        rules: PlayRules {
            view_window_s: number(view_window_s)?,
            ad_interval_s: number(ad_interval_s)?,
            playback_rate: PlaybackRate(number(rate)?),
        },
        set_at,
    }))
}

/// Returns the newest version of the rules. Fails if there is none.
pub(crate) async fn required(tx: &mut Tx) -> StoreResult<RulesVersion> {
    newest(tx)
        .await?
        .ok_or_else(|| StoreError::Unusable("the database has no rules of plays yet".to_owned()))
}
