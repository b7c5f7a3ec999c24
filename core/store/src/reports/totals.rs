//! What periods come to over all videos: summed once, when a day is settled, so that a report reads
//! one row.

use crate::{
    Store, StoreError, StoreResult,
    reports::{
        PeriodTotal,
        queries::{key, relation},
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

/// The columns that are summed.
const SUMMED: [&str; 6] = [
    "view_count",
    "total_play_time",
    "ad_view_count",
    "view_revenue",
    "ad_revenue",
    "total_revenue",
];

/// A row of sums.
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
    /// Of so many videos and the sums of [`SUMMED`].
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

    /// The sums of [`SUMMED`].
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

/// The sum of a column of `p`; one that does not fit is the largest number on a server.
fn sum(column: &str) -> String {
    format!("CAST(COALESCE(SUM(p.{column}), 0) AS SIGNED) AS {column}")
}

/// The totals of a day, and of its week and month so far, over all videos.
pub(crate) struct Totals([(Period, TotalRow); PeriodKind::ALL.len()]);

/// Sums up a day whose steps are all done, with its week and month: page by page, without a lock,
/// for nothing of them changes any more.
pub(crate) async fn of_day(store: &Store, date: NaiveDate) -> StoreResult<Totals> {
    let mut totals = PeriodKind::ALL.map(|kind| (kind.containing(date), TotalRow::default()));
    for (period, total) in &mut totals {
        *total = of_period(store, *period, None).await?;
    }
    Ok(Totals(totals))
}

/// What a period comes to: over all videos, or over an owner's.
pub(crate) async fn of_period(
    store: &Store,
    period: Period,
    owner: Option<UserId>,
) -> StoreResult<TotalRow> {
    let mut video_count = 0;
    // Numbers that do not overflow.
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
            // What is beyond 64 bits is shown as the largest number.
            let fit = |sum: i128| i64::try_from(sum).unwrap_or(i64::MAX);
            return Ok(TotalRow::of(video_count, sums.map(fit)));
        }
        after = page.last;
    }
}

/// A page's sums, and its last video.
#[derive(sqlx::FromRow)]
struct PageRow {
    #[sqlx(flatten)]
    total: TotalRow,
    last: i64,
}

/// Videos summed by one statement.
const PAGE: u32 = 10_000;

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
        // Beyond 64 bits in some column. A settled day must not fail on what is only shown.
        Err(StoreError::Data(_)) => {}
        row => return row,
    }
    let mut columns = [0; SUMMED.len()];
    for (place, column) in columns.iter_mut().zip(SUMMED) {
        let sql = format!("SELECT {} FROM {rows}", sum(column));
        *place = match tx
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

/// The rows of a page as `p`; binds what [`relation`] does, the owner, the video before and the
/// number of rows.
fn rows_of_page(period: Period, owner: Option<UserId>) -> String {
    let whose = match owner {
        Some(_) => "p.video_id IN (SELECT id FROM video WHERE owner_id = ? AND id > ?)",
        None => "? IS NULL AND p.video_id > ?",
    };
    let relation = relation(period.kind);
    format!("(SELECT p.* FROM {relation} WHERE {whose} ORDER BY p.video_id LIMIT ?) AS p")
}

/// Writes totals in place of those that are there.
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

/// A period's total, if a day of it was settled.
pub(crate) async fn read(tx: &mut Tx, period: Period) -> StoreResult<Option<TotalRow>> {
    let (kind, from) = key(period);
    tx.fetch_optional(
        "SELECT video_count, view_count, total_play_time, ad_view_count, view_revenue, \
         ad_revenue, total_revenue FROM period_total WHERE period = ? AND start_date = ?",
        &params![kind, from],
    )
    .await
}
