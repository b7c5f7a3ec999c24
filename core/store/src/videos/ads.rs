//! Ads: creation and listing.

use crate::{
    Store, StoreResult,
    sql::{
        new_id::{NewId, next_id},
        retry::on_conflict,
        statement::{LIST_CHUNK, params},
    },
    videos::creation_reply::{self, Created, Creation, Earlier},
};
use balance_domain::videos::{AdId, MAX_ADS, Title};
use std::collections::HashSet;

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
        unknown(self, ads).await
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
async fn unknown(store: &Store, ads: &HashSet<AdId>) -> StoreResult<Vec<AdId>> {
    let mut tx = store.db.read().await?;
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
