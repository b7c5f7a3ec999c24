//! The intake on the database: processes a group of requests in one transaction.

use crate::{
    Store, StoreError, StoreResult,
    events::SuppressedShard,
    playback::{
        Command, IntakeAnswer, IntakeRequest, Lifetimes, RulesVersion, SuppressedReason,
        VideoFacts,
        clock::{self, IntakeTime},
        intake_reply, play_rules,
    },
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
    videos::catalog,
};
use balance_domain::{
    accounts::UserId,
    calendar::BusinessTimezone,
    playback::{Credit, Session, ViewWindow},
    units::MICROS_PER_S,
    videos::{AdId, AdInterval, AdSchedule, VideoId},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

/// The interval in microseconds at which expired rows are deleted.
const SWEEP_MICROS: i64 = 60 * MICROS_PER_S;

impl Store {
    /// Processes a group of requests in order in one transaction and returns their answers. The newest
    /// rules decide. The current day cannot be closed before the commit.
    pub async fn accept(
        &self,
        group: &[IntakeRequest],
        lifetimes: &Lifetimes,
        timezone: BusinessTimezone,
    ) -> StoreResult<Vec<IntakeAnswer>> {
        let answers = self
            .accept_wanted(group, lifetimes, timezone, |_| true)
            .await?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// Processes those requests of a group that are still wanted when their turn comes: the wait for the
    /// database can be long. `is_wanted` receives the position of a request. Returns an answer for each
    /// request, `None` for one that was left out.
    pub async fn accept_wanted(
        &self,
        group: &[IntakeRequest],
        lifetimes: &Lifetimes,
        timezone: BusinessTimezone,
        is_wanted: impl Fn(usize) -> bool,
    ) -> StoreResult<Vec<Option<IntakeAnswer>>> {
        let mut intake = Group::begin(self, lifetimes, timezone).await?;
        let mut answers = Vec::with_capacity(group.len());
        for (position, request) in group.iter().enumerate() {
            answers.push(match is_wanted(position) {
                true => Some(intake.accept(request).await?),
                false => None,
            });
        }
        intake.tx.commit().await?;
        Ok(answers)
    }

    /// Returns the facts about a video that the intake needs, if the video exists.
    pub async fn video_facts(&self, id: VideoId) -> StoreResult<Option<VideoFacts>> {
        let mut tx = self.db.read().await?;
        let row: Option<(i64, i64)> = tx
            .fetch_optional(
                "SELECT owner_id, duration_s FROM video WHERE id = ?",
                &params![id.0],
            )
            .await?;
        Ok(row.map(|(owner, duration_s)| VideoFacts {
            id,
            owner_id: UserId(owner),
            duration_s,
        }))
    }
}

/// A group of requests in its transaction. All requests have the same time.
struct Group<'a> {
    tx: Tx,
    lifetimes: &'a Lifetimes,
    rules: RulesVersion,
    time: IntakeTime,
    date: NaiveDate,
    /// Loaded for the first shown ad.
    ads: Option<AdSchedule>,
}

impl<'a> Group<'a> {
    async fn begin(
        store: &Store,
        lifetimes: &'a Lifetimes,
        timezone: BusinessTimezone,
    ) -> StoreResult<Self> {
        let mut tx = store.db.write().await?;
        // Locked first by each writer of the history: the day stays open until the commit.
        let lock = tx.for_share();
        let closed = closed_through(&mut tx, lock).await?;
        let rules = play_rules::required(&mut tx).await?;
        let time = clock::advance(store, &mut tx, closed, timezone).await?;
        let minute = |micros: i64| micros.div_euclid(SWEEP_MICROS);
        if minute(time.last_passed_micros) != minute(time.passed_micros) {
            let now = time.passed_micros;
            sweep(&mut tx, now, expired_before(now, lifetimes, rules)).await?;
        }
        let day = timezone.day_of(time.at_micros);
        Ok(Self {
            tx,
            lifetimes,
            rules,
            date: day
                .map_err(|error| StoreError::Data(error.to_string()))?
                .date,
            time,
            ads: None,
        })
    }

    async fn accept(&mut self, request: &IntakeRequest) -> StoreResult<IntakeAnswer> {
        if let Some(key) = &request.key
            && let Some(answer) =
                intake_reply::find(&mut self.tx, request, key, self.time.passed_micros).await?
        {
            return Ok(answer);
        }
        let answer = match request.command {
            Command::Play => self.play(request).await?,
            Command::Pause { current_s } => self.pause(request, current_s).await?,
        };
        if let Some(key) = &request.key {
            let replay = i64::from(self.lifetimes.replay_s) * MICROS_PER_S;
            let expires = self.time.passed_micros.saturating_add(replay);
            intake_reply::store(&mut self.tx, request, key, answer, expires).await?;
        }
        Ok(answer)
    }

    async fn play(&mut self, request: &IntakeRequest) -> StoreResult<IntakeAnswer> {
        let is_own = request.user_id == request.video.owner_id;
        if is_own {
            self.count_suppressed(request, SuppressedReason::Own, 1)
                .await?;
        } else if let Some(until_micros) = self.open_view_window(request).await? {
            self.count_suppressed(request, SuppressedReason::Repeat, 1)
                .await?;
            return Ok(IntakeAnswer::Repeat {
                retry_after_ms: ViewWindow::retry_after_ms(until_micros, self.time.passed_micros),
            });
        }
        let session = Session::play(self.session(request).await?, self.time.passed_micros);
        self.store_session(request, session).await?;
        self.record(request, !is_own, 0, 0).await?;
        Ok(IntakeAnswer::Playing {
            resume_at_s: session.position_s,
            is_counted: !is_own,
        })
    }

    /// Opens a view window for a view. Returns the end of the window that is open already, if any.
    async fn open_view_window(&mut self, request: &IntakeRequest) -> StoreResult<Option<i64>> {
        let row: Option<(i64,)> = self
            .tx
            .fetch_optional(
                "SELECT until_micros FROM view_gate \
             WHERE user_id = ? AND video_id = ? AND until_micros > ?",
                &params![
                    request.user_id.0,
                    request.video.id.0,
                    self.time.passed_micros
                ],
            )
            .await?;
        if let Some((until_micros,)) = row {
            return Ok(Some(until_micros));
        }
        let window = ViewWindow::from_seconds(self.rules.rules.view_window_s);
        self.tx
            .execute(
                "REPLACE INTO view_gate (user_id, video_id, until_micros) VALUES (?, ?, ?)",
                &params![
                    request.user_id.0,
                    request.video.id.0,
                    window.end_micros(self.time.passed_micros)
                ],
            )
            .await?;
        Ok(None)
    }

    async fn pause(
        &mut self,
        request: &IntakeRequest,
        current_s: i64,
    ) -> StoreResult<IntakeAnswer> {
        let session = self.session(request).await?.filter(|one| one.is_open);
        let Some(session) = session else {
            return Ok(IntakeAnswer::NoSession);
        };
        let is_own = request.user_id == request.video.owner_id;
        let (next, credit) = session.pause(
            current_s,
            request.video.duration_s,
            is_own,
            self.rules.rules.playback_rate,
            self.time.passed_micros,
        );
        self.store_session(request, next).await?;
        if credit.capped_s > 0 {
            self.count_suppressed(request, SuppressedReason::Capped, credit.capped_s)
                .await?;
        }
        let reported_s = credit.credited_s + credit.capped_s;
        self.record(request, false, credit.credited_s, reported_s)
            .await?;
        self.record_ads(request, credit).await?;
        Ok(IntakeAnswer::Paused {
            credited_s: credit.credited_s,
            is_finished: !next.is_open,
        })
    }

    /// Returns the user's session of the video, unless its position has expired.
    async fn session(&mut self, request: &IntakeRequest) -> StoreResult<Option<Session>> {
        let row: Option<(i64, i64, i64)> = self
            .tx
            .fetch_optional(
                "SELECT position_s, since_micros, CAST(is_open AS SIGNED) FROM watch_session \
             WHERE user_id = ? AND video_id = ? AND since_micros > ?",
                &params![
                    request.user_id.0,
                    request.video.id.0,
                    expired_before(self.time.passed_micros, self.lifetimes, self.rules)
                ],
            )
            .await?;
        Ok(row.map(|(position_s, since_micros, is_open)| Session {
            position_s,
            since_micros,
            is_open: is_open != 0,
        }))
    }

    /// Stores a session.
    async fn store_session(
        &mut self,
        request: &IntakeRequest,
        session: Session,
    ) -> StoreResult<()> {
        self.tx
            .execute(
                "REPLACE INTO watch_session (user_id, video_id, position_s, since_micros, is_open) \
             VALUES (?, ?, ?, ?, ?)",
                &params![
                    request.user_id.0,
                    request.video.id.0,
                    session.position_s,
                    session.since_micros,
                    i64::from(session.is_open)
                ],
            )
            .await?;
        Ok(())
    }

    /// Adds an event to the history.
    async fn record(
        &mut self,
        request: &IntakeRequest,
        is_counted: bool,
        play_time_s: i64,
        reported_s: i64,
    ) -> StoreResult<()> {
        let keep = self.tx.on_conflict_keep("date, event_id");
        self.tx
            .execute(
                AssertSqlSafe(format!(
                    "INSERT INTO play_history (date, event_id, video_id, user_id, \
                 occurred_at_micros, counted, play_time, reported_time, rules_version) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?){keep}"
                )),
                &params![
                    self.date,
                    &request.event_id.0[..],
                    request.video.id.0,
                    request.user_id.0,
                    self.time.at_micros,
                    i64::from(is_counted),
                    play_time_s,
                    reported_s,
                    self.rules.version
                ],
            )
            .await?;
        Ok(())
    }

    /// Adds the ad views of the slots that the credited seconds cross.
    async fn record_ads(&mut self, request: &IntakeRequest, credit: Credit) -> StoreResult<()> {
        let upto_s = credit.from_s + credit.credited_s;
        let interval = AdInterval::from_seconds(self.rules.rules.ad_interval_s);
        if !interval.is_crossed(credit.from_s, upto_s) {
            return Ok(());
        }
        let ads = match &self.ads {
            Some(ads) => ads,
            None => {
                let ids = catalog::ensure_ads(&mut self.tx, 0, None).await?;
                let ids = ids.into_iter().map(AdId).collect();
                self.ads.insert(AdSchedule::new(interval, ids))
            }
        };
        let slots: Vec<_> = ads.shown(credit.from_s, upto_s).collect();
        let keep = self
            .tx
            .on_conflict_release("date, video_id, user_id, slot_s");
        for slot in slots {
            self.tx
                .execute(
                    AssertSqlSafe(format!(
                        "INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id) \
                     VALUES (?, ?, ?, ?, ?){keep}"
                    )),
                    &params![
                        self.date,
                        request.video.id.0,
                        request.user_id.0,
                        slot.slot_s,
                        slot.ad_id.0
                    ],
                )
                .await?;
        }
        Ok(())
    }

    /// Adds to a suppressed count.
    async fn count_suppressed(
        &mut self,
        request: &IntakeRequest,
        reason: SuppressedReason,
        count: i64,
    ) -> StoreResult<()> {
        let add = self
            .tx
            .on_conflict_add("date, video_id, reason, shard", "count");
        self.tx
            .execute(
                AssertSqlSafe(format!(
                    "INSERT INTO refusal_count (date, video_id, reason, shard, count) \
                 VALUES (?, ?, ?, ?, ?){add}"
                )),
                &params![
                    self.date,
                    request.video.id.0,
                    reason.name(),
                    SuppressedShard::EMBEDDED,
                    count
                ],
            )
            .await?;
        Ok(())
    }
}

/// Returns the time before which positions have expired, in microseconds since 1970 (UTC).
fn expired_before(now_micros: i64, lifetimes: &Lifetimes, rules: RulesVersion) -> i64 {
    let ttl_s = lifetimes.resume_ttl_s(rules.rules.view_window_s);
    now_micros.saturating_sub(i64::from(ttl_s) * MICROS_PER_S)
}

/// Deletes expired view windows and answers, and the positions since `expired_micros` or before.
async fn sweep(tx: &mut Tx, now_micros: i64, expired_micros: i64) -> StoreResult<()> {
    for (table, before) in [
        ("view_gate WHERE until_micros", now_micros),
        ("intake_reply WHERE expires_micros", now_micros),
        ("watch_session WHERE since_micros", expired_micros),
    ] {
        let sql = format!("DELETE FROM {table} <= ?");
        tx.execute(AssertSqlSafe(sql), &params![before]).await?;
    }
    Ok(())
}
