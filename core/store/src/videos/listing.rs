//! Lists of videos with their lifetime counts.

use crate::{
    Store, StoreResult,
    settlement::days::{first_unsettled_day, next_active_day},
    sql::{
        statement::{Query, params},
        tx::Tx,
    },
};
use balance_domain::{
    accounts::UserId,
    videos::{Video, VideoId},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;
use std::collections::HashMap;

/// The maximum number of rows of a page.
pub const MAX_PAGE: u32 = 100;

/// The maximum number of unsettled days whose views are counted individually. If more days are
/// unsettled, such as after an import, the counts do not include the later ones.
const OPEN_DAYS: usize = 366;

/// A video with its lifetime counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVideo {
    pub video: Video,
    /// Counted views, including those of unsettled days.
    pub view_count: i64,
    /// Ad views, including those of unsettled days.
    pub ad_view_count: i64,
}

/// The order of a list of videos, with the last row of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoOrder {
    /// Newest first, after this id.
    Newest(Option<VideoId>),
    /// Oldest first, after this id.
    Oldest(Option<VideoId>),
    /// By title and id, after this pair.
    Title(Option<(String, VideoId)>),
}

/// Filter, order and page of a list of videos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoQuery {
    /// Only videos of this owner.
    pub owner_id: Option<UserId>,
    /// Only videos whose titles contain this text, ignoring case.
    pub title: Option<String>,
    pub order: VideoOrder,
    /// The maximum number of rows: 1 to [`MAX_PAGE`], plus one to detect a next page.
    pub limit: u32,
}

impl Store {
    /// Returns a video, if it exists.
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

    /// Returns a page of videos.
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
}

const SELECT: &str = "SELECT id, owner_id, title, duration_s FROM video";

/// The id, owner, title and length in seconds of a video.
type VideoRow = (i64, i64, String, i64);

/// Adds the lifetime counts. The number of statements does not depend on the number of videos.
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

/// The lifetime counts of a video.
#[derive(Debug, Clone, Copy, Default)]
struct Lifetime {
    views: i64,
    ad_views: i64,
    /// The last day that the counts include.
    upto: Option<NaiveDate>,
}

/// Returns the counts of each video's last settled day, or else of its opening balance.
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

/// Adds the counts of the unsettled days.
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
    for (table, count) in [("play_history", "SUM(counted)"), ("ad_history", "COUNT(*)")] {
        let mut sql = Query::new(&format!(
            "SELECT date, video_id, CAST({count} AS SIGNED) FROM {table} WHERE video_id IN "
        ));
        sql.bind_list(ids.iter().copied())
            .push(" AND date IN ")
            .bind_list(days.iter().copied())
            .push(" GROUP BY date, video_id");
        let rows: Vec<(NaiveDate, i64, i64)> = tx.fetch_query(sql).await?;
        for (date, id, count) in rows {
            let lifetime = lifetimes.entry(id).or_default();
            // A chunk may have settled the video while other videos of the day are unsettled.
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
