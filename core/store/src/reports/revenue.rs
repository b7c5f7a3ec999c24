//! Revenue of videos by period and by day.

use crate::{
    Store, StoreResult,
    reports::{
        RevenueItem, RevenuePage, VideoDay,
        relation::{key, relation},
    },
    sql::statement::params,
};
use balance_domain::{accounts::UserId, money::Money, period::Period, videos::VideoId};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

#[derive(sqlx::FromRow)]
struct RevenueRow {
    video_id: i64,
    title: String,
    owner_id: i64,
    view_count: i64,
    ad_view_count: i64,
    view_revenue: i64,
    ad_revenue: i64,
    total_revenue: i64,
}

impl Store {
    /// Returns a page of a period's revenue by video, in the order of the ids.
    pub async fn revenues(
        &self,
        period: Period,
        page: RevenuePage,
    ) -> StoreResult<Vec<RevenueItem>> {
        // The index of owners finds a creator's videos without a scan of all videos.
        let filter = match page.owner {
            Some(_) => "p.video_id IN (SELECT id FROM video WHERE owner_id = ? AND id > ?)",
            None => "? IS NULL AND p.video_id > ?",
        };
        let sql = format!(
            "SELECT p.video_id AS video_id, v.title AS title, v.owner_id AS owner_id, \
             p.view_count AS view_count, p.ad_view_count AS ad_view_count, \
             p.view_revenue AS view_revenue, p.ad_revenue AS ad_revenue, \
             p.total_revenue AS total_revenue FROM {} JOIN video v ON v.id = p.video_id \
             WHERE {filter} ORDER BY p.video_id LIMIT ?",
            relation(period.kind)
        );
        let (kind, from) = key(period);
        let mut tx = self.db.read().await?;
        let rows: Vec<RevenueRow> = tx
            .fetch_all(
                AssertSqlSafe(sql),
                &params![
                    kind,
                    from,
                    page.owner.map(|owner| owner.0),
                    page.after.map_or(0, |id| id.0),
                    page.limit
                ],
            )
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| RevenueItem {
                video_id: VideoId(row.video_id),
                title: row.title,
                owner_id: UserId(row.owner_id),
                view_count: row.view_count,
                ad_view_count: row.ad_view_count,
                view_revenue: Money::from_hundredths(row.view_revenue),
                ad_revenue: Money::from_hundredths(row.ad_revenue),
                total_revenue: Money::from_hundredths(row.total_revenue),
            })
            .collect())
    }

    /// Returns the settled days of a video from `from` to `to`, both included, in order.
    pub async fn video_days(
        &self,
        id: VideoId,
        from: NaiveDate,
        to: NaiveDate,
    ) -> StoreResult<Vec<VideoDay>> {
        let mut tx = self.db.read().await?;
        let rows: Vec<(NaiveDate, i64, i64, i64, i64, i64, i64)> = tx
            .fetch_all(
                "SELECT s.date, s.view_count, s.total_play_time, s.ad_view_count, \
             COALESCE(r.view_revenue, 0), COALESCE(r.ad_revenue, 0), \
             COALESCE(r.total_revenue, 0) FROM video_statistics s \
             LEFT JOIN video_revenue r ON r.video_id = s.video_id AND r.date = s.date \
             WHERE s.video_id = ? AND s.date >= ? AND s.date <= ? ORDER BY s.date",
                &params![id.0, from, to],
            )
            .await?;
        let day = |(date, view_count, total_play_time, ad_view_count, view, ad, total)| VideoDay {
            date,
            view_count,
            total_play_time,
            ad_view_count,
            view_revenue: Money::from_hundredths(view),
            ad_revenue: Money::from_hundredths(ad),
            total_revenue: Money::from_hundredths(total),
        };
        Ok(rows.into_iter().map(day).collect())
    }
}
