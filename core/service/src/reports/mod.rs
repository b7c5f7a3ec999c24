//! Reports by day, week and month.

mod table;

pub use table::{revenue_csv, top_csv, video_csv};

use crate::listing::Listing;
use balance_domain::{
    accounts::UserId,
    period::{Period, PeriodKind},
    videos::VideoId,
};
use balance_store::{
    Store, StoreResult,
    reports::{PeriodTotal, RevenueItem, RevenuePage, TopBy, TopVideo, VideoDay},
};
use chrono::NaiveDate;
use std::sync::Arc;

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
    /// Everything in the period together.
    pub total: PeriodTotal,
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

/// A video's settled days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoReport {
    /// The last day up to which nothing active is unsettled.
    pub settled_through: Option<NaiveDate>,
    /// The days, in order; those without activity have none.
    pub days: Vec<VideoDay>,
}

/// The last day up to which nothing active is unsettled, by the last closed day and the first
/// unsettled one.
pub(crate) fn settled_through(
    closed: Option<NaiveDate>,
    unsettled: Option<NaiveDate>,
) -> Option<NaiveDate> {
    match unsettled {
        // What is not closed can still get plays, though it has none yet.
        Some(unsettled) => closed.min(unsettled.pred_opt()),
        None => closed,
    }
}

/// Whether nothing from a day on is settled: a day at work has rows already, and they are not whole.
fn begins_after(from: NaiveDate, settled_through: Option<NaiveDate>) -> bool {
    settled_through.is_none_or(|through| from > through)
}

/// Reads what was settled. A week or month that holds a day at work may have that day in its items
/// already; its total has it when the day is settled.
#[derive(Clone)]
pub struct Reports {
    store: Arc<Store>,
}

impl Reports {
    /// A service on a store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The last day up to which nothing active is unsettled.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn settled_through(&self) -> StoreResult<Option<NaiveDate>> {
        let closed = self.store.closed_through().await?;
        let unsettled = self.store.first_unsettled_day().await?;
        Ok(settled_through(closed, unsettled))
    }

    /// The top 5 of the period of a kind that holds a date.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn top(
        &self,
        date: NaiveDate,
        kind: PeriodKind,
        by: TopBy,
    ) -> StoreResult<TopReport> {
        let period = kind.containing(date);
        let settled_through = self.settled_through().await?;
        if begins_after(period.from, settled_through) {
            return Ok(TopReport {
                period,
                settled_through,
                total: PeriodTotal::default(),
                items: Vec::new(),
            });
        }
        Ok(TopReport {
            period,
            settled_through,
            total: self.store.total(period, None).await?,
            items: self.store.top(period, by, TOP).await?,
        })
    }

    /// The revenue of the period of a kind that holds a date: of one creator, or of all.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn revenue(
        &self,
        date: NaiveDate,
        kind: PeriodKind,
        owner: Option<UserId>,
        after: Option<VideoId>,
        limit: u32,
    ) -> StoreResult<RevenueReport> {
        let period = kind.containing(date);
        let limit = limit.clamp(1, MAX_ITEMS);
        let settled_through = self.settled_through().await?;
        if begins_after(period.from, settled_through) {
            return Ok(RevenueReport {
                period,
                settled_through,
                total: PeriodTotal::default(),
                items: Vec::new(),
                next: None,
            });
        }
        let page = RevenuePage {
            owner,
            after,
            // One more than asked for tells whether there is a next page.
            limit: limit + 1,
        };
        let items = self.store.revenues(period, page).await?;
        let page = Listing::of(items, limit, |last| last.video_id);
        Ok(RevenueReport {
            period,
            settled_through,
            total: self.store.total(period, owner).await?,
            items: page.items,
            next: page.next,
        })
    }

    /// A video's settled days from one to another, both included.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn video(
        &self,
        id: VideoId,
        from: NaiveDate,
        to: NaiveDate,
    ) -> StoreResult<VideoReport> {
        let settled_through = self.settled_through().await?;
        let days = match settled_through {
            Some(through) if from <= through => {
                self.store.video_days(id, from, to.min(through)).await?
            }
            _ => Vec::new(),
        };
        Ok(VideoReport {
            settled_through,
            days,
        })
    }
}
