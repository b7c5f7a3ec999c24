//! An import of plays in its transaction: the new plays are merged with the history in the order of
//! time, batch by batch, so that memory stays bounded.

use crate::{
    Store, StoreResult,
    import::{PlayCounts, PlayImportError, PlayRules, SourcedPlay},
    settlement::days::{closed_through, next_active_day},
    sql::{statement::params, tx::Tx},
    videos::catalog::{self, known_videos},
};
use balance_domain::{
    accounts::UserId,
    calendar::{BusinessDay, BusinessTimezone},
    playback::{Admission, EventId, Play, ViewWindow},
    videos::{AdId, AdSchedule, AdSlot, Video, VideoId},
};
use chrono::NaiveDate;
use std::collections::{HashMap, HashSet};

/// A row to be written.
struct NewPlay {
    event_id: EventId,
    date: NaiveDate,
    play: Play,
    counted: bool,
}

/// A row of the history, as far as the import compares with it.
#[derive(sqlx::FromRow)]
struct OldPlay {
    event_id: Vec<u8>,
    user_id: i64,
    video_id: i64,
    occurred_at_micros: i64,
    counted: i64,
    reported_time: i64,
}

impl OldPlay {
    fn id(&self) -> Option<EventId> {
        self.event_id.as_slice().try_into().ok().map(EventId)
    }
}

/// An import in its transaction.
pub(crate) struct Import {
    tx: Tx,
    timezone: BusinessTimezone,
    view_window: ViewWindow,
    ads: AdSchedule,
    closed: Option<NaiveDate>,
    /// Whether the database held history before: else there is nothing to compare with but what
    /// this import wrote.
    has_history: bool,
    /// The day of the last play: most plays are of the same day as the one before.
    day: Option<BusinessDay>,
    /// The plays of the last instant written, which an equal row that follows is compared with.
    recent: HashMap<EventId, Play>,
    counts: PlayCounts,
}

impl Import {
    pub(crate) async fn begin(store: &Store, rules: PlayRules) -> StoreResult<Self> {
        let mut tx = store.db.write().await?;
        let lock = tx.for_share();
        let closed = closed_through(&mut tx, lock).await?;
        let ads = catalog::ensure_ads(&mut tx, rules.ads).await?;
        let (has_history,): (i64,) = tx
            .fetch_one("SELECT EXISTS (SELECT 1 FROM play_history)", &[])
            .await?;
        Ok(Self {
            tx,
            timezone: rules.timezone,
            view_window: ViewWindow::new(i64::from(rules.view_window_s)),
            ads: AdSchedule::new(
                i64::from(rules.ad_interval_s),
                ads.into_iter().map(AdId).collect(),
            ),
            closed,
            has_history: has_history != 0,
            day: None,
            recent: HashMap::new(),
            counts: PlayCounts::default(),
        })
    }

    pub(crate) async fn add(&mut self, batch: &[SourcedPlay]) -> Result<(), PlayImportError> {
        self.register(batch).await?;
        let old = self.old_plays(batch).await?;
        let known: HashMap<EventId, i64> = old
            .iter()
            .filter_map(|old| Some((old.id()?, old.reported_time)))
            .collect();
        let mut old = old.into_iter().peekable();
        let mut new = Vec::with_capacity(batch.len());
        for sourced in batch {
            self.counts.read += 1;
            let play = &sourced.play;
            // The history's own counted views take their place in the order of time.
            while let Some(old) =
                old.next_if(|old| old.occurred_at_micros <= play.started_at_micros)
            {
                if old.counted > 0 {
                    let (user, video) = (UserId(old.user_id), VideoId(old.video_id));
                    self.view_window
                        .remember(user, video, old.occurred_at_micros);
                }
            }
            if let Some(row) = self.judge(sourced, &known)? {
                new.push(row);
            }
        }
        self.insert(&new).await?;
        Ok(())
    }

    /// Makes it all true.
    pub(crate) async fn commit(self) -> StoreResult<PlayCounts> {
        self.tx.commit().await?;
        Ok(self.counts)
    }

    /// Decides about one play: a row to write, or nothing where it is there already or a repeat.
    fn judge(
        &mut self,
        sourced: &SourcedPlay,
        known: &HashMap<EventId, i64>,
    ) -> Result<Option<NewPlay>, PlayImportError> {
        let play = sourced.play;
        let date = self.date_of(sourced)?;
        let event_id = EventId::of_import(play.user_id, play.video_id, play.started_at_micros);
        let earlier = known
            .get(&event_id)
            .copied()
            .or_else(|| self.recent.get(&event_id).map(|play| play.play_time_s));
        if let Some(seconds) = earlier {
            if seconds != play.play_time_s {
                return Err(refused(
                    sourced,
                    "play_time_s",
                    format!(
                        "the same play (user {}, video {}) is known with {seconds} seconds, \
                         here with {}",
                        play.user_id, play.video_id, play.play_time_s
                    ),
                ));
            }
            self.counts.already_there += 1;
            return Ok(None);
        }
        let admission = self.view_window.admit(&play);
        if admission == Admission::Repeat {
            self.counts.repeats += 1;
            return Ok(None);
        }
        self.counts.new += 1;
        let counted = admission == Admission::Counted;
        *(if counted {
            &mut self.counts.counted
        } else {
            &mut self.counts.own
        }) += 1;
        self.remember_instant(event_id, play);
        Ok(Some(NewPlay {
            event_id,
            date,
            play,
            counted,
        }))
    }

    /// Equal rows follow each other in time order, so only the last instant is kept.
    fn remember_instant(&mut self, event_id: EventId, play: Play) {
        let is_later = self
            .recent
            .values()
            .next()
            .is_some_and(|last| last.started_at_micros < play.started_at_micros);
        if is_later {
            self.recent.clear();
        }
        self.recent.insert(event_id, play);
    }

    fn date_of(&mut self, sourced: &SourcedPlay) -> Result<NaiveDate, PlayImportError> {
        let at_micros = sourced.play.started_at_micros;
        let day = match self.day {
            Some(day) if day.contains(at_micros) => day,
            _ => {
                let day = self
                    .timezone
                    .day_of(at_micros)
                    .map_err(|error| refused(sourced, "started_at", error.to_string()))?;
                if let Some(closed) = self.closed.filter(|closed| day.date <= *closed) {
                    return Err(refused(
                        sourced,
                        "started_at",
                        format!(
                            "the business day {} ({}) is closed; days are closed through {closed}",
                            day.date, self.timezone
                        ),
                    ));
                }
                self.day = Some(day);
                day
            }
        };
        Ok(day.date)
    }

    /// Registers the videos and people of a batch, and refuses a video that is known otherwise.
    async fn register(&mut self, batch: &[SourcedPlay]) -> Result<(), PlayImportError> {
        let ids: HashSet<VideoId> = batch.iter().map(|row| row.play.video_id).collect();
        let mut known = known_videos(&mut self.tx, &ids).await?;
        let mut videos = Vec::new();
        let mut people = HashSet::new();
        for row in batch {
            let play = &row.play;
            people.insert(play.user_id);
            people.insert(play.owner_id);
            let here = (play.owner_id, play.duration_s);
            let (owner, duration) = *known.entry(play.video_id).or_insert_with(|| {
                videos.push(Video {
                    id: play.video_id,
                    owner_id: play.owner_id,
                    title: format!("video-{}", play.video_id),
                    duration_s: play.duration_s,
                });
                here
            });
            if owner != play.owner_id {
                return Err(refused(
                    row,
                    "owner_id",
                    format!(
                        "video {} is known with owner {owner}, here with {}",
                        play.video_id, play.owner_id
                    ),
                ));
            }
            if duration != play.duration_s {
                return Err(refused(
                    row,
                    "video_duration_s",
                    format!(
                        "video {} is known with {duration} seconds, here with {}",
                        play.video_id, play.duration_s
                    ),
                ));
            }
        }
        catalog::insert_people(&mut self.tx, &people).await?;
        catalog::insert_videos(&mut self.tx, &videos).await?;
        Ok(())
    }

    /// The history of the batch's users and videos over the batch's time and one window before
    /// it, in the order of time. Streamed, so that only what concerns the batch is held.
    async fn old_plays(&mut self, batch: &[SourcedPlay]) -> StoreResult<Vec<OldPlay>> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return Ok(Vec::new());
        };
        if !self.has_history {
            return Ok(Vec::new());
        }
        let from = first.play.started_at_micros - self.view_window.window_micros();
        let until = last.play.started_at_micros;
        let day = |at| self.timezone.day_of(at).map(|day| day.date);
        let (Ok(first_day), Ok(last_day)) = (day(from.max(0)), day(until)) else {
            return Ok(Vec::new());
        };
        let pairs: HashSet<(i64, i64)> = batch
            .iter()
            .map(|row| (row.play.user_id.0, row.play.video_id.0))
            .collect();
        let mut old: Vec<OldPlay> = Vec::new();
        // Day by day, so that each is a range of the primary key.
        let mut before = first_day.pred_opt();
        while let Some(date) = next_active_day(&mut self.tx, before).await?
            && date <= last_day
        {
            self.tx.fetch_each("SELECT event_id, user_id, video_id, occurred_at_micros, counted, reported_time \
                 FROM play_history WHERE date = ? AND event_id BETWEEN ? AND ?", &params![date, EventId::floor(from).0.to_vec(), EventId::ceiling(until).0.to_vec()], |row: OldPlay| {
                    if pairs.contains(&(row.user_id, row.video_id)) {
                        old.push(row);
                    }
                }).await?;
            before = Some(date);
        }
        old.sort_by_key(|row| row.occurred_at_micros);
        Ok(old)
    }

    async fn insert(&mut self, new: &[NewPlay]) -> StoreResult<()> {
        self.tx
            .insert_rows(
                "INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, \
             counted, play_time, reported_time) ",
                &new[..],
                |new| {
                    // An own play enters no statistics: neither its view nor its seconds.
                    let credited = if new.counted { new.play.play_time_s } else { 0 };
                    params![
                        new.date,
                        &new.event_id.0[..],
                        new.play.video_id.0,
                        new.play.user_id.0,
                        new.play.started_at_micros,
                        i64::from(new.counted),
                        credited,
                        new.play.play_time_s
                    ]
                },
                "",
            )
            .await?;
        self.insert_ads(new).await
    }

    async fn insert_ads(&mut self, new: &[NewPlay]) -> StoreResult<()> {
        let mut shown = Vec::new();
        for row in new.iter().filter(|row| row.counted) {
            let until = row.play.play_time_s.min(row.play.duration_s);
            for slot in self.ads.shown(0, until) {
                shown.push((row.date, row.play, slot));
                if shown.len() == ADS_AHEAD {
                    insert_ad_views(&mut self.tx, &mut shown, &mut self.counts).await?;
                }
            }
        }
        insert_ad_views(&mut self.tx, &mut shown, &mut self.counts).await
    }
}

/// Ad views held at a time: long plays with close slots make many.
const ADS_AHEAD: usize = 10_000;

/// Writes ad views, and forgets them.
async fn insert_ad_views(
    tx: &mut Tx,
    shown: &mut Vec<(NaiveDate, Play, AdSlot)>,
    counts: &mut PlayCounts,
) -> StoreResult<()> {
    let key = |(date, play, slot): &(NaiveDate, Play, AdSlot)| {
        (*date, play.video_id.0, play.user_id.0, slot.slot_s)
    };
    let mut keys = HashSet::new();
    shown.retain(|ad| keys.insert(key(ad)));
    let known = tx.known_ad_views(&keys).await?;
    let keep = tx.on_conflict_keep("date, video_id, user_id, slot_s");
    let inserted = tx
        .insert_rows(
            "INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id) ",
            &shown[..],
            |ad| {
                let (date, video, user, slot_s) = key(ad);
                params![date, video, user, slot_s, ad.2.ad_id.0]
            },
            keep.as_str(),
        )
        .await?;
    counts.ad_views += inserted.saturating_sub(known);
    shown.clear();
    Ok(())
}

fn refused(row: &SourcedPlay, column: &'static str, reason: String) -> PlayImportError {
    PlayImportError::Row {
        file: row.file,
        line: row.line,
        column: Some(column),
        reason,
    }
}
