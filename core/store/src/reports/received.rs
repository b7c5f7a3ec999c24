//! What the intake received for a video, by day: what was counted, and what was suppressed.

use crate::{
    Store, StoreResult,
    playback::SuppressedReason,
    reports::{ReceivedDay, SuppressedCounts},
    sql::{
        statement::{Query, params},
        tx::Tx,
    },
};
use balance_domain::videos::VideoId;
use chrono::NaiveDate;
use std::collections::BTreeMap;

type Days = BTreeMap<NaiveDate, ReceivedDay>;

impl Store {
    /// Returns the days of a video from `from` to `to`, both included, on which plays or pauses were
    /// counted or suppressed, in order. The counts of later days than `settled_through` are those of the
    /// history. There must be at most 16,384 days.
    pub async fn received_days(
        &self,
        id: VideoId,
        (from, to): (NaiveDate, NaiveDate),
        settled_through: Option<NaiveDate>,
    ) -> StoreResult<Vec<ReceivedDay>> {
        let dates: Vec<NaiveDate> = from.iter_days().take_while(|date| *date <= to).collect();
        if dates.is_empty() {
            return Ok(Vec::new());
        }
        let mut days = Days::new();
        let mut tx = self.db.read().await?;
        if let Some(through) = settled_through {
            add_settled(&mut tx, id, (from, to.min(through)), &mut days).await?;
        }
        let is_open = |date: &NaiveDate| settled_through.is_none_or(|through| *date > through);
        let open: Vec<NaiveDate> = dates.iter().copied().filter(is_open).collect();
        if !open.is_empty() {
            add_open(&mut tx, id, &open, &mut days).await?;
        }
        add_suppressed(&mut tx, id, &dates, &mut days).await?;
        Ok(days.into_values().collect())
    }
}

fn day(days: &mut Days, date: NaiveDate) -> &mut ReceivedDay {
    days.entry(date).or_insert_with(|| ReceivedDay {
        date,
        view_count: 0,
        total_play_time: 0,
        ad_view_count: 0,
        suppressed: SuppressedCounts::default(),
    })
}

async fn add_settled(
    tx: &mut Tx,
    id: VideoId,
    (from, to): (NaiveDate, NaiveDate),
    days: &mut Days,
) -> StoreResult<()> {
    let rows: Vec<(NaiveDate, i64, i64, i64)> = tx
        .fetch_all(
            "SELECT date, view_count, total_play_time, ad_view_count FROM video_statistics \
             WHERE video_id = ? AND date >= ? AND date <= ?",
            &params![id.0, from, to],
        )
        .await?;
    for (date, view_count, total_play_time, ad_view_count) in rows {
        let day = day(days, date);
        day.view_count = view_count;
        day.total_play_time = total_play_time;
        day.ad_view_count = ad_view_count;
    }
    Ok(())
}

async fn add_open(
    tx: &mut Tx,
    id: VideoId,
    dates: &[NaiveDate],
    days: &mut Days,
) -> StoreResult<()> {
    let mut plays = Query::new(
        "SELECT date, CAST(SUM(counted) AS SIGNED), CAST(SUM(play_time) AS SIGNED) \
         FROM play_history WHERE video_id = ",
    );
    plays
        .bind(id.0)
        .push(" AND date IN ")
        .bind_list(dates.iter().copied())
        .push(" GROUP BY date");
    let plays: Vec<(NaiveDate, i64, i64)> = tx.fetch_query(plays).await?;
    for (date, view_count, total_play_time) in plays {
        let day = day(days, date);
        day.view_count = view_count;
        day.total_play_time = total_play_time;
    }
    let mut ads = Query::new("SELECT date, COUNT(*) FROM ad_history WHERE video_id = ");
    ads.bind(id.0)
        .push(" AND date IN ")
        .bind_list(dates.iter().copied())
        .push(" GROUP BY date");
    let ads: Vec<(NaiveDate, i64)> = tx.fetch_query(ads).await?;
    for (date, ad_view_count) in ads {
        day(days, date).ad_view_count = ad_view_count;
    }
    Ok(())
}

async fn add_suppressed(
    tx: &mut Tx,
    id: VideoId,
    dates: &[NaiveDate],
    days: &mut Days,
) -> StoreResult<()> {
    let mut sql = Query::new(
        "SELECT date, reason, CAST(SUM(count) AS SIGNED) FROM refusal_count WHERE video_id = ",
    );
    sql.bind(id.0)
        .push(" AND date IN ")
        .bind_list(dates.iter().copied())
        .push(" GROUP BY date, reason");
    let rows: Vec<(NaiveDate, String, i64)> = tx.fetch_query(sql).await?;
    for (date, reason, count) in rows {
        let reason = SuppressedReason::ALL
            .into_iter()
            .find(|one| one.name() == reason);
        // A later version can have counted other reasons.
        let Some(reason) = reason else { continue };
        let counts = &mut day(days, date).suppressed;
        let total = match reason {
            SuppressedReason::Repeat => &mut counts.repeat,
            SuppressedReason::Own => &mut counts.own,
            SuppressedReason::Capped => &mut counts.capped_s,
            SuppressedReason::AdCapped => &mut counts.ad_capped,
            SuppressedReason::Rate => &mut counts.rate,
        };
        *total = count;
    }
    Ok(())
}
