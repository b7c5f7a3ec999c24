//! Ads: creation and listing.

use crate::{
    Store, StoreResult,
    operations::{Actor, AuditAction, audit},
    sql::{
        new_id::{NewId, next_id},
        retry::on_conflict,
        statement::{LIST_CHUNK, params},
        tx::Tx,
    },
    videos::creation_reply::{self, Created, Creation, Earlier},
};
use balance_domain::videos::{AdId, MAX_ADS, Title};
use std::collections::HashSet;

/// The ads that an entry of the audit log names: 8 ids of 19 digits fit.
const ADS_PER_RECORD: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ad {
    /// Ads are shown in the order of their ids.
    pub id: AdId,
    pub title: String,
}

impl Store {
    /// Creates an ad, unless [`MAX_ADS`] exist. A repeated request with the same key returns the id of
    /// the first one.
    pub async fn create_ad(
        &self,
        creation: &Creation,
        title: &Title,
    ) -> StoreResult<Created<AdId>> {
        on_conflict(|| create(self, creation, title)).await
    }

    /// Returns those of the ads that are not registered, in the order of their ids.
    pub async fn unknown_ads(&self, ads: &HashSet<AdId>) -> StoreResult<Vec<AdId>> {
        let mut tx = self.db.read().await?;
        unknown(&mut tx, ads).await
    }

    /// Registers those of the ads that a restored database lacks under generated titles, and returns them
    /// in the order of their ids. Each is named in the audit log.
    pub async fn register_shown(&self, ads: &HashSet<AdId>, by: &Actor) -> StoreResult<Vec<AdId>> {
        if self.unknown_ads(ads).await?.is_empty() {
            return Ok(Vec::new());
        }
        on_conflict(|| register(self, ads, by)).await
    }

    /// Returns at most `limit` ads after an id, in the order of their ids.
    pub async fn ads(&self, after: Option<AdId>, limit: u32) -> StoreResult<Vec<Ad>> {
        let mut tx = self.db.read().await?;
        let rows: Vec<(i64, String)> = tx
            .fetch_all(
                "SELECT id, title FROM ad WHERE id > ? ORDER BY id LIMIT ?",
                &params![after.map_or(0, |after| after.0), limit],
            )
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, title)| Ad {
                id: AdId(id),
                title,
            })
            .collect())
    }
}

/// Returns those of the ads that are not registered, in order.
async fn unknown(tx: &mut Tx, ads: &HashSet<AdId>) -> StoreResult<Vec<AdId>> {
    let all: Vec<AdId> = ads.iter().copied().collect();
    let mut unknown = ads.clone();
    for some in all.chunks(LIST_CHUNK) {
        let found: Vec<(i64,)> = tx
            .fetch_in(
                "SELECT id FROM ad WHERE id IN ",
                some.iter().map(|ad| ad.0),
                "",
                &[],
            )
            .await?;
        for (id,) in found {
            unknown.remove(&AdId(id));
        }
    }
    let mut unknown: Vec<AdId> = unknown.into_iter().collect();
    unknown.sort_unstable();
    Ok(unknown)
}

/// Registers the ads that are not registered, and records it.
async fn register(store: &Store, ads: &HashSet<AdId>, by: &Actor) -> StoreResult<Vec<AdId>> {
    let mut tx = store.db.write().await?;
    let lost = unknown(&mut tx, ads).await?;
    let now = tx.now();
    tx.insert_rows(
        "INSERT INTO ad (id, title, created_at) ",
        &lost[..],
        |id| params![id.0, format!("ad-{id}"), now],
        "",
    )
    .await?;
    for some in lost.chunks(ADS_PER_RECORD) {
        let ids: Vec<String> = some.iter().map(ToString::to_string).collect();
        let subject = format!("ads {} registered", ids.join(", "));
        audit::record(&mut tx, by, AuditAction::CompleteRestore, &subject).await?;
    }
    tx.commit().await?;
    Ok(lost)
}

async fn create(store: &Store, creation: &Creation, title: &Title) -> StoreResult<Created<AdId>> {
    let mut tx = store.db.write().await?;
    let id = next_id(&mut tx, NewId::Ad).await?;
    store.ids.check_id(NewId::Ad, id)?;
    let request = format!("ad {}", title.as_str());
    match creation_reply::find(&mut tx, creation, &request).await? {
        Earlier::None => {}
        Earlier::Created(id) => return Ok(Created::Id(AdId(id))),
        Earlier::Different => return Ok(Created::KeyReused),
    }
    let (count,): (i64,) = tx.fetch_one("SELECT COUNT(*) FROM ad", &[]).await?;
    if usize::try_from(count).is_ok_and(|count| count >= MAX_ADS) {
        return Ok(Created::Full);
    }
    let now = tx.now();
    tx.execute(
        "INSERT INTO ad (id, title, created_at) VALUES (?, ?, ?)",
        &params![id, title.as_str(), now],
    )
    .await?;
    creation_reply::store(&mut tx, creation, &request, id).await?;
    tx.commit().await?;
    Ok(Created::Id(AdId(id)))
}
