//! Ads.

use crate::{
    Store, StoreResult,
    sql::{
        new_id::{NewId, next_id},
        statement::params,
    },
    videos::{
        Ad, Created, Creation,
        creation_reply::{self, Earlier},
    },
};
use balance_domain::videos::{AdId, Title};

pub(crate) async fn create(
    store: &Store,
    creation: &Creation,
    title: &Title,
) -> StoreResult<Created<AdId>> {
    let mut tx = store.db.write().await?;
    let id = next_id(&mut tx, NewId::Ad).await?;
    let request = format!("ad {}", title.as_str());
    match creation_reply::find(&mut tx, creation, &request).await? {
        Earlier::Nothing => {}
        Earlier::Created(id) => return Ok(Created::Is(AdId(id))),
        Earlier::Other => return Ok(Created::KeyReused),
    }
    let now = tx.now();
    tx.execute(
        "INSERT INTO ad (id, title, created_at) VALUES (?, ?, ?)",
        &params![id, title.as_str(), now],
    )
    .await?;
    creation_reply::remember(&mut tx, creation, &request, id).await?;
    tx.commit().await?;
    Ok(Created::Is(AdId(id)))
}

pub(crate) async fn page(store: &Store, after: Option<AdId>, limit: u32) -> StoreResult<Vec<Ad>> {
    let mut tx = store.db.read().await?;
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
