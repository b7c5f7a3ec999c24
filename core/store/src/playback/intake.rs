//! The intake on a database: requests of a group, one after the other, in one transaction.

use crate::{
    Store, StoreError, StoreResult,
    playback::{
        Command, IntakeAnswer, IntakeRequest, IntakeRules, SuppressedReason, VideoFacts,
        intake_reply,
    },
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
    videos::catalog,
};
use balance_domain::{
    accounts::UserId,
    calendar::BusinessTimezone,
    playback::{Credit, Session},
    videos::{AdId, AdSchedule, VideoId},
};
use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

const MICROS_PER_S: i64 = 1_000_000;
const MICROS_PER_MS: i64 = 1_000;

/// What is no longer needed is deleted when the intake's clock passes a multiple of this.
const SWEEP_MICROS: i64 = 60 * MICROS_PER_S;

impl Store {
    /// Takes in a group of requests, one after the other, in one transaction; answers each. The
    /// day that they fall into cannot be closed before it is committed.
    pub async fn accept(
        &self,
        group: &[IntakeRequest],
        rules: &IntakeRules,
        timezone: BusinessTimezone,
    ) -> StoreResult<Vec<IntakeAnswer>> {
        let mut intake = Group::begin(self, rules, timezone).await?;
        let mut answers = Vec::with_capacity(group.len());
        for request in group {
            answers.push(intake.accept(request).await?);
        }
        intake.tx.commit().await?;
        Ok(answers)
    }

    /// What the intake must know of a video, if there is such a video.
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

/// A group of requests in its transaction. All happen at one instant.
struct Group<'a> {
    tx: Tx,
    rules: &'a IntakeRules,
    now_micros: i64,
    date: NaiveDate,
    /// Read when the first ad is shown.
    ads: Option<AdSchedule>,
}

impl<'a> Group<'a> {
    async fn begin(
        store: &Store,
        rules: &'a IntakeRules,
        timezone: BusinessTimezone,
    ) -> StoreResult<Self> {
        let mut tx = store.db.write().await?;
        // Whoever writes history holds this first: the day stays open until the commit.
        let lock = tx.for_share();
        let closed = closed_through(&mut tx, lock).await?;
        let calendar =
            |error: balance_domain::calendar::OutOfCalendar| StoreError::Data(error.to_string());
        let lock = tx.for_update();
        let (last_micros,): (i64,) = tx
            .fetch_one(
                AssertSqlSafe(format!(
                    "SELECT last_micros FROM intake_clock WHERE id = 1{lock}"
                )),
                &[],
            )
            .await?;
        // A clock that was set back must not bring events into a day that is closed.
        let open_from = match closed {
            Some(closed) => timezone.day(closed).map_err(calendar)?.end_micros,
            None => i64::MIN,
        };
        let now_micros = tx.clock_micros().max(last_micros).max(open_from);
        tx.execute(
            "UPDATE intake_clock SET last_micros = ? WHERE id = 1",
            &params![now_micros],
        )
        .await?;
        if last_micros.div_euclid(SWEEP_MICROS) != now_micros.div_euclid(SWEEP_MICROS) {
            sweep(&mut tx, now_micros, rules).await?;
        }
        Ok(Self {
            tx,
            rules,
            now_micros,
            date: timezone.day_of(now_micros).map_err(calendar)?.date,
            ads: None,
        })
    }

    async fn accept(&mut self, request: &IntakeRequest) -> StoreResult<IntakeAnswer> {
        if let Some(key) = &request.key
            && let Some(answer) =
                intake_reply::find(&mut self.tx, request, key, self.now_micros).await?
        {
            return Ok(answer);
        }
        let answer = match request.command {
            Command::Play => self.play(request).await?,
            Command::Pause { current_s } => self.pause(request, current_s).await?,
        };
        if let Some(key) = &request.key {
            let replay = i64::from(self.rules.replay_s) * MICROS_PER_S;
            let expires = self.now_micros.saturating_add(replay);
            intake_reply::remember(&mut self.tx, request, key, answer, expires).await?;
        }
        Ok(answer)
    }

    async fn play(&mut self, request: &IntakeRequest) -> StoreResult<IntakeAnswer> {
        let is_own = request.user_id == request.video.owner_id;
        if is_own {
            self.refuse(request, SuppressedReason::Own, 1).await?;
        } else if let Some(until_micros) = self.view_window(request).await? {
            self.refuse(request, SuppressedReason::Repeat, 1).await?;
            let left = until_micros - self.now_micros;
            return Ok(IntakeAnswer::Repeat {
                retry_after_ms: (left + MICROS_PER_MS - 1) / MICROS_PER_MS,
            });
        }
        let session = Session::play(self.session(request).await?, self.now_micros);
        self.stand(request, session).await?;
        self.record(request, !is_own, 0, 0).await?;
        Ok(IntakeAnswer::Playing {
            resume_at_s: session.position_s,
            is_counted: !is_own,
        })
    }

    /// Closes the gate behind a view; answers until when it was closed already.
    async fn view_window(&mut self, request: &IntakeRequest) -> StoreResult<Option<i64>> {
        let row: Option<(i64,)> = self
            .tx
            .fetch_optional(
                "SELECT until_micros FROM view_gate \
             WHERE user_id = ? AND video_id = ? AND until_micros > ?",
                &params![request.user_id.0, request.video.id.0, self.now_micros],
            )
            .await?;
        if let Some((until_micros,)) = row {
            return Ok(Some(until_micros));
        }
        let window = i64::from(self.rules.view_window_s) * MICROS_PER_S;
        self.tx
            .execute(
                "REPLACE INTO view_gate (user_id, video_id, until_micros) VALUES (?, ?, ?)",
                &params![
                    request.user_id.0,
                    request.video.id.0,
                    self.now_micros + window
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
            self.rules.playback_rate,
            self.now_micros,
        );
        self.stand(request, next).await?;
        if credit.capped_s > 0 {
            self.refuse(request, SuppressedReason::Capped, credit.capped_s)
                .await?;
        }
        let reported_s = credit.credited_s + credit.capped_s;
        self.record(request, false, credit.credited_s, reported_s)
            .await?;
        self.show_ads(request, credit).await?;
        Ok(IntakeAnswer::Paused {
            credited_s: credit.credited_s,
            is_finished: !next.is_open,
        })
    }

    /// Where the user stands in the video, unless that is too long ago.
    async fn session(&mut self, request: &IntakeRequest) -> StoreResult<Option<Session>> {
        let row: Option<(i64, i64, i64)> = self
            .tx
            .fetch_optional(
                "SELECT position_s, since_micros, CAST(is_open AS SIGNED) FROM watch_session \
             WHERE user_id = ? AND video_id = ? AND since_micros > ?",
                &params![
                    request.user_id.0,
                    request.video.id.0,
                    forgotten_before(self.now_micros, self.rules)
                ],
            )
            .await?;
        Ok(row.map(|(position_s, since_micros, is_open)| Session {
            position_s,
            since_micros,
            is_open: is_open != 0,
        }))
    }

    async fn stand(&mut self, request: &IntakeRequest, session: Session) -> StoreResult<()> {
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

    /// Writes the history's row.
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
                 occurred_at_micros, counted, play_time, reported_time) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?){keep}"
                )),
                &params![
                    self.date,
                    &request.event_id.0[..],
                    request.video.id.0,
                    request.user_id.0,
                    self.now_micros,
                    i64::from(is_counted),
                    play_time_s,
                    reported_s
                ],
            )
            .await?;
        Ok(())
    }

    /// Writes the ads of every slot that the credited seconds passed.
    async fn show_ads(&mut self, request: &IntakeRequest, credit: Credit) -> StoreResult<()> {
        let upto_s = credit.from_s + credit.credited_s;
        let interval_s = i64::from(self.rules.ad_interval_s.max(1));
        if credit.from_s / interval_s == upto_s / interval_s {
            return Ok(());
        }
        let ads = match &self.ads {
            Some(ads) => ads,
            None => {
                let ids = catalog::ensure_ads(&mut self.tx, 0).await?;
                let ids = ids.into_iter().map(AdId).collect();
                self.ads.insert(AdSchedule::new(interval_s, ids))
            }
        };
        let slots: Vec<_> = ads.shown(credit.from_s, upto_s).collect();
        let keep = self.tx.on_conflict_keep("date, video_id, user_id, slot_s");
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

    async fn refuse(
        &mut self,
        request: &IntakeRequest,
        reason: SuppressedReason,
        count: i64,
    ) -> StoreResult<()> {
        let add = self.tx.on_conflict_add("date, video_id, reason", "count");
        self.tx
            .execute(
                AssertSqlSafe(format!(
                    "INSERT INTO refusal_count (date, video_id, reason, count) \
                 VALUES (?, ?, ?, ?){add}"
                )),
                &params![self.date, request.video.id.0, reason.name(), count],
            )
            .await?;
        Ok(())
    }
}

fn forgotten_before(now_micros: i64, rules: &IntakeRules) -> i64 {
    now_micros.saturating_sub(i64::from(rules.resume_ttl_s) * MICROS_PER_S)
}

/// Deletes gates that are open again, answers that are forgotten and positions too long ago.
async fn sweep(tx: &mut Tx, now_micros: i64, rules: &IntakeRules) -> StoreResult<()> {
    for (table, before) in [
        ("view_gate WHERE until_micros", now_micros),
        ("intake_reply WHERE expires_micros", now_micros),
        (
            "watch_session WHERE since_micros",
            forgotten_before(now_micros, rules),
        ),
    ] {
        let sql = format!("DELETE FROM {table} <= ?");
        tx.execute(AssertSqlSafe(sql), &params![before]).await?;
    }
    Ok(())
}
