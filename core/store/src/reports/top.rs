//! Top lists of videos and creators.

use crate::{
    Store, StoreResult,
    reports::{
        CreatorRevenue, TopBy, TopVideo,
        relation::{key, relation},
    },
    sql::statement::params,
};
use balance_domain::{
    accounts::UserId,
    money::Money,
    period::{Period, PeriodKind},
    videos::VideoId,
};
use sqlx::AssertSqlSafe;

impl Store {
    /// Returns the first `limit` videos of a period.
    pub async fn top(&self, period: Period, by: TopBy, limit: u32) -> StoreResult<Vec<TopVideo>> {
        let column = match by {
            TopBy::ViewCount => "view_count",
            TopBy::PlayTime => "total_play_time",
        };
        // The tables instead of the relation: their indexes have the order.
        let from = match period.kind {
            PeriodKind::Day => "video_statistics WHERE 'day' = ? AND date = ?",
            PeriodKind::Week | PeriodKind::Month => {
                "period_rollup WHERE period = ? AND start_date = ?"
            }
        };
        let sql = format!(
            "SELECT p.video_id, COALESCE(v.title, ''), p.view_count, p.total_play_time \
             FROM (SELECT video_id, view_count, total_play_time FROM {from} \
             ORDER BY {column} DESC, video_id LIMIT ?) AS p \
             LEFT JOIN video v ON v.id = p.video_id ORDER BY p.{column} DESC, p.video_id"
        );
        let (kind, from) = key(period);
        let mut tx = self.db.read().await?;
        let rows: Vec<(i64, String, i64, i64)> = tx
            .fetch_all(AssertSqlSafe(sql), &params![kind, from, limit])
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, title, view_count, total_play_time)| TopVideo {
                video_id: VideoId(id),
                title,
                view_count,
                total_play_time,
            })
            .collect())
    }

    /// Returns the first `limit` creators of a period by revenue.
    pub async fn top_creators(
        &self,
        period: Period,
        limit: u32,
    ) -> StoreResult<Vec<CreatorRevenue>> {
        let sql = format!(
            "SELECT v.owner_id, COALESCE(MAX(u.username), ''), COUNT(*), \
             CAST(SUM(p.view_count) AS SIGNED), CAST(SUM(p.total_revenue) AS SIGNED) \
             FROM {} JOIN video v ON v.id = p.video_id LEFT JOIN users u ON u.id = v.owner_id \
             GROUP BY v.owner_id ORDER BY SUM(p.total_revenue) DESC, v.owner_id LIMIT ?",
            relation(period.kind)
        );
        let (kind, from) = key(period);
        let mut tx = self.db.read().await?;
        let rows: Vec<(i64, String, i64, i64, i64)> = tx
            .fetch_all(AssertSqlSafe(sql), &params![kind, from, limit])
            .await?;
        Ok(rows
            .into_iter()
            .map(
                |(owner, username, video_count, view_count, revenue)| CreatorRevenue {
                    owner_id: UserId(owner),
                    username,
                    video_count,
                    view_count,
                    total_revenue: Money::from_hundredths(revenue),
                },
            )
            .collect())
    }
}
