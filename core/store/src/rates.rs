//! Rate versions.

use crate::{
    Store, StoreError, StoreResult,
    operations::{Actor, AuditAction, audit},
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
};
use balance_domain::rates::{RateKind, RateVersion, Tier};
use chrono::NaiveDate;

/// Why a rate version was rejected.
#[derive(Debug, thiserror::Error)]
pub enum SetRatesError {
    /// The version would change the revenue of a closed day.
    #[error("effectiveFrom: {effective_from} is not after {closed_through}, the last closed day")]
    ClosedDay {
        effective_from: NaiveDate,
        closed_through: NaiveDate,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Returns all versions, oldest first.
    pub async fn rate_versions(&self) -> StoreResult<Vec<RateVersion>> {
        let mut tx = self.db.read().await?;
        let days: Vec<(NaiveDate,)> = tx
            .fetch_all(
                "SELECT DISTINCT effective_from FROM revenue_rate ORDER BY effective_from",
                &[],
            )
            .await?;
        let mut versions = Vec::with_capacity(days.len());
        for (day,) in days {
            versions.push(version(&mut tx, day).await?);
        }
        Ok(versions)
    }

    /// Returns the version in effect on a day: the newest that begins on or before it.
    pub async fn rates_on(&self, date: NaiveDate) -> StoreResult<Option<RateVersion>> {
        let mut tx = self.db.read().await?;
        let (day,): (Option<NaiveDate>,) = tx
            .fetch_one(
                "SELECT MAX(effective_from) FROM revenue_rate WHERE effective_from <= ?",
                &params![date],
            )
            .await?;
        match day {
            Some(day) => Ok(Some(version(&mut tx, day).await?)),
            None => Ok(None),
        }
    }

    /// Stores a version. Replaces a version that begins on the same day.
    ///
    /// # Errors
    /// If the version begins on or before the last closed day, or the store fails.
    pub async fn set_rates(&self, version: &RateVersion, by: &Actor) -> Result<(), SetRatesError> {
        self.ids.check()?;
        let mut tx = self.db.write().await?;
        let effective_from = version.effective_from;
        let lock = tx.for_share();
        if let Some(closed_through) = closed_through(&mut tx, lock).await?
            && effective_from <= closed_through
        {
            return Err(SetRatesError::ClosedDay {
                effective_from,
                closed_through,
            });
        }
        tx.execute(
            "DELETE FROM revenue_rate WHERE effective_from = ?",
            &params![effective_from],
        )
        .await?;
        insert_version(&mut tx, version).await?;
        let subject = format!("rates from {effective_from}");
        audit::record(&mut tx, by, AuditAction::SetRates, &subject).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn insert_version(tx: &mut Tx, version: &RateVersion) -> StoreResult<()> {
    let tiers: Vec<(RateKind, Tier)> = version.tiers().collect();
    tx.insert_rows(
        "INSERT INTO revenue_rate (effective_from, kind, from_count, to_count, rate_micro_won) ",
        &tiers[..],
        |tier| {
            let (kind, tier) = tier;
            params![
                version.effective_from,
                kind.name(),
                tier.from_count,
                tier.to_count,
                tier.micro_won
            ]
        },
        "",
    )
    .await?;
    Ok(())
}

async fn version(tx: &mut Tx, effective_from: NaiveDate) -> StoreResult<RateVersion> {
    let rows: Vec<(String, i64, Option<i64>, i64)> = tx
        .fetch_all(
            "SELECT kind, from_count, to_count, rate_micro_won FROM revenue_rate \
         WHERE effective_from = ? ORDER BY kind, from_count",
            &params![effective_from],
        )
        .await?;
    let damaged = |error| StoreError::Damaged(format!("the rates from {effective_from}: {error}"));
    let mut tiers = Vec::with_capacity(rows.len());
    for (kind, from_count, to_count, micro_won) in rows {
        let kind: RateKind = kind.parse().map_err(damaged)?;
        let tier = Tier {
            from_count,
            to_count,
            micro_won,
        };
        tiers.push((kind, tier));
    }
    RateVersion::new(effective_from, tiers).map_err(damaged)
}
