//! Removing the rows of an import: page by page, so that no other writer waits for long.

use crate::{
    Store, StoreResult,
    import::{
        ImportId, ImportStatus, PlayImport,
        gap::Gap,
        record,
        registration::{remove_found, unplayed},
        unfinished::set_status,
    },
    settlement::days::next_active_day,
    sql::{
        retry::on_conflict,
        statement::{LIST_CHUNK, Query, params},
        tx::Tx,
    },
};
use chrono::NaiveDate;
use std::collections::HashSet;

/// The plays that one transaction removes.
const PAGE: u32 = 1_000;
/// The users or videos that one transaction removes. For longer lists, MySQL reads the whole table.
const CATALOG_PAGE: u32 = 128;
/// The plays whose ad views one statement removes.
const PLAYS_PER_DELETE: usize = 128;

/// What a call removed. A repeated call after an interruption counts only its own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Undone {
    pub plays: u64,
    pub ad_views: u64,
    pub ads: u64,
}

impl Store {
    /// Removes what a failed import wrote. The caller has marked it as failed.
    pub(crate) async fn remove_failed_import(&self, id: ImportId) -> StoreResult<()> {
        let mut tx = self.db.read().await?;
        let import = record::find(&mut tx, id).await?;
        tx.rollback().await?;
        match import {
            Some(import) => remove(self, &import).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

/// Removes the rows of an import that is being undone. A call can be repeated, also by several processes
/// at once.
pub(super) async fn remove(store: &Store, import: &PlayImport) -> StoreResult<Undone> {
    let mut removal = Removal {
        store,
        id: import.id,
        is_failed: import.ended_at.is_none(),
        undone: Undone::default(),
        gap: Gap::default(),
    };
    if let Some(first) = import.first_date {
        let mut day = first.pred_opt();
        while let Some(date) = removal.next_active(day).await?
            && (removal.is_failed || import.last_date.is_some_and(|last| date <= last))
        {
            removal.remove_day(date).await?;
            day = Some(date);
        }
    }
    if removal.is_failed {
        removal.remove_catalog().await?;
    }
    removal.undone.ads = on_conflict(|| end(&removal)).await?;
    Ok(removal.undone)
}

struct Removal<'a> {
    store: &'a Store,
    id: ImportId,
    /// Whether the import never completed. Then its users and videos are removed too.
    is_failed: bool,
    undone: Undone,
    gap: Gap,
}

impl Removal<'_> {
    async fn next_active(&self, after: Option<NaiveDate>) -> StoreResult<Option<NaiveDate>> {
        let mut tx = self.store.db.read().await?;
        next_active_day(&mut tx, after).await
    }

    async fn remove_day(&mut self, date: NaiveDate) -> StoreResult<()> {
        let mut after = Some(Vec::new());
        while let Some(last) = after {
            self.gap.wait(&self.store.db).await;
            let removed = on_conflict(|| remove_page(self, date, &last)).await?;
            self.undone.plays += removed.plays;
            self.undone.ad_views += removed.ad_views;
            after = removed.last;
        }
        Ok(())
    }

    /// Removes the videos and users that the import registered, unless others use them.
    async fn remove_catalog(&mut self) -> StoreResult<()> {
        for kind in [Registered::Videos, Registered::Users] {
            let mut after = Some(i64::MIN);
            while let Some(last) = after {
                self.gap.wait(&self.store.db).await;
                after = on_conflict(|| remove_registered(self, kind, last)).await?;
            }
        }
        Ok(())
    }
}

/// The rows that a transaction removed.
struct Removed {
    plays: u64,
    ad_views: u64,
    /// The last play, unless there are no more.
    last: Option<Vec<u8>>,
}

/// Removes the first plays after an event, with their ad views, in one transaction.
async fn remove_page(removal: &Removal<'_>, date: NaiveDate, after: &[u8]) -> StoreResult<Removed> {
    let id = removal.id;
    let mut tx = removal.store.db.write().await?;
    let plays: Vec<(Vec<u8>, i64, i64)> = tx
        .fetch_all(
            "SELECT event_id, video_id, user_id FROM play_history \
             WHERE date = ? AND event_id > ? AND import_id = ? ORDER BY event_id LIMIT ?",
            &params![date, after, id.0, PAGE],
        )
        .await?;
    let Some((last, _, _)) = plays.last().cloned() else {
        return Ok(Removed {
            plays: 0,
            ad_views: 0,
            last: None,
        });
    };
    if removal.is_failed {
        // The day had plays of the import, so that it is not closed before they are imported again.
        record::extend(&mut tx, id, date).await?;
    }
    let viewers: HashSet<(i64, i64)> = plays
        .iter()
        .map(|(_, video, user)| (*video, *user))
        .collect();
    let viewers: Vec<(i64, i64)> = viewers.into_iter().collect();
    let mut ad_views = 0;
    for some in viewers.chunks(PLAYS_PER_DELETE) {
        ad_views += remove_ad_views(&mut tx, id, date, some).await?;
    }
    let mut delete = Query::new("DELETE FROM play_history WHERE date = ");
    delete.bind(date).push(" AND event_id IN ");
    delete.bind_list(plays.iter().map(|(event, _, _)| event.as_slice()));
    let removed = tx.execute_query(delete).await?;
    tx.commit().await?;
    Ok(Removed {
        plays: removed,
        ad_views,
        last: Some(last),
    })
}
/// Removes the ad views that the import showed to viewers of videos on a day.
async fn remove_ad_views(
    tx: &mut Tx,
    id: ImportId,
    date: NaiveDate,
    viewers: &[(i64, i64)],
) -> StoreResult<u64> {
    let mut delete = Query::new("DELETE FROM ad_history WHERE import_id = ");
    delete.bind(id.0);
    // The last pair is repeated, so that the number of prepared statements stays small. Each pair has
    // the date, so that the primary key finds its rows.
    let last = viewers.last().copied();
    let pairs = viewers.iter().copied().chain(last.into_iter().cycle());
    let mut joint = " AND (";
    for (video, user) in pairs.take(viewers.len().next_power_of_two()) {
        delete.push(joint).push("(date = ").bind(date);
        delete.push(" AND video_id = ").bind(video);
        delete.push(" AND user_id = ").bind(user).push(")");
        joint = " OR ";
    }
    delete.push(")");
    tx.execute_query(delete).await
}

/// What an import registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registered {
    Videos,
    Users,
}

/// Removes a page of the videos or users that a failed import registered, after an id. A video with plays
/// stays, and so do a user with a password and the owner of a video. Returns the last id, unless there are
/// no more.
async fn remove_registered(
    removal: &Removal<'_>,
    kind: Registered,
    after: i64,
) -> StoreResult<Option<i64>> {
    let mut tx = removal.store.db.write().await?;
    let find = match kind {
        Registered::Videos => {
            "SELECT id FROM video WHERE id > ? AND import_id = ? ORDER BY id LIMIT ?"
        }
        Registered::Users => {
            "SELECT id FROM users WHERE id > ? AND import_id = ? ORDER BY id LIMIT ?"
        }
    };
    let found: Vec<(i64,)> = tx
        .fetch_all(find, &params![after, removal.id.0, CATALOG_PAGE])
        .await?;
    let Some(&(last,)) = found.last() else {
        return Ok(None);
    };
    let mut ids: HashSet<i64> = found.into_iter().map(|(id,)| id).collect();
    let mut delete = match kind {
        Registered::Videos => {
            ids = unplayed(&mut tx, ids).await?;
            Query::new("DELETE FROM video WHERE id IN ")
        }
        Registered::Users => {
            for used in [
                "SELECT user_id FROM credential WHERE user_id IN ",
                "SELECT DISTINCT owner_id FROM video WHERE owner_id IN ",
            ] {
                remove_found(&mut tx, &mut ids, Query::new(used)).await?;
            }
            Query::new("DELETE FROM users WHERE id IN ")
        }
    };
    if !ids.is_empty() {
        delete.bind_list(ids);
        tx.execute_query(delete).await?;
        tx.commit().await?;
    }
    Ok(Some(last))
}

/// Removes the ads that the import created, and ends its record. If any ad view is left, the ads stay:
/// it may be one of theirs, also on a closed day. Returns the number of removed ads.
async fn end(removal: &Removal<'_>) -> StoreResult<u64> {
    let id = removal.id;
    let mut tx = removal.store.db.write().await?;
    let left: Option<(i64,)> = tx
        .fetch_optional("SELECT 1 FROM ad_history LIMIT 1", &[])
        .await?;
    let created: Vec<(i64,)> = match left {
        Some(_) => Vec::new(),
        None => {
            tx.fetch_all("SELECT id FROM ad WHERE import_id = ?", &params![id.0])
                .await?
        }
    };
    let unused: Vec<i64> = created.into_iter().map(|(ad,)| ad).collect();
    for ads in unused.chunks(LIST_CHUNK) {
        let mut delete = Query::new("DELETE FROM ad WHERE id IN ");
        delete.bind_list(ads.iter().copied());
        tx.execute_query(delete).await?;
    }
    if removal.is_failed {
        record::end_failed(&mut tx, id).await?;
    } else {
        set_status(&mut tx, id, ImportStatus::Undone).await?;
    }
    tx.commit().await?;
    Ok(u64::try_from(unused.len()).unwrap_or(0))
}
