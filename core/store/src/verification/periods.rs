//! Weeks and months: their rows, totals and the sums of their days.

use crate::{
    Store, StoreResult,
    reports::totals,
    sql::{statement::params, statuses, tx::Tx},
    verification::{
        PeriodFacts, RollupFacts, RollupPage, TotalFacts,
        page::{before_all_dates, full_page_end},
    },
};
use balance_batch::{
    job::{Job, Step},
    status::BatchStatus,
};
use balance_domain::period::{Period, PeriodKind};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;
use std::collections::{HashMap, HashSet};

impl Store {
    /// Returns the start of the first period of a kind that has rows or totals: after a date, or of all.
    pub async fn next_rollup(
        &self,
        kind: PeriodKind,
        after: Option<NaiveDate>,
    ) -> StoreResult<Option<NaiveDate>> {
        let mut tx = self.db.snapshot().await?;
        let after = after.unwrap_or_else(before_all_dates);
        let start = next_start(&mut tx, kind, after).await?;
        tx.rollback().await?;
        Ok(start)
    }

    /// Returns at most `limit` rows of a period after an id, with the sums of their days.
    pub async fn rollup_page(
        &self,
        period: Period,
        after: i64,
        limit: u32,
    ) -> StoreResult<RollupPage> {
        let mut tx = self.db.snapshot().await?;
        let page = page(&mut tx, period, after, limit).await?;
        tx.rollback().await?;
        Ok(page)
    }

    /// Returns at most `limit` videos after an id that lack a row of the period: they have statistics on
    /// `date` and none from `since` to the day before, and the rollup of `date` did not skip them.
    pub async fn missing_rollups(
        &self,
        period: Period,
        date: NaiveDate,
        since: NaiveDate,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<i64>> {
        let mut tx = self.db.snapshot().await?;
        let missing = missing(&mut tx, period, (since, date), after, limit).await?;
        tx.rollback().await?;
        Ok(missing)
    }

    /// Returns the stored totals of a period.
    pub async fn total_facts(&self, period: Period) -> StoreResult<Option<TotalFacts>> {
        let mut tx = self.db.snapshot().await?;
        let row = totals::read(&mut tx, period).await?;
        tx.rollback().await?;
        Ok(row.map(|row| TotalFacts {
            video_count: row.video_count.into(),
            sums: PeriodFacts {
                view_count: row.view_count.into(),
                total_play_time: row.total_play_time.into(),
                ad_view_count: row.ad_view_count.into(),
                view_revenue: row.view_revenue.into(),
                ad_revenue: row.ad_revenue.into(),
                total_revenue: row.total_revenue.into(),
            },
        }))
    }
}

/// Returns the first period of a kind after a date that has rows or totals.
async fn next_start(
    tx: &mut Tx,
    kind: PeriodKind,
    after: NaiveDate,
) -> StoreResult<Option<NaiveDate>> {
    let mut first: Option<NaiveDate> = None;
    for table in ["period_rollup", "period_total"] {
        let sql =
            format!("SELECT MIN(start_date) FROM {table} WHERE period = ? AND start_date > ?");
        let (start,): (Option<NaiveDate>,) = tx
            .fetch_one(AssertSqlSafe(sql), &params![kind.name(), after])
            .await?;
        first = first.into_iter().chain(start).min();
    }
    Ok(first)
}

/// A row of `period_rollup`, or the sums of a day.
#[derive(sqlx::FromRow)]
struct Row {
    video_id: i64,
    view_count: i64,
    total_play_time: i64,
    ad_view_count: i64,
    view_revenue: i64,
    ad_revenue: i64,
    total_revenue: i64,
}

/// A day of a video with its revenue.
#[derive(sqlx::FromRow)]
struct Day {
    date: NaiveDate,
    #[sqlx(flatten)]
    row: Row,
}

impl From<&Row> for PeriodFacts {
    fn from(row: &Row) -> Self {
        Self {
            view_count: row.view_count.into(),
            total_play_time: row.total_play_time.into(),
            ad_view_count: row.ad_view_count.into(),
            view_revenue: row.view_revenue.into(),
            ad_revenue: row.ad_revenue.into(),
            total_revenue: row.total_revenue.into(),
        }
    }
}

/// The outcomes of the days of a period.
#[derive(Default)]
struct Outcomes {
    settled: HashSet<NaiveDate>,
    is_undecided: bool,
}

async fn page(tx: &mut Tx, period: Period, after: i64, limit: u32) -> StoreResult<RollupPage> {
    let rows: Vec<Row> = tx
        .fetch_all(
            "SELECT video_id, view_count, total_play_time, ad_view_count, view_revenue, \
             ad_revenue, total_revenue FROM period_rollup \
             WHERE period = ? AND start_date = ? AND video_id > ? ORDER BY video_id LIMIT ?",
            &params![period.kind.name(), period.from, after, limit],
        )
        .await?;
    let upto = full_page_end(limit, rows.len(), rows.last().map(|row| row.video_id));
    let outcomes = outcomes(tx, period).await?;
    let sums = sums(tx, period, &rows, &outcomes.settled).await?;
    let skipped: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT video_id FROM rejected_item WHERE step_name = ? AND video_id > ? \
         AND video_id <= ? AND date BETWEEN ? AND ?",
            &params![
                Step::PeriodRollup.name(),
                after,
                upto.unwrap_or(i64::MAX),
                period.from,
                period.to
            ],
        )
        .await?;
    let skipped: HashSet<i64> = skipped.into_iter().map(|(id,)| id).collect();
    Ok(RollupPage {
        rows: rows
            .iter()
            .map(|row| {
                let (settled, unfinished) = sums.get(&row.video_id).copied().unwrap_or_default();
                RollupFacts {
                    video_id: row.video_id,
                    row: row.into(),
                    settled,
                    unfinished,
                    is_skipped: skipped.contains(&row.video_id),
                }
            })
            .collect(),
        is_undecided: outcomes.is_undecided,
        upto,
    })
}

async fn outcomes(tx: &mut Tx, period: Period) -> StoreResult<Outcomes> {
    let completed = statuses::literal(BatchStatus::Completed);
    let abandoned = statuses::literal(BatchStatus::Abandoned);
    let launched: Vec<(NaiveDate, i64, i64)> = tx
        .fetch_all(
            AssertSqlSafe(format!(
                "SELECT d.date, MAX(CASE WHEN e.STATUS = {completed} THEN 1 ELSE 0 END), \
                 MAX(CASE WHEN e.STATUS = {abandoned} THEN 1 ELSE 0 END) \
                 FROM job_date_instance d \
                 JOIN BATCH_JOB_EXECUTION e ON e.JOB_INSTANCE_ID = d.job_instance_id \
                 WHERE d.job_name = ? AND d.date BETWEEN ? AND ? GROUP BY d.date"
            )),
            &params![Job::DayStatistics.name(), period.from, period.to],
        )
        .await?;
    let mut outcomes = Outcomes::default();
    for (date, completed, abandoned) in launched {
        if completed > 0 {
            outcomes.settled.insert(date);
        } else if abandoned > 0 {
            outcomes.is_undecided = true;
        }
    }
    Ok(outcomes)
}

/// The sums of each video: over its settled days, and over the others.
type Sums = HashMap<i64, (Option<PeriodFacts>, Option<PeriodFacts>)>;

/// Sums up the days of each video in 128 bits. Reads at most 31 adjacent rows per video.
async fn sums(
    tx: &mut Tx,
    period: Period,
    rows: &[Row],
    settled: &HashSet<NaiveDate>,
) -> StoreResult<Sums> {
    let mut sums = Sums::with_capacity(rows.len());
    if rows.is_empty() {
        return Ok(sums);
    }
    let days: Vec<Day> = tx
        .fetch_in(
            "SELECT s.date AS date, s.video_id AS video_id, s.view_count AS view_count, \
         s.total_play_time AS total_play_time, s.ad_view_count AS ad_view_count, \
         COALESCE(r.view_revenue, 0) AS view_revenue, COALESCE(r.ad_revenue, 0) AS ad_revenue, \
         COALESCE(r.total_revenue, 0) AS total_revenue FROM video_statistics s \
         LEFT JOIN video_revenue r ON r.video_id = s.video_id AND r.date = s.date \
         WHERE s.video_id IN ",
            rows.iter().map(|row| row.video_id),
            " AND s.date BETWEEN ? AND ?",
            &params![period.from, period.to],
        )
        .await?;
    for day in &days {
        let (of_settled, of_others) = sums.entry(day.row.video_id).or_default();
        let sum = if settled.contains(&day.date) {
            of_settled
        } else {
            of_others
        };
        *sum.get_or_insert_default() += (&day.row).into();
    }
    Ok(sums)
}

async fn missing(
    tx: &mut Tx,
    period: Period,
    (since, date): (NaiveDate, NaiveDate),
    after: i64,
    limit: u32,
) -> StoreResult<Vec<i64>> {
    let rows: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT s.video_id FROM video_statistics s WHERE s.date = ? AND s.video_id > ? \
         AND NOT EXISTS (SELECT 1 FROM period_rollup p WHERE p.period = ? AND p.start_date = ? \
         AND p.video_id = s.video_id) \
         AND NOT EXISTS (SELECT 1 FROM video_statistics e WHERE e.video_id = s.video_id \
         AND e.date >= ? AND e.date < s.date) \
         AND NOT EXISTS (SELECT 1 FROM rejected_item r WHERE r.step_name = ? \
         AND r.video_id = s.video_id AND r.date = s.date) \
         ORDER BY s.video_id LIMIT ?",
            &params![
                date,
                after,
                period.kind.name(),
                period.from,
                since,
                Step::PeriodRollup.name(),
                limit
            ],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
