//! The intake on the database: processes a group of requests in one transaction.

use crate::{
    Store, StoreError, StoreResult,
    playback::{
        Command, IntakeAnswer, IntakeRequest, Lifetimes, RulesVersion, SuppressedReason,
        VideoFacts, clock,
        intake_events::{self, Moment, Recorded},
        intake_reply, play_rules, viewer_budget,
    },
    settlement::days::closed_through,
    sql::{statement::params, tx::Tx},
    videos::catalog,
};
use balance_domain::{
    accounts::UserId,
    calendar::BusinessTimezone,
    playback::{Pause, PauseError, ViewWindow, Viewer},
    units::{MICROS_PER_DAY, MICROS_PER_S},
    videos::{AdId, AdInterval, AdSchedule, VideoId},
};
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
    moment: Moment,
    /// Loaded for the first pause that crosses a slot.
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
            sweep(&mut tx, time.passed_micros, lifetimes, rules).await?;
        }
        let day = timezone.day_of(time.at_micros);
        let day = day.map_err(|error| StoreError::Data(error.to_string()))?;
        Ok(Self {
            tx,
            lifetimes,
            rules,
            moment: Moment {
                time,
                date: day.date,
                rules_version: rules.version,
            },
            ads: None,
        })
    }

    /// Returns the time that passes for sessions, view windows and budgets.
    const fn now_micros(&self) -> i64 {
        self.moment.time.passed_micros
    }

    async fn accept(&mut self, request: &IntakeRequest) -> StoreResult<IntakeAnswer> {
        let now_micros = self.now_micros();
        if let Some(key) = &request.key
            && let Some(answer) = intake_reply::find(&mut self.tx, request, key, now_micros).await?
        {
            return Ok(answer);
        }
        let answer = match request.command {
            Command::Play => self.play(request).await?,
            Command::Pause { current_s } => self.pause(request, current_s).await?,
        };
        if let Some(key) = &request.key {
            let replay = i64::from(self.lifetimes.replay_s) * MICROS_PER_S;
            let expires = now_micros.saturating_add(replay);
            intake_reply::store(&mut self.tx, request, key, answer, expires).await?;
        }
        Ok(answer)
    }

    async fn play(&mut self, request: &IntakeRequest) -> StoreResult<IntakeAnswer> {
        let is_own = request.user_id == request.video.owner_id;
        if !is_own && let Some(until_micros) = self.view_window_end(request).await? {
            self.count_suppressed(request, SuppressedReason::Repeat, 1)
                .await?;
            return Ok(IntakeAnswer::Repeat {
                retry_after_ms: ViewWindow::retry_after_ms(until_micros, self.now_micros()),
            });
        }
        let mut viewer = self.viewer(request.user_id).await?;
        let opened = match viewer.play(request.video.id, is_own, &self.rules.rules) {
            Ok(opened) => opened,
            Err(limit) => {
                self.count_suppressed(request, SuppressedReason::Rate, 1)
                    .await?;
                return Ok(IntakeAnswer::TooManyViews {
                    retry_after_ms: limit.retry_after_ms(),
                });
            }
        };
        let position_s = self.position_s(request).await?;
        let resume_at_s = position_s.unwrap_or(0);
        viewer_budget::store(&mut self.tx, request.user_id, &viewer).await?;
        self.store_position(request, resume_at_s).await?;
        if is_own {
            self.count_suppressed(request, SuppressedReason::Own, 1)
                .await?;
        } else {
            self.open_view_window(request).await?;
        }
        // A session is also closed if its position has expired.
        if opened.is_recorded || position_s.is_none() {
            let recorded = Recorded {
                is_counted: opened.is_counted,
                ..Recorded::default()
            };
            intake_events::record(&mut self.tx, request, self.moment, recorded).await?;
        }
        Ok(IntakeAnswer::Playing {
            resume_at_s,
            is_counted: opened.is_counted,
        })
    }

    /// Returns the end of the open view window, if there is one.
    async fn view_window_end(&mut self, request: &IntakeRequest) -> StoreResult<Option<i64>> {
        let now_micros = self.now_micros();
        let row: Option<(i64,)> = self
            .tx
            .fetch_optional(
                "SELECT until_micros FROM view_gate \
             WHERE user_id = ? AND video_id = ? AND until_micros > ?",
                &params![request.user_id.0, request.video.id.0, now_micros],
            )
            .await?;
        Ok(row.map(|(until_micros,)| until_micros))
    }

    /// Opens a view window for a view.
    async fn open_view_window(&mut self, request: &IntakeRequest) -> StoreResult<()> {
        let window = ViewWindow::from_seconds(self.rules.rules.view_window_s);
        let end_micros = window.end_micros(self.now_micros());
        self.tx
            .execute(
                "REPLACE INTO view_gate (user_id, video_id, until_micros) VALUES (?, ?, ?)",
                &params![request.user_id.0, request.video.id.0, end_micros],
            )
            .await?;
        Ok(())
    }

    async fn pause(
        &mut self,
        request: &IntakeRequest,
        current_s: i64,
    ) -> StoreResult<IntakeAnswer> {
        let Some(position_s) = self.position_s(request).await? else {
            return Ok(IntakeAnswer::NoSession);
        };
        let interval = AdInterval::from_seconds(self.rules.rules.ad_interval_s);
        let crosses_slot = interval.is_crossed(position_s, current_s);
        let pause = Pause {
            video_id: request.video.id,
            position_s,
            current_s,
            duration_s: request.video.duration_s,
            is_own: request.user_id == request.video.owner_id,
            has_ads: crosses_slot && !self.ads().await?.is_empty(),
        };
        let mut viewer = self.viewer(request.user_id).await?;
        let credit = match viewer.pause(&pause, &self.rules.rules) {
            Ok(credit) => credit,
            Err(PauseError::NoSession) => return Ok(IntakeAnswer::NoSession),
            Err(PauseError::TooMany(limit)) => {
                return Ok(IntakeAnswer::TooManyPauses {
                    retry_after_ms: limit.retry_after_ms(),
                });
            }
        };
        viewer_budget::store(&mut self.tx, request.user_id, &viewer).await?;
        let next_s = if credit.is_finished { 0 } else { current_s };
        self.store_position(request, next_s).await?;
        self.count_suppressed(request, SuppressedReason::Capped, credit.capped_s)
            .await?;
        self.count_suppressed(request, SuppressedReason::AdCapped, credit.capped_ad_views)
            .await?;
        if credit.is_recorded {
            let recorded = Recorded {
                is_counted: credit.is_counted,
                credited_s: credit.credited_s,
                reported_s: credit.credited_s + credit.capped_s,
            };
            intake_events::record(&mut self.tx, request, self.moment, recorded).await?;
        }
        if credit.ad_views > 0 {
            let shown = usize::try_from(credit.ad_views).unwrap_or(usize::MAX);
            let slots = self.ads().await?;
            let slots = slots.shown(position_s, position_s + credit.credited_s);
            let slots: Vec<_> = slots.take(shown).collect();
            intake_events::record_ads(&mut self.tx, request, self.moment.date, slots).await?;
        }
        Ok(IntakeAnswer::Paused {
            credited_s: credit.credited_s,
            is_finished: credit.is_finished,
        })
    }

    /// Returns the budgets of a viewer at the time of the group.
    async fn viewer(&mut self, user_id: UserId) -> StoreResult<Viewer> {
        let mut viewer = viewer_budget::find(&mut self.tx, user_id).await?;
        viewer.advance(self.now_micros());
        Ok(viewer)
    }

    /// Returns the user's position in the video, unless it has expired.
    async fn position_s(&mut self, request: &IntakeRequest) -> StoreResult<Option<i64>> {
        let expired = expired_before(self.now_micros(), self.lifetimes, self.rules);
        let row: Option<(i64,)> = self
            .tx
            .fetch_optional(
                "SELECT position_s FROM watch_session \
             WHERE user_id = ? AND video_id = ? AND since_micros > ?",
                &params![request.user_id.0, request.video.id.0, expired],
            )
            .await?;
        Ok(row.map(|(position_s,)| position_s))
    }

    async fn store_position(
        &mut self,
        request: &IntakeRequest,
        position_s: i64,
    ) -> StoreResult<()> {
        let now_micros = self.now_micros();
        self.tx
            .execute(
                "REPLACE INTO watch_session (user_id, video_id, position_s, since_micros) \
             VALUES (?, ?, ?, ?)",
                &params![
                    request.user_id.0,
                    request.video.id.0,
                    position_s,
                    now_micros
                ],
            )
            .await?;
        Ok(())
    }

    /// Returns the ads of the rules.
    async fn ads(&mut self) -> StoreResult<&AdSchedule> {
        if self.ads.is_none() {
            let ids = catalog::ensure_ads(&mut self.tx, 0, None).await?;
            let ids = ids.into_iter().map(AdId).collect();
            let interval = AdInterval::from_seconds(self.rules.rules.ad_interval_s);
            self.ads = Some(AdSchedule::new(interval, ids));
        }
        self.ads
            .as_ref()
            .ok_or_else(|| StoreError::Unusable("the ads are not loaded".to_owned()))
    }

    async fn count_suppressed(
        &mut self,
        request: &IntakeRequest,
        reason: SuppressedReason,
        count: i64,
    ) -> StoreResult<()> {
        let date = self.moment.date;
        intake_events::count_suppressed(&mut self.tx, request, date, reason, count).await
    }
}

/// Returns the time before which positions have expired, in microseconds since 1970 (UTC).
fn expired_before(now_micros: i64, lifetimes: &Lifetimes, rules: RulesVersion) -> i64 {
    let ttl_s = lifetimes.resume_ttl_s(rules.rules.view_window_s);
    now_micros.saturating_sub(i64::from(ttl_s) * MICROS_PER_S)
}

/// Deletes expired view windows, answers, positions and budgets.
async fn sweep(
    tx: &mut Tx,
    now_micros: i64,
    lifetimes: &Lifetimes,
    rules: RulesVersion,
) -> StoreResult<()> {
    let positions_before = expired_before(now_micros, lifetimes, rules);
    let budgets_before = positions_before.min(now_micros - MICROS_PER_DAY);
    for (table, before) in [
        ("view_gate WHERE until_micros", now_micros),
        ("intake_reply WHERE expires_micros", now_micros),
        ("watch_session WHERE since_micros", positions_before),
        ("viewer_budget WHERE last_micros", budgets_before),
    ] {
        let sql = format!("DELETE FROM {table} <= ?");
        tx.execute(AssertSqlSafe(sql), &params![before]).await?;
    }
    Ok(())
}
