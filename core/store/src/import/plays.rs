//! The import of plays: merges new plays with the history in the order of time. It processes batches,
//! so that its memory is bounded.

use crate::{
    Store, StoreError, StoreResult,
    import::{
        ImportId, ImportRules, Imported, LinkedAccounts, MAX_PLAY_BATCH, PlayCounts,
        PlayImportError, PlaySource, SourcedPlay,
        linking::add_accounts,
        play_rows::{NewPlay, insert_ads, insert_plays},
        record::{self, Begun, NewImport},
        registration::{BatchUsers, register},
    },
    operations::Actor,
    settlement::days::next_active_day,
    sql::{statement::params, tx::Tx},
    videos::catalog,
};
use balance_domain::{
    accounts::UserId,
    calendar::{BusinessDay, BusinessTimezone},
    playback::{Admission, EventId, Play, RecentViews, ViewWindow},
    videos::{AdId, AdInterval, AdSchedule, VideoId},
};
use chrono::NaiveDate;
use std::collections::{HashMap, HashSet};

impl Store {
    /// Imports plays in one transaction. On a server, the record of the import is written before it.
    /// `name` names the files.
    ///
    /// # Errors
    /// If a row is invalid, its day is closed or it contradicts stored data, if another import has not
    /// ended, or if the source or the store fails. Then nothing was changed.
    pub async fn import_plays(
        &self,
        source: &mut dyn PlaySource,
        rules: ImportRules,
        name: &str,
        by: &Actor,
    ) -> Result<Imported, PlayImportError> {
        // The first batch is read before the transaction begins: reading and sorting take time, and an
        // invalid file should not acquire a lock.
        let batch = source.next().await?;
        let first = batch.first().map(|row| row.play.started_at_micros);
        let first_day = first.and_then(|first| rules.timezone.day_of(first).ok());
        let new = NewImport {
            name,
            rules,
            first_date: first_day.map(|day| day.date),
        };
        let Begun { tx, id, closed } = record::begin(self, &new).await?;
        let result = import(tx, id, closed, rules, source, batch, by).await;
        if result.is_err() {
            // The transaction has ended. If this fails, the next import removes the record.
            let _ = record::forget(self, id).await;
        }
        result
    }
}

/// Imports all batches of a source in a transaction.
async fn import(
    tx: Tx,
    id: ImportId,
    closed: Option<NaiveDate>,
    rules: ImportRules,
    source: &mut dyn PlaySource,
    mut batch: Vec<SourcedPlay>,
    by: &Actor,
) -> Result<Imported, PlayImportError> {
    let mut import = Import::new(tx, id, closed, rules).await?;
    let result = async {
        while !batch.is_empty() {
            if batch.len() > MAX_PLAY_BATCH {
                let reason = "a batch of plays exceeds the maximum size";
                return Err(StoreError::Data(reason.to_owned()).into());
            }
            match import.add(&batch).await {
                Err(PlayImportError::Accounts(accounts)) => {
                    return Err(import.all_accounts(accounts, source).await?);
                }
                added => added?,
            }
            batch = source.next().await?;
        }
        Ok(())
    };
    if let Err(error) = result.await {
        // The error counts, not that of the rollback: SQLite has rolled back by itself if the disk is full.
        let _ = import.tx.rollback().await;
        return Err(error);
    }
    Ok(import.commit(by).await?)
}

/// A play of the existing history.
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
struct Import {
    tx: Tx,
    id: ImportId,
    timezone: BusinessTimezone,
    recent_views: RecentViews,
    rules_version: u32,
    ads: AdSchedule,
    closed: Option<NaiveDate>,
    /// Whether the history contained plays before the import.
    has_history: bool,
    /// Whether ids of the files may be those of accounts.
    link_accounts: bool,
    /// The day of the last play. The next one usually belongs to the same day.
    day: Option<BusinessDay>,
    /// The new plays at the time of the last one. Equal rows are detected with them.
    latest: HashMap<EventId, Play>,
    counts: PlayCounts,
}

impl Import {
    async fn new(
        mut tx: Tx,
        id: ImportId,
        closed: Option<NaiveDate>,
        rules: ImportRules,
    ) -> StoreResult<Self> {
        let ads = catalog::ensure_ads(&mut tx, rules.ads, Some(id.0)).await?;
        let (has_history,): (i64,) = tx
            .fetch_one("SELECT EXISTS (SELECT 1 FROM play_history)", &[])
            .await?;
        Ok(Self {
            tx,
            id,
            timezone: rules.timezone,
            recent_views: RecentViews::new(ViewWindow::from_seconds(rules.view_window_s)),
            rules_version: rules.rules_version,
            ads: AdSchedule::new(
                AdInterval::from_seconds(rules.ad_interval_s),
                ads.into_iter().map(AdId).collect(),
            ),
            closed,
            has_history: has_history != 0,
            link_accounts: rules.link_accounts,
            day: None,
            latest: HashMap::new(),
            counts: PlayCounts::default(),
        })
    }

    /// Imports a batch.
    async fn add(&mut self, batch: &[SourcedPlay]) -> Result<(), PlayImportError> {
        let users = BatchUsers::find(&mut self.tx, batch).await?;
        if !self.link_accounts {
            let mut accounts = LinkedAccounts::default();
            add_accounts(&mut self.tx, &users.known, &mut accounts).await?;
            if !accounts.is_empty() {
                return Err(PlayImportError::Accounts(accounts));
            }
        }
        register(&mut self.tx, self.id, batch, &users).await?;
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
            // Applies the earlier counted views of the history first.
            while let Some(old) =
                old.next_if(|old| old.occurred_at_micros <= play.started_at_micros)
            {
                if old.counted > 0 {
                    let (user, video) = (UserId(old.user_id), VideoId(old.video_id));
                    self.recent_views
                        .remember(user, video, old.occurred_at_micros);
                }
            }
            if let Some(row) = self.admit(sourced, &known)? {
                new.push(row);
            }
        }
        insert_plays(&mut self.tx, self.id, self.rules_version, &new).await?;
        insert_ads(&mut self.tx, self.id, &new, &self.ads, &mut self.counts).await?;
        Ok(())
    }

    /// Reads the rest of the source for further accounts. Returns the error that names them.
    async fn all_accounts(
        &mut self,
        mut accounts: LinkedAccounts,
        source: &mut dyn PlaySource,
    ) -> Result<PlayImportError, PlayImportError> {
        while !accounts.is_full() {
            let batch = source.next().await?;
            if batch.is_empty() {
                break;
            }
            let users = BatchUsers::find(&mut self.tx, &batch).await?;
            add_accounts(&mut self.tx, &users.known, &mut accounts).await?;
        }
        Ok(PlayImportError::Accounts(accounts))
    }

    async fn commit(mut self, by: &Actor) -> StoreResult<Imported> {
        let last_date = self.day.map(|day| day.date);
        record::complete(&mut self.tx, self.id, last_date, &self.counts, by).await?;
        self.tx.commit().await?;
        Ok(Imported {
            id: self.id,
            counts: self.counts,
        })
    }

    /// Decides about a play. Returns the row to insert, or `None` for a known play or a repeat.
    fn admit(
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
            .or_else(|| self.latest.get(&event_id).map(|play| play.play_time_s));
        if let Some(seconds) = earlier {
            if seconds != play.play_time_s {
                return Err(sourced.rejected(
                    "play_time_s",
                    format!(
                        "the same play (user {}, video {}) was imported with {seconds} seconds, \
                         here with {}",
                        play.user_id, play.video_id, play.play_time_s
                    ),
                ));
            }
            self.counts.already_there += 1;
            return Ok(None);
        }
        let admission = self.recent_views.admit(&play);
        if admission == Admission::Repeat {
            self.counts.repeats += 1;
            return Ok(None);
        }
        self.counts.new += 1;
        let is_counted = admission == Admission::Counted;
        *(if is_counted {
            &mut self.counts.counted
        } else {
            &mut self.counts.own
        }) += 1;
        self.remember_latest(event_id, play);
        Ok(Some(NewPlay {
            event_id,
            date,
            play,
            is_counted,
        }))
    }

    /// Remembers the plays of the latest time only. Equal rows are adjacent in the order of time.
    fn remember_latest(&mut self, event_id: EventId, play: Play) {
        let is_later = self
            .latest
            .values()
            .next()
            .is_some_and(|last| last.started_at_micros < play.started_at_micros);
        if is_later {
            self.latest.clear();
        }
        self.latest.insert(event_id, play);
    }

    /// Returns the business day of a play. Rejects a closed day.
    fn date_of(&mut self, sourced: &SourcedPlay) -> Result<NaiveDate, PlayImportError> {
        let at_micros = sourced.play.started_at_micros;
        let day = match self.day {
            Some(day) if day.contains(at_micros) => day,
            _ => {
                let day = self
                    .timezone
                    .day_of(at_micros)
                    .map_err(|error| sourced.rejected("started_at", error.to_string()))?;
                if let Some(closed) = self.closed.filter(|closed| day.date <= *closed) {
                    return Err(sourced.rejected(
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

    /// Returns the history of the batch's users and videos in the order of time, from one view window
    /// before the batch to its end. Other rows are streamed and dropped.
    async fn old_plays(&mut self, batch: &[SourcedPlay]) -> StoreResult<Vec<OldPlay>> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return Ok(Vec::new());
        };
        if !self.has_history {
            return Ok(Vec::new());
        }
        let from = first.play.started_at_micros - self.recent_views.window().micros();
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
        // One query per day, so that each reads a range of the primary key.
        let mut before = first_day.pred_opt();
        while let Some(date) = next_active_day(&mut self.tx, before).await?
            && date <= last_day
        {
            self.tx
                .fetch_each(
                    "SELECT event_id, user_id, video_id, occurred_at_micros, counted, \
                     reported_time FROM play_history \
                     WHERE date = ? AND event_id BETWEEN ? AND ?",
                    &params![
                        date,
                        EventId::floor(from).0.to_vec(),
                        EventId::ceiling(until).0.to_vec()
                    ],
                    |row: OldPlay| {
                        if pairs.contains(&(row.user_id, row.video_id)) {
                            old.push(row);
                        }
                    },
                )
                .await?;
            before = Some(date);
        }
        old.sort_by_key(|row| row.occurred_at_micros);
        Ok(old)
    }
}
