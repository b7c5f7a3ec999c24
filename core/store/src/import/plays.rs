//! The import of plays: merges new plays with the history in the order of time. It writes batches in
//! short transactions, so that memory is bounded and no other writer waits for long. If one fails, the
//! rows of the import are removed again.

use crate::{
    Store, StoreError, StoreResult,
    import::{
        ImportRules, Imported, LinkedAccounts, MAX_PLAY_BATCH, PlayCounts, PlayImportError,
        PlaySource, SourcedPlay,
        earlier::{EarlierPlay, earlier_plays},
        linking::add_accounts,
        play_rows::{MAX_AD_VIEWS, NewPlay, ShownAd, insert_ad_views, insert_plays, shown_ads},
        record::{self, Begun, NewImport},
        registration::{BatchUsers, register},
        writes::Writes,
    },
    operations::Actor,
    videos::catalog,
};
use balance_domain::{
    accounts::UserId,
    calendar::{BusinessDay, BusinessTimezone},
    playback::{Admission, EventId, Play, RecentViews, ViewWindow},
    videos::{AdId, AdInterval, AdSchedule, VideoId},
};
use chrono::NaiveDate;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long a transaction stays open for the next batch.
const SOURCE_WAIT: Duration = Duration::from_millis(5);

impl Store {
    /// Imports plays in many transactions. `name` names the files.
    ///
    /// # Errors
    /// If a row is invalid, its day is closed or it contradicts stored data, if another import has not
    /// ended, or if the source or the store fails. Then the rows of the import are removed. If that is not
    /// possible, the next import, the next closing of a day or [`undo_import`](Self::undo_import) does it.
    pub async fn import_plays(
        &self,
        source: &mut dyn PlaySource,
        rules: ImportRules,
        name: &str,
        by: &Actor,
    ) -> Result<Imported, PlayImportError> {
        self.ids.check()?;
        // The first batch is read before the import begins: reading and sorting take time, and an
        // invalid file should leave no record.
        let batch = source.next().await?;
        let first = batch.first().map(|row| row.play.started_at_micros);
        let first_day = first.and_then(|first| rules.timezone.day_of(first).ok());
        let new = NewImport {
            name,
            rules,
            first_date: first_day.map(|day| day.date),
        };
        let begun = record::begin(self, &new).await?;
        let id = begun.id;
        let imported = async {
            let mut import = Import::new(self, begun, rules).await?;
            import.add_all(source, batch).await?;
            Ok(import.complete(by).await?)
        };
        let imported: Result<Imported, PlayImportError> = imported.await;
        if imported.is_err() {
            // The error counts, not that of the removal, which others complete.
            let _ = record::fail(self, id).await;
        }
        imported
    }
}

/// An import that runs.
struct Import<'a> {
    writes: Writes<'a>,
    timezone: BusinessTimezone,
    recent_views: RecentViews,
    rules_version: u32,
    ads: Arc<AdSchedule>,
    /// The ads that the completion creates. Until then no other viewer sees them.
    new_ads: Vec<i64>,
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

impl<'a> Import<'a> {
    async fn new(store: &'a Store, begun: Begun, rules: ImportRules) -> StoreResult<Self> {
        let Begun {
            id,
            closed,
            liveness,
        } = begun;
        let mut tx = store.db.read().await?;
        let (mut ads, new_ads) = catalog::planned_ads(&mut tx, rules.ads).await?;
        ads.extend(&new_ads);
        let (has_history,): (i64,) = tx
            .fetch_one("SELECT EXISTS (SELECT 1 FROM play_history)", &[])
            .await?;
        tx.rollback().await?;
        Ok(Self {
            writes: Writes::new(store, id, liveness),
            timezone: rules.timezone,
            recent_views: RecentViews::new(ViewWindow::from_seconds(rules.view_window_s)),
            rules_version: rules.rules_version,
            ads: Arc::new(AdSchedule::new(
                AdInterval::from_seconds(rules.ad_interval_s),
                ads.into_iter().map(AdId).collect(),
            )),
            new_ads,
            closed,
            has_history: has_history != 0,
            link_accounts: rules.link_accounts,
            day: None,
            latest: HashMap::new(),
            counts: PlayCounts::default(),
        })
    }

    /// Imports all batches of a source.
    async fn add_all(
        &mut self,
        source: &mut dyn PlaySource,
        mut batch: Vec<SourcedPlay>,
    ) -> Result<(), PlayImportError> {
        while !batch.is_empty() {
            if batch.len() > MAX_PLAY_BATCH {
                let reason = "a batch of plays exceeds the maximum size";
                return Err(StoreError::Data(reason.to_owned()).into());
            }
            match self.add(&batch).await {
                Err(PlayImportError::Accounts(accounts)) => {
                    return Err(self.all_accounts(accounts, source).await?);
                }
                added => added?,
            }
            let mut next = source.next();
            batch = match tokio::time::timeout(SOURCE_WAIT, &mut next).await {
                Ok(batch) => batch?,
                Err(_) => {
                    // No transaction is open while the source is slow.
                    self.writes.flush().await?;
                    next.await?
                }
            };
        }
        Ok(())
    }

    /// Imports a batch: its plays, then their ad views.
    async fn add(&mut self, batch: &[SourcedPlay]) -> Result<(), PlayImportError> {
        let mut open = self.writes.begin().await?;
        let tx = &mut open.tx;
        let users = BatchUsers::find(tx, batch).await?;
        if !self.link_accounts {
            let mut accounts = LinkedAccounts::default();
            add_accounts(tx, &users.known, &mut accounts).await?;
            if !accounts.is_empty() {
                return Err(PlayImportError::Accounts(accounts));
            }
        }
        register(tx, self.writes.id(), batch, &users).await?;
        let old = if self.has_history {
            earlier_plays(tx, self.timezone, self.recent_views.window(), batch).await?
        } else {
            Vec::new()
        };
        let new = self.merge(batch, old)?;
        insert_plays(tx, self.writes.id(), self.rules_version, &new).await?;
        self.writes.end(open).await?;
        let ads = Arc::clone(&self.ads);
        let mut shown = Vec::new();
        for ad in shown_ads(&new, &ads) {
            shown.push(ad);
            if shown.len() == MAX_AD_VIEWS {
                self.add_ads(&mut shown).await?;
            }
        }
        self.add_ads(&mut shown).await?;
        Ok(())
    }

    /// Inserts ad views and clears the list.
    async fn add_ads(&mut self, shown: &mut Vec<ShownAd>) -> StoreResult<()> {
        if !shown.is_empty() {
            let mut open = self.writes.begin().await?;
            let tx = &mut open.tx;
            self.counts.ad_views += insert_ad_views(tx, self.writes.id(), shown).await?;
            self.writes.end(open).await?;
            shown.clear();
        }
        Ok(())
    }

    /// Decides about the plays of a batch. Returns the rows to insert.
    fn merge(
        &mut self,
        batch: &[SourcedPlay],
        old: Vec<EarlierPlay>,
    ) -> Result<Vec<NewPlay>, PlayImportError> {
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
        Ok(new)
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
            let mut tx = self.writes.store().db.read().await?;
            let users = BatchUsers::find(&mut tx, &batch).await?;
            add_accounts(&mut tx, &users.known, &mut accounts).await?;
        }
        Ok(PlayImportError::Accounts(accounts))
    }

    async fn complete(self, by: &Actor) -> StoreResult<Imported> {
        let last_date = self.day.map(|day| day.date);
        let id = self.writes.id();
        let (mut tx, _liveness) = self.writes.last().await?;
        catalog::insert_ads(&mut tx, &self.new_ads, Some(id.0)).await?;
        record::complete(&mut tx, id, last_date, &self.counts, by).await?;
        tx.commit().await?;
        Ok(Imported {
            id,
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
}
