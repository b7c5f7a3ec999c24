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
    reports::{PeriodTotal, ReceivedDay, RevenueItem, RevenuePage, TopBy, TopVideo, VideoDay},
};
use chrono::NaiveDate;
use std::sync::Arc;

/// The number of videos in a top list.
pub const TOP: u32 = 5;
/// The most items of a page.
pub const MAX_ITEMS: u32 = 1_000;

/// The top list of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopReport {
    pub period: Period,
    /// The last day up to which all days with plays are settled.
    pub settled_through: Option<NaiveDate>,
    /// The total of the period.
    pub total: PeriodTotal,
    /// The videos, best first.
    pub items: Vec<TopVideo>,
}

/// The revenue list of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevenueReport {
    pub period: Period,
    /// The last day up to which all days with plays are settled.
    pub settled_through: Option<NaiveDate>,
    /// The total over all pages.
    pub total: PeriodTotal,
    /// The videos of this page.
    pub items: Vec<RevenueItem>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<VideoId>,
}

/// The settled days of a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoReport {
    /// The last day up to which all days with plays are settled.
    pub settled_through: Option<NaiveDate>,
    /// The days in order, without days that had no activity.
    pub days: Vec<VideoDay>,
}

/// Returns the last day up to which all days with plays are settled, from the last closed day and
/// the first unsettled day.
pub(crate) fn settled_through(
    closed: Option<NaiveDate>,
    unsettled: Option<NaiveDate>,
) -> Option<NaiveDate> {
    match unsettled {
        // A day that is not closed can still get plays.
        Some(unsettled) => closed.min(unsettled.pred_opt()),
        None => closed,
    }
}

/// Returns whether no day from `from` on is settled. The rows of a day that is being settled are
/// incomplete.
fn begins_after(from: NaiveDate, settled_through: Option<NaiveDate>) -> bool {
    settled_through.is_none_or(|through| from > through)
}

/// Reads settled results. While a day is being settled, the items of its week and month may already
/// include it; their totals include it after the settlement.
#[derive(Clone)]
pub struct Reports {
    store: Arc<Store>,
}

impl Reports {
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Returns the last day up to which all days with plays are settled.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn settled_through(&self) -> StoreResult<Option<NaiveDate>> {
        let closed = self.store.closed_through().await?;
        let unsettled = self.store.first_unsettled_day().await?;
        Ok(settled_through(closed, unsettled))
    }

    /// Returns the top 5 videos of the period of a kind that contains a date.
    ///
    /// # Errors
    /// If the store fails.
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

    /// Returns the revenue of the period of a kind that contains a date, of one creator or of all.
    /// `limit` is clamped to 1 to [`MAX_ITEMS`].
    ///
    /// # Errors
    /// If the store fails.
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
            // One more row shows whether a next page exists.
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

    /// Returns the settled days of a video from `from` to `to`, both included.
    ///
    /// # Errors
    /// If the store fails.
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

    /// Returns what was counted and suppressed of a video on the days of a range, both ends included. The
    /// range has at most 366 days.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn received(
        &self,
        id: VideoId,
        range: (NaiveDate, NaiveDate),
    ) -> StoreResult<Vec<ReceivedDay>> {
        let settled_through = self.settled_through().await?;
        self.store.received_days(id, range, settled_through).await
    }
}
