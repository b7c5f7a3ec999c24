//! Versions of the rates.

use super::{
    SqlStore, audit,
    db::{Tx, execute, fetch_all, fetch_one, insert_rows},
    settlement::closed_through,
};
use crate::{
    domain::rate::{RateKind, RateVersion, Tier},
    port::{
        audit::{Action, Actor},
        error::{StoreError, StoreResult},
        rates::{RateRefusal, RateStore},
    },
};
use async_trait::async_trait;
use chrono::NaiveDate;

#[async_trait]
impl RateStore for SqlStore {
    async fn rate_versions(&self) -> StoreResult<Vec<RateVersion>> {
        let mut tx = self.db.read().await?;
        let days: Vec<(NaiveDate,)> = fetch_all!(
            &mut tx,
            "SELECT DISTINCT effective_from FROM revenue_rate ORDER BY effective_from"
        )?;
        let mut versions = Vec::with_capacity(days.len());
        for (day,) in days {
            versions.push(version(&mut tx, day).await?);
        }
        Ok(versions)
    }

    async fn rates_on(&self, date: NaiveDate) -> StoreResult<Option<RateVersion>> {
        let mut tx = self.db.read().await?;
        let (day,): (Option<NaiveDate>,) = fetch_one!(
            &mut tx,
            "SELECT MAX(effective_from) FROM revenue_rate WHERE effective_from <= ?",
            date
        )?;
        match day {
            Some(day) => Ok(Some(version(&mut tx, day).await?)),
            None => Ok(None),
        }
    }

    async fn set_rates(&self, version: &RateVersion, by: &Actor) -> Result<(), RateRefusal> {
        let mut tx = self.db.write().await?;
        let effective_from = version.effective_from;
        let lock = tx.for_share();
        if let Some(closed_through) = closed_through(&mut tx, lock).await?
            && effective_from <= closed_through
        {
            return Err(RateRefusal::ClosedBeginning {
                effective_from,
                closed_through,
            });
        }
        execute!(
            &mut tx,
            "DELETE FROM revenue_rate WHERE effective_from = ?",
            effective_from
        )?;
        insert_version(&mut tx, version).await?;
        let subject = format!("rates from {effective_from}");
        audit::record(&mut tx, by, Action::SetRates, &subject).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn insert_version(tx: &mut Tx, version: &RateVersion) -> StoreResult<()> {
    let tiers: Vec<(RateKind, Tier)> = version.tiers().collect();
    insert_rows!(
        tx,
        "INSERT INTO revenue_rate (effective_from, kind, from_count, to_count, rate_micro_won) ",
        tiers,
        |row, tier| {
            let (kind, tier) = tier;
            row.push_bind(version.effective_from)
                .push_bind(kind.name())
                .push_bind(tier.from_count)
                .push_bind(tier.to_count)
                .push_bind(tier.micro_won);
        },
        ""
    );
    Ok(())
}

async fn version(tx: &mut Tx, effective_from: NaiveDate) -> StoreResult<RateVersion> {
    let rows: Vec<(String, i64, Option<i64>, i64)> = fetch_all!(
        tx,
        "SELECT kind, from_count, to_count, rate_micro_won FROM revenue_rate \
         WHERE effective_from = ? ORDER BY kind, from_count",
        effective_from
    )?;
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
