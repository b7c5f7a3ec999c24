//! Reports by day, week and month.

use crate::{
    domain::{
        period::{Period, PeriodKind},
        user::UserId,
        video::VideoId,
    },
    port::{
        Store,
        error::StoreResult,
        reports::{PeriodTotal, RevenueItem, RevenuePage, TopBy, TopVideo},
    },
};
use chrono::NaiveDate;

/// Places in a top list.
pub const TOP: u32 = 5;
/// The most items of one page.
pub const MAX_ITEMS: u32 = 1_000;

/// A top list of one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopReport {
    /// The period.
    pub period: Period,
    /// The last day up to which nothing active is unsettled.
    pub settled_through: Option<NaiveDate>,
    /// The places, first to last.
    pub items: Vec<TopVideo>,
}

/// A revenue list of one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevenueReport {
    /// The period.
    pub period: Period,
    /// The last day up to which nothing active is unsettled.
    pub settled_through: Option<NaiveDate>,
    /// Everything together, items of other pages included.
    pub total: PeriodTotal,
    /// The videos of this page.
    pub items: Vec<RevenueItem>,
    /// Where the next page begins, if there is one.
    pub next: Option<VideoId>,
}

/// The last day up to which nothing active is unsettled.
///
/// # Errors
/// Where the store fails.
pub async fn settled_through(store: &dyn Store) -> StoreResult<Option<NaiveDate>> {
    let closed = store.closed_through().await?;
    Ok(match store.first_unsettled_day().await? {
        // Nothing is settled before the first day is closed.
        Some(unsettled) => closed.and(unsettled.pred_opt()),
        None => closed,
    })
}

/// The top 5 of the period of a kind that holds a date.
///
/// # Errors
/// Where the store fails.
pub async fn top(
    store: &dyn Store,
    date: NaiveDate,
    kind: PeriodKind,
    by: TopBy,
) -> StoreResult<TopReport> {
    let period = kind.containing(date);
    Ok(TopReport {
        period,
        settled_through: settled_through(store).await?,
        items: store.top(period, by, TOP).await?,
    })
}

/// The revenue of the period of a kind that holds a date: of one creator, or of all.
///
/// # Errors
/// Where the store fails.
pub async fn revenue(
    store: &dyn Store,
    date: NaiveDate,
    kind: PeriodKind,
    owner: Option<UserId>,
    after: Option<VideoId>,
    limit: u32,
) -> StoreResult<RevenueReport> {
    let period = kind.containing(date);
    let limit = limit.clamp(1, MAX_ITEMS);
    let page = RevenuePage {
        owner,
        after,
        // One more than asked for tells whether there is a next page.
        limit: limit + 1,
    };
    let mut items = store.revenues(period, page).await?;
    let is_full = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if is_full {
        items.pop();
    }
    Ok(RevenueReport {
        period,
        settled_through: settled_through(store).await?,
        total: store.total(period, owner).await?,
        next: items.last().filter(|_| is_full).map(|item| item.video_id),
        items,
    })
}
