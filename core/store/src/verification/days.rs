//! Days: their plays, statistics, revenue and skips.

use crate::{
    Store, StoreResult,
    settlement::days::closed_through,
    sql::{statement::params, statuses, tx::Tx},
    verification::{
        DayFacts, DayPage, RevenueFacts, SettledBy, StatisticsFacts, VideoDayFacts,
        page::{before_all_dates, full_page_end},
        plays::plays,
    },
};
use balance_batch::{
    execution::{JobExecutionId, JobInstanceId, StepExecutionId},
    job::{Job, Step},
    status::BatchStatus,
};
use balance_domain::rates::Tier;
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

impl Store {
    /// Returns the first date with history, results or a launch: after a date, or of all.
    pub async fn next_day(&self, after: Option<NaiveDate>) -> StoreResult<Option<DayFacts>> {
        let mut tx = self.db.snapshot().await?;
        let day = next_date(&mut tx, after.unwrap_or_else(before_all_dates)).await?;
        tx.rollback().await?;
        Ok(day)
    }

    /// Returns the rate tiers in effect on a day with the stored names of their kinds.
    pub async fn tiers_on(&self, date: NaiveDate) -> StoreResult<Vec<(String, Tier)>> {
        let mut tx = self.db.snapshot().await?;
        let tiers = tiers(&mut tx, date).await?;
        tx.rollback().await?;
        Ok(tiers)
    }

    /// Returns about `limit` videos of a day after an id, with the skips of the instance.
    pub async fn day_page(
        &self,
        date: NaiveDate,
        instance: Option<JobInstanceId>,
        after: i64,
        limit: u32,
    ) -> StoreResult<DayPage> {
        let mut tx = self.db.snapshot().await?;
        let page = page(&mut tx, date, instance, after, limit).await?;
        tx.rollback().await?;
        Ok(page)
    }
}

/// Returns the first date after `after` with history, results or a launch.
async fn next_date(tx: &mut Tx, after: NaiveDate) -> StoreResult<Option<DayFacts>> {
    let mut first: Option<NaiveDate> = None;
    // One index lookup per table, without a scan.
    for table in [
        "play_history",
        "ad_history",
        "video_statistics",
        "video_revenue",
    ] {
        let sql = AssertSqlSafe(format!("SELECT MIN(date) FROM {table} WHERE date > ?"));
        let (date,): (Option<NaiveDate>,) = tx.fetch_one(sql, &params![after]).await?;
        first = first.into_iter().chain(date).min();
    }
    let (launched,): (Option<NaiveDate>,) = tx
        .fetch_one(
            "SELECT MIN(date) FROM job_date_instance WHERE job_name = ? AND date > ?",
            &params![Job::DayStatistics.name(), after],
        )
        .await?;
    match first.into_iter().chain(launched).min() {
        Some(date) => day(tx, date).await.map(Some),
        None => Ok(None),
    }
}

async fn day(tx: &mut Tx, date: NaiveDate) -> StoreResult<DayFacts> {
    let played: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT 1 FROM play_history WHERE date = ? LIMIT 1",
            &params![date],
        )
        .await?;
    Ok(DayFacts {
        date,
        is_active: played.is_some(),
        has_results: has_results(tx, date).await?,
        is_launched: is_launched(tx, date).await?,
        settled_by: settled_by(tx, date).await?,
        closed_through: closed_through(tx, "").await?,
    })
}

async fn settled_by(tx: &mut Tx, date: NaiveDate) -> StoreResult<Vec<SettledBy>> {
    let completed = statuses::literal(BatchStatus::Completed);
    let job = Job::DayStatistics;
    let rows: Vec<(i64, i64, Option<i64>, Option<i64>)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT e.JOB_EXECUTION_ID, e.JOB_INSTANCE_ID, \
                 (SELECT MIN(s.STEP_EXECUTION_ID) FROM BATCH_JOB_EXECUTION x \
                 JOIN BATCH_STEP_EXECUTION s ON s.JOB_EXECUTION_ID = x.JOB_EXECUTION_ID \
                 WHERE x.JOB_INSTANCE_ID = e.JOB_INSTANCE_ID AND s.STEP_NAME = ?), \
                 (SELECT MAX(l.STEP_EXECUTION_ID) FROM BATCH_STEP_EXECUTION l \
                 WHERE l.JOB_EXECUTION_ID = e.JOB_EXECUTION_ID) \
                 FROM job_date_instance d \
                 JOIN BATCH_JOB_EXECUTION e ON e.JOB_INSTANCE_ID = d.job_instance_id \
                 WHERE d.job_name = ? AND d.date = ? AND e.STATUS = {completed} \
                 ORDER BY e.JOB_EXECUTION_ID"
            )),
            &params![Step::DayStatistics.name(), job.name(), date],
        )
        .await?;
    let settled_by =
        |(execution, instance, first, last): (i64, i64, Option<i64>, Option<i64>)| SettledBy {
            execution: JobExecutionId(execution),
            instance: JobInstanceId(instance),
            first_step: first.map(StepExecutionId),
            last_step: last.map(StepExecutionId),
        };
    Ok(rows.into_iter().map(settled_by).collect())
}

async fn has_results(tx: &mut Tx, date: NaiveDate) -> StoreResult<bool> {
    let (found,): (i64,) = tx
        .fetch_one(
            "SELECT EXISTS (SELECT 1 FROM video_statistics WHERE date = ?) \
         OR EXISTS (SELECT 1 FROM video_revenue WHERE date = ?)",
            &params![date, date],
        )
        .await?;
    Ok(found != 0)
}

async fn is_launched(tx: &mut Tx, date: NaiveDate) -> StoreResult<bool> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT 1 FROM job_date_instance WHERE job_name = ? AND date = ? LIMIT 1",
            &params![Job::DayStatistics.name(), date],
        )
        .await?;
    Ok(row.is_some())
}

async fn tiers(tx: &mut Tx, date: NaiveDate) -> StoreResult<Vec<(String, Tier)>> {
    let rows: Vec<(String, i64, Option<i64>, i64)> = tx
        .fetch_all(
            "SELECT kind, from_count, to_count, rate_micro_won FROM revenue_rate \
         WHERE effective_from = (SELECT MAX(r.effective_from) FROM revenue_rate r \
         WHERE r.effective_from <= ?) ORDER BY kind, from_count",
            &params![date],
        )
        .await?;
    let tier = |(kind, from_count, to_count, micro_won)| {
        let tier = Tier {
            from_count,
            to_count,
            micro_won,
        };
        (kind, tier)
    };
    Ok(rows.into_iter().map(tier).collect())
}

/// A row of `video_statistics` with the lifetime counts before it and the registration.
#[derive(sqlx::FromRow)]
struct StatisticsRow {
    video_id: i64,
    view_count: i64,
    total_play_time: i64,
    ad_view_count: i64,
    cumulative_view_count: i64,
    cumulative_ad_view_count: i64,
    views_before: i64,
    ad_views_before: i64,
    is_registered: i64,
}

impl From<&StatisticsRow> for StatisticsFacts {
    fn from(row: &StatisticsRow) -> Self {
        Self {
            view_count: row.view_count,
            total_play_time: row.total_play_time,
            ad_view_count: row.ad_view_count,
            cumulative: (row.cumulative_view_count, row.cumulative_ad_view_count),
            before: (row.views_before, row.ad_views_before),
            is_registered: row.is_registered != 0,
        }
    }
}

async fn page(
    tx: &mut Tx,
    date: NaiveDate,
    instance: Option<JobInstanceId>,
    after: i64,
    limit: u32,
) -> StoreResult<DayPage> {
    // Each source is read up to the last id of the earlier ones. Without an upper bound a server may
    // scan the day from its beginning.
    let plays = plays(tx, date, after, limit).await?;
    let upto = full_page_end(limit, plays.len(), plays.last().map(|row| row.0));
    let ads: Vec<(i64, i64)> = tx
        .fetch_all(
            "SELECT video_id, COUNT(*) FROM ad_history \
         WHERE date = ? AND video_id > ? AND video_id <= ? \
         GROUP BY video_id ORDER BY video_id LIMIT ?",
            &params![date, after, upto.unwrap_or(i64::MAX), limit],
        )
        .await?;
    let ads_upto = full_page_end(limit, ads.len(), ads.last().map(|row| row.0));
    let upto = ads_upto.or(upto);
    let statistics = statistics(tx, date, (after, upto.unwrap_or(i64::MAX)), limit).await?;
    let last = statistics.last().map(|row| row.video_id);
    let upto = full_page_end(limit, statistics.len(), last).or(upto);
    let revenue: Vec<(i64, i64, i64, i64)> = tx
        .fetch_all(
            "SELECT video_id, view_revenue, ad_revenue, total_revenue FROM video_revenue \
         WHERE date = ? AND video_id > ? AND video_id <= ? ORDER BY video_id LIMIT ?",
            &params![date, after, upto.unwrap_or(i64::MAX), limit],
        )
        .await?;
    let upto = full_page_end(limit, revenue.len(), revenue.last().map(|row| row.0)).or(upto);
    let mut videos = Videos::new(upto);
    for (id, facts) in plays {
        videos.with(id, |video| video.plays = Some(facts));
    }
    for (id, count) in ads {
        videos.with(id, |video| video.ad_views = count);
    }
    for row in &statistics {
        videos.with(row.video_id, |video| video.statistics = Some(row.into()));
    }
    for (id, view_revenue, ad_revenue, total_revenue) in revenue {
        let facts = RevenueFacts {
            view_revenue,
            ad_revenue,
            total_revenue,
        };
        videos.with(id, |video| video.revenue = Some(facts));
    }
    if let Some(instance) = instance {
        skips(tx, instance, after, &mut videos).await?;
    }
    Ok(DayPage {
        is_launched: is_launched(tx, date).await?,
        videos: videos.found.into_values().collect(),
        upto,
    })
}

/// The videos of a page, merged from several tables.
struct Videos {
    found: BTreeMap<i64, VideoDayFacts>,
    upto: i64,
}

impl Videos {
    const fn new(upto: Option<i64>) -> Self {
        Self {
            found: BTreeMap::new(),
            upto: match upto {
                Some(upto) => upto,
                None => i64::MAX,
            },
        }
    }

    /// Changes a video if the page covers it.
    fn with(&mut self, id: i64, add: impl FnOnce(&mut VideoDayFacts)) {
        if id <= self.upto {
            add(self.found.entry(id).or_insert_with(|| VideoDayFacts {
                video_id: id,
                ..VideoDayFacts::default()
            }));
        }
    }
}

async fn statistics(
    tx: &mut Tx,
    date: NaiveDate,
    (after, upto): (i64, i64),
    limit: u32,
) -> StoreResult<Vec<StatisticsRow>> {
    // The primary key finds the previous row without a scan.
    tx.fetch_all(
        "SELECT s.video_id AS video_id, s.view_count AS view_count, \
         s.total_play_time AS total_play_time, s.ad_view_count AS ad_view_count, \
         s.cumulative_view_count AS cumulative_view_count, \
         s.cumulative_ad_view_count AS cumulative_ad_view_count, \
         COALESCE(p.cumulative_view_count, b.view_count, 0) AS views_before, \
         COALESCE(p.cumulative_ad_view_count, b.ad_view_count, 0) AS ad_views_before, \
         CASE WHEN v.id IS NULL THEN 0 ELSE 1 END AS is_registered \
         FROM video_statistics s \
         LEFT JOIN video_statistics p ON p.video_id = s.video_id AND p.date = \
         (SELECT q.date FROM video_statistics q WHERE q.video_id = s.video_id \
         AND q.date < s.date ORDER BY q.date DESC LIMIT 1) \
         LEFT JOIN opening_balance b ON b.video_id = s.video_id \
         LEFT JOIN video v ON v.id = s.video_id \
         WHERE s.date = ? AND s.video_id > ? AND s.video_id <= ? ORDER BY s.video_id LIMIT ?",
        &params![date, after, upto, limit],
    )
    .await
}

async fn skips(
    tx: &mut Tx,
    instance: JobInstanceId,
    after: i64,
    videos: &mut Videos,
) -> StoreResult<()> {
    for step in Job::DayStatistics.steps().iter().copied() {
        let skipped: Vec<(i64,)> = tx
            .fetch_all(
                "SELECT video_id FROM rejected_item WHERE job_instance_id = ? AND step_name = ? \
             AND video_id > ? AND video_id <= ?",
                &params![instance.0, step.name(), after, videos.upto],
            )
            .await?;
        for (id,) in skipped {
            videos.with(id, |video| match step {
                Step::CloseDay => {}
                Step::DayStatistics => video.skips.statistics = true,
                Step::DayRevenue => video.skips.revenue = true,
                Step::PeriodRollup => video.skips.rollup = true,
            });
        }
    }
    Ok(())
}
