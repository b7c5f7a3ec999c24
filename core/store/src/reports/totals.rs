//! Totals of periods over all videos. They are stored when a day is settled, so that a report reads
//! one row.

use crate::{
    Store, StoreError, StoreResult,
    reports::{
        PeriodTotal,
        relation::{key, relation},
    },
    sql::{statement::params, tx::Tx},
};
use balance_domain::{
    accounts::UserId,
    money::Money,
    period::{Period, PeriodKind},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The summed columns.
const SUMMED: [&str; 6] = [
    "view_count",
    "total_play_time",
    "ad_view_count",
    "view_revenue",
    "ad_revenue",
    "total_revenue",
];

/// A row of `period_total`.
#[derive(Default, sqlx::FromRow)]
pub(crate) struct TotalRow {
    pub(crate) video_count: i64,
    pub(crate) view_count: i64,
    pub(crate) total_play_time: i64,
    pub(crate) ad_view_count: i64,
    pub(crate) view_revenue: i64,
    pub(crate) ad_revenue: i64,
    pub(crate) total_revenue: i64,
}

impl TotalRow {
    /// Builds a row from the sums of the columns of [`SUMMED`].
    const fn of(video_count: i64, sums: [i64; SUMMED.len()]) -> Self {
        let [
            view_count,
            total_play_time,
            ad_view_count,
            view_revenue,
            ad_revenue,
            total_revenue,
        ] = sums;
        Self {
            video_count,
            view_count,
            total_play_time,
            ad_view_count,
            view_revenue,
            ad_revenue,
            total_revenue,
        }
    }

    /// Returns the sums of the columns of [`SUMMED`].
    const fn sums(&self) -> [i64; SUMMED.len()] {
        [
            self.view_count,
            self.total_play_time,
            self.ad_view_count,
            self.view_revenue,
            self.ad_revenue,
            self.total_revenue,
        ]
    }
}

impl From<TotalRow> for PeriodTotal {
    fn from(row: TotalRow) -> Self {
        Self {
            video_count: row.video_count,
            view_count: row.view_count,
            total_play_time: row.total_play_time,
            ad_view_count: row.ad_view_count,
            view_revenue: Money::from_hundredths(row.view_revenue),
            ad_revenue: Money::from_hundredths(row.ad_revenue),
            total_revenue: Money::from_hundredths(row.total_revenue),
        }
    }
}

/// Returns the SQL sum of a column of `p`. A server clamps a sum that exceeds 64 bits.
fn sum(column: &str) -> String {
    format!("CAST(COALESCE(SUM(p.{column}), 0) AS SIGNED) AS {column}")
}

/// The totals of a day, and of its week and month so far, over all videos.
pub(crate) struct Totals([(Period, TotalRow); PeriodKind::ALL.len()]);

impl Store {
    /// Returns the totals of a period, of one creator or of all. Runs one transaction per page if they
    /// are not stored.
    pub async fn total(&self, period: Period, owner: Option<UserId>) -> StoreResult<PeriodTotal> {
        // Totals by creator are not stored.
        if owner.is_some() {
            return Ok(of_period(self, period, owner).await?.into());
        }
        let stored = {
            let mut tx = self.db.read().await?;
            read(&mut tx, period).await?
        };
        match stored {
            Some(row) => Ok(row.into()),
            // The period was settled by a version that stored no totals.
            None => Ok(of_period(self, period, None).await?.into()),
        }
    }
}

/// Sums up a day whose steps are all completed, with its week and month. Reads page by page without a
/// lock, because the rows no longer change.
pub(crate) async fn of_day(store: &Store, date: NaiveDate) -> StoreResult<Totals> {
    let mut totals = PeriodKind::ALL.map(|kind| (kind.containing(date), TotalRow::default()));
    for (period, total) in &mut totals {
        *total = of_period(store, *period, None).await?;
    }
    Ok(Totals(totals))
}

/// Sums up a period over all videos, or over those of an owner.
pub(crate) async fn of_period(
    store: &Store,
    period: Period,
    owner: Option<UserId>,
) -> StoreResult<TotalRow> {
    let mut video_count = 0;
    // 128 bits cannot overflow.
    let mut sums = [0_i128; SUMMED.len()];
    let mut after = 0;
    loop {
        let page = {
            let mut tx = store.db.read().await?;
            page(&mut tx, period, owner, after).await?
        };
        video_count += page.total.video_count;
        for (sum, more) in sums.iter_mut().zip(page.total.sums()) {
            *sum += i128::from(more);
        }
        if page.total.video_count < i64::from(PAGE) {
            // A sum that exceeds 64 bits is reported as the largest number.
            let fit = |sum: i128| i64::try_from(sum).unwrap_or(i64::MAX);
            return Ok(TotalRow::of(video_count, sums.map(fit)));
        }
        after = page.last;
    }
}

/// The sums of a page and its last video.
#[derive(sqlx::FromRow)]
struct PageRow {
    #[sqlx(flatten)]
    total: TotalRow,
    last: i64,
}

/// The number of videos that one statement sums up.
const PAGE: u32 = 10_000;

/// Sums up one page.
async fn page(
    tx: &mut Tx,
    period: Period,
    owner: Option<UserId>,
    after: i64,
) -> StoreResult<PageRow> {
    let rows = rows_of_page(period, owner);
    let sums = SUMMED.map(sum).join(", ");
    let sql = format!(
        "SELECT COUNT(*) AS video_count, {sums}, COALESCE(MAX(p.video_id), 0) AS last FROM {rows}"
    );
    let (kind, from) = key(period);
    let owner = owner.map(|owner| owner.0);
    match tx
        .fetch_one(AssertSqlSafe(sql), &params![kind, from, owner, after, PAGE])
        .await
    {
        // A column exceeds 64 bits. Totals are only reported, so they must not fail the settlement.
        Err(StoreError::Data(_)) => {}
        row => return row,
    }
    let mut columns = [0; SUMMED.len()];
    for (target, column) in columns.iter_mut().zip(SUMMED) {
        let sql = format!("SELECT {} FROM {rows}", sum(column));
        *target = match tx
            .fetch_one(AssertSqlSafe(sql), &params![kind, from, owner, after, PAGE])
            .await
        {
            Ok((sum,)) => sum,
            Err(StoreError::Data(_)) => i64::MAX,
            Err(error) => return Err(error),
        };
    }
    let sql = format!("SELECT COUNT(*), COALESCE(MAX(p.video_id), 0) FROM {rows}");
    let (video_count, last): (i64, i64) = tx
        .fetch_one(AssertSqlSafe(sql), &params![kind, from, owner, after, PAGE])
        .await?;
    let total = TotalRow::of(video_count, columns);
    Ok(PageRow { total, last })
}

/// Returns the rows of a page as `p`. Its parameters are those of [`relation`], the owner, the last
/// video of the page before, and the number of rows.
fn rows_of_page(period: Period, owner: Option<UserId>) -> String {
    let filter = match owner {
        Some(_) => "p.video_id IN (SELECT id FROM video WHERE owner_id = ? AND id > ?)",
        None => "? IS NULL AND p.video_id > ?",
    };
    let relation = relation(period.kind);
    format!("(SELECT p.* FROM {relation} WHERE {filter} ORDER BY p.video_id LIMIT ?) AS p")
}

/// Stores totals. Replaces earlier ones.
pub(crate) async fn write(tx: &mut Tx, totals: &Totals) -> StoreResult<()> {
    for (period, total) in &totals.0 {
        let (kind, from) = key(*period);
        tx.execute(
            "REPLACE INTO period_total (period, start_date, video_count, view_count, \
             total_play_time, ad_view_count, view_revenue, ad_revenue, total_revenue) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &params![
                kind,
                from,
                total.video_count,
                total.view_count,
                total.total_play_time,
                total.ad_view_count,
                total.view_revenue,
                total.ad_revenue,
                total.total_revenue
            ],
        )
        .await?;
    }
    Ok(())
}

/// Returns the stored totals of a period, if a day of it was settled.
pub(crate) async fn read(tx: &mut Tx, period: Period) -> StoreResult<Option<TotalRow>> {
    let (kind, from) = key(period);
    tx.fetch_optional(
        "SELECT video_count, view_count, total_play_time, ad_view_count, view_revenue, \
         ad_revenue, total_revenue FROM period_total WHERE period = ? AND start_date = ?",
        &params![kind, from],
    )
    .await
}
