//! Reports, from the day rows and the rollups: index look-ups.

use crate::{
    Store, StoreResult,
    reports::{
        CreatorRevenue, PeriodTotal, RevenueItem, RevenuePage, TopBy, TopVideo, VideoDay, totals,
    },
    sql::statement::params,
};
use balance_domain::{
    accounts::UserId,
    money::Money,
    period::{Period, PeriodKind},
    videos::VideoId,
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The rows of a period as one relation `p`, with the same columns for each kind; binds two
/// values, which [`key`] gives.
pub(crate) const fn relation(kind: PeriodKind) -> &'static str {
    match kind {
        PeriodKind::Day => {
            "(SELECT s.video_id, s.view_count, s.total_play_time, s.ad_view_count, \
             COALESCE(r.view_revenue, 0) AS view_revenue, COALESCE(r.ad_revenue, 0) AS ad_revenue, \
             COALESCE(r.total_revenue, 0) AS total_revenue FROM video_statistics s \
             LEFT JOIN video_revenue r ON r.video_id = s.video_id AND r.date = s.date \
             WHERE 'day' = ? AND s.date = ?) AS p"
        }
        PeriodKind::Week | PeriodKind::Month => {
            "(SELECT * FROM period_rollup WHERE period = ? AND start_date = ?) AS p"
        }
    }
}

/// The two values that [`relation`] binds.
pub(crate) const fn key(period: Period) -> (&'static str, NaiveDate) {
    (period.kind.name(), period.from)
}

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
    /// The first `limit` videos of a period.
    pub async fn top(&self, period: Period, by: TopBy, limit: u32) -> StoreResult<Vec<TopVideo>> {
        let column = match by {
            TopBy::ViewCount => "view_count",
            TopBy::PlayTime => "total_play_time",
        };
        // The plain tables, not the relation: the index gives the order.
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

    /// A period's totals, of one creator or of all.
    pub async fn total(&self, period: Period, owner: Option<UserId>) -> StoreResult<PeriodTotal> {
        // One creator's videos are as many look-ups.
        if owner.is_some() {
            return Ok(totals::of_period(self, period, owner).await?.into());
        }
        let stored = {
            let mut tx = self.db.read().await?;
            totals::read(&mut tx, period).await?
        };
        match stored {
            Some(row) => Ok(row.into()),
            // Of days that were settled by a version that stored none.
            None => Ok(totals::of_period(self, period, None).await?.into()),
        }
    }

    /// A period's pay by video, in the order of the ids.
    pub async fn revenues(
        &self,
        period: Period,
        page: RevenuePage,
    ) -> StoreResult<Vec<RevenueItem>> {
        // One creator's come by the index of owners: among all videos they may be few and far between.
        let whose = match page.owner {
            Some(_) => "p.video_id IN (SELECT id FROM video WHERE owner_id = ? AND id > ?)",
            None => "? IS NULL AND p.video_id > ?",
        };
        let sql = format!(
            "SELECT p.video_id AS video_id, v.title AS title, v.owner_id AS owner_id, \
             p.view_count AS view_count, p.ad_view_count AS ad_view_count, \
             p.view_revenue AS view_revenue, p.ad_revenue AS ad_revenue, \
             p.total_revenue AS total_revenue FROM {} JOIN video v ON v.id = p.video_id \
             WHERE {whose} ORDER BY p.video_id LIMIT ?",
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

    /// A video's settled days from one to another, both included, in order.
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

    /// The creators that earned most in a period.
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
