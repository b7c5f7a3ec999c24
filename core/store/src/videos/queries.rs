//! Videos, with what they have come to.

use crate::{
    Store, StoreResult,
    settlement::days::{first_unsettled_day, next_active_day},
    sql::{
        new_id::{NewId, next_id},
        retry,
        statement::{Query, params},
        tx::Tx,
    },
    videos::{
        Ad, Created, Creation, ListedVideo, NewVideo, VideoOrder, VideoQuery, ads,
        creation_reply::{self, Earlier},
    },
};
use balance_domain::{
    accounts::UserId,
    videos::{AdId, Title, Video, VideoId},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;
use std::collections::HashMap;

/// Days that wait for their settlement, of which views are counted one by one. Of a history that
/// was imported and never settled, later days are left out.
const OPEN_DAYS: usize = 366;

impl Store {
    /// Registers a video of whoever creates it.
    pub async fn create_video(
        &self,
        creation: &Creation,
        video: &NewVideo,
    ) -> StoreResult<Created<VideoId>> {
        retry::on_conflict(|| create(self, creation, video)).await
    }

    /// A video, if there is one.
    pub async fn video(&self, id: VideoId) -> StoreResult<Option<ListedVideo>> {
        let mut tx = self.db.read().await?;
        let rows: Vec<VideoRow> = tx
            .fetch_all(
                AssertSqlSafe(format!("{SELECT} WHERE id = ?")),
                &params![id.0],
            )
            .await?;
        Ok(with_counts(&mut tx, rows).await?.pop())
    }

    /// A page of videos.
    pub async fn videos(&self, query: &VideoQuery) -> StoreResult<Vec<ListedVideo>> {
        let mut tx = self.db.read().await?;
        let mut sql = Query::new(SELECT);
        sql.push(" WHERE 1 = 1");
        if let Some(owner_id) = query.owner_id {
            sql.push(" AND owner_id = ").bind(owner_id.0);
        }
        if let Some(title) = &query.title {
            sql.push(" AND INSTR(LOWER(title), LOWER(")
                .bind(title.as_str())
                .push(")) > 0");
        }
        match &query.order {
            VideoOrder::Newest(after) => {
                if let Some(after) = after {
                    sql.push(" AND id < ").bind(after.0);
                }
                sql.push(" ORDER BY id DESC");
            }
            VideoOrder::Oldest(after) => {
                if let Some(after) = after {
                    sql.push(" AND id > ").bind(after.0);
                }
                sql.push(" ORDER BY id");
            }
            VideoOrder::Title(after) => {
                if let Some((title, id)) = after {
                    sql.push(" AND title >= ")
                        .bind(title.as_str())
                        .push(" AND (title > ")
                        .bind(title.as_str())
                        .push(" OR id > ")
                        .bind(id.0)
                        .push(")");
                }
                sql.push(" ORDER BY title, id");
            }
        }
        sql.push(" LIMIT ").bind(query.limit);
        let rows: Vec<VideoRow> = tx.fetch_query(sql).await?;
        with_counts(&mut tx, rows).await
    }

    /// Registers an ad.
    pub async fn create_ad(
        &self,
        creation: &Creation,
        title: &Title,
    ) -> StoreResult<Created<AdId>> {
        retry::on_conflict(|| ads::create(self, creation, title)).await
    }

    /// A page of ads by id, at most `limit` after an id.
    pub async fn ads(&self, after: Option<AdId>, limit: u32) -> StoreResult<Vec<Ad>> {
        ads::page(self, after, limit).await
    }
}

const SELECT: &str = "SELECT id, owner_id, title, duration_s FROM video";

/// Id, owner, title and length in seconds.
type VideoRow = (i64, i64, String, i64);

async fn create(
    store: &Store,
    creation: &Creation,
    video: &NewVideo,
) -> StoreResult<Created<VideoId>> {
    let mut tx = store.db.write().await?;
    let id = next_id(&mut tx, NewId::Video).await?;
    let request = format!("video {} {}", video.duration_s, video.title.as_str());
    match creation_reply::find(&mut tx, creation, &request).await? {
        Earlier::Nothing => {}
        Earlier::Created(id) => return Ok(Created::Is(VideoId(id))),
        Earlier::Other => return Ok(Created::KeyReused),
    }
    let now = tx.now();
    tx.execute(
        "INSERT INTO video (id, owner_id, title, duration_s, created_at) VALUES (?, ?, ?, ?, ?)",
        &params![
            id,
            creation.user_id.0,
            video.title.as_str(),
            video.duration_s,
            now
        ],
    )
    .await?;
    creation_reply::remember(&mut tx, creation, &request, id).await?;
    tx.commit().await?;
    Ok(Created::Is(VideoId(id)))
}

/// Adds what the videos have come to: a fixed number of statements, however many they are.
async fn with_counts(tx: &mut Tx, rows: Vec<VideoRow>) -> StoreResult<Vec<ListedVideo>> {
    let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut lifetimes = settled(tx, &ids).await?;
    add_open_days(tx, &ids, &mut lifetimes).await?;
    Ok(rows
        .into_iter()
        .map(|(id, owner, title, duration_s)| {
            let lifetime = lifetimes.get(&id).copied().unwrap_or_default();
            ListedVideo {
                video: Video {
                    id: VideoId(id),
                    owner_id: UserId(owner),
                    title,
                    duration_s,
                },
                view_count: lifetime.views,
                ad_view_count: lifetime.ad_views,
            }
        })
        .collect())
}

/// What a video has come to.
#[derive(Debug, Clone, Copy, Default)]
struct Lifetime {
    views: i64,
    ad_views: i64,
    /// The last day that these hold.
    upto: Option<NaiveDate>,
}

/// Opening counts, or those of the last settled row.
async fn settled(tx: &mut Tx, ids: &[i64]) -> StoreResult<HashMap<i64, Lifetime>> {
    let opening: Vec<(i64, i64, i64)> = tx
        .fetch_in(
            "SELECT video_id, view_count, ad_view_count FROM opening_balance WHERE video_id IN ",
            ids.iter().copied(),
            "",
            &[],
        )
        .await?;
    let last: Vec<(i64, i64, i64, NaiveDate)> = tx
        .fetch_in(
            "SELECT s.video_id, s.cumulative_view_count, s.cumulative_ad_view_count, s.date \
         FROM (SELECT video_id, MAX(date) AS date FROM video_statistics WHERE video_id IN ",
            ids.iter().copied(),
            " GROUP BY video_id) AS last \
         JOIN video_statistics s ON s.video_id = last.video_id AND s.date = last.date",
            &[],
        )
        .await?;
    let opening = opening.into_iter().map(|(id, views, ad_views)| {
        let lifetime = Lifetime {
            views,
            ad_views,
            upto: None,
        };
        (id, lifetime)
    });
    let last = last.into_iter().map(|(id, views, ad_views, date)| {
        let lifetime = Lifetime {
            views,
            ad_views,
            upto: Some(date),
        };
        (id, lifetime)
    });
    Ok(opening.chain(last).collect())
}

/// Adds the rows of the days whose settlement is still to come.
async fn add_open_days(
    tx: &mut Tx,
    ids: &[i64],
    lifetimes: &mut HashMap<i64, Lifetime>,
) -> StoreResult<()> {
    let mut days = Vec::new();
    let mut next = first_unsettled_day(tx).await?;
    while let Some(day) = next
        && days.len() < OPEN_DAYS
    {
        days.push(day);
        next = next_active_day(tx, Some(day)).await?;
    }
    if days.is_empty() {
        return Ok(());
    }
    for (table, what) in [("play_history", "SUM(counted)"), ("ad_history", "COUNT(*)")] {
        let mut sql = Query::new(&format!(
            "SELECT date, video_id, CAST({what} AS SIGNED) FROM {table} WHERE video_id IN "
        ));
        sql.bind_list(ids.iter().copied())
            .push(" AND date IN ")
            .bind_list(days.iter().copied())
            .push(" GROUP BY date, video_id");
        let rows: Vec<(NaiveDate, i64, i64)> = tx.fetch_query(sql).await?;
        for (date, id, count) in rows {
            let lifetime = lifetimes.entry(id).or_default();
            // A video may be ahead of its day, whose other videos are still at work.
            if lifetime.upto.is_some_and(|upto| upto >= date) {
                continue;
            }
            match table {
                "play_history" => lifetime.views += count,
                _ => lifetime.ad_views += count,
            }
        }
    }
    Ok(())
}
