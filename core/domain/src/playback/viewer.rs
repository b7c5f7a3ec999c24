//! What a viewer may still claim: budgets of credited seconds, ad views, counted views and pauses over
//! all videos together. They do not depend on what a client claims.
//!
//! The time of a viewer is used once. A pause that credits seconds uses the time that they take at the
//! maximum playback rate, from the earliest free time since the last contact of its session. So the
//! seconds of all pauses within any window of time, each with its session's last contact, never exceed
//! rate × window + burst. Viewers of two videos at half the maximum rate lose nothing: the time that one
//! session leaves free is the other's.

use crate::{
    clock::CLOCK_TOLERANCE_MICROS,
    playback::{MAX_OPEN_SESSIONS, OpenSession, PlayRules, RateLimit},
    units::{MICROS_PER_MS, MICROS_PER_S},
    videos::{AdInterval, VideoId},
};

/// The most ad views in store: a window of time has at most so many beyond those of its credited seconds.
pub const MAX_AD_VIEWS: i64 = 2;
/// The ad views of a new viewer.
const FIRST_AD_VIEWS: i64 = 1;
/// A pause that credits nothing within this time after the last contact only moves the position.
const QUIET_MICROS: i64 = MICROS_PER_S;
/// Recorded pauses of a session: one a second, and so many at once.
const PAUSE_BURST: u32 = 5;

/// The budgets and the open sessions of a viewer. Instants are in microseconds since 1970 (UTC); 0
/// before the first request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Viewer {
    /// The time of the last request. It never decreases.
    pub last_micros: i64,
    /// The end of the time that is used, if that is later than now.
    pub credit_tat_micros: i64,
    /// The TAT of the limit of views.
    pub view_tat_micros: i64,
    /// Credited seconds that can still become ad views; `None` for a new viewer.
    pub ad_stock_s: Option<i64>,
    /// At most [`MAX_OPEN_SESSIONS`], in the order of their plays.
    pub open: Vec<OpenSession>,
}

/// A request beyond a limit. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// The microseconds after which the request is allowed, 1 and up.
    pub retry_after_micros: i64,
}

impl TooMany {
    /// Returns the time in milliseconds, rounded up.
    #[must_use]
    pub const fn retry_after_ms(self) -> i64 {
        (self.retry_after_micros + MICROS_PER_MS - 1) / MICROS_PER_MS
    }
}

/// A pause, as the client claims it, with the facts about the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    pub video_id: VideoId,
    /// The position before the pause, in seconds.
    pub position_s: i64,
    /// The position of the player, 0 to `duration_s`.
    pub current_s: i64,
    /// The length of the video, in seconds.
    pub duration_s: i64,
    /// Whether the viewer owns the video. Such a pause is neither credited nor recorded.
    pub is_own: bool,
    /// Whether there are ads to show.
    pub has_ads: bool,
}

/// The result of a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Whether the view counts at once.
    pub is_counted: bool,
    /// Whether the play is an event. The owner's plays are one event for each session.
    pub is_recorded: bool,
}

/// The result of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Seconds that enter the statistics.
    pub credited_s: i64,
    /// Seconds that the budget did not hold.
    pub capped_s: i64,
    /// The number of ad slots after the position that are shown, in their order.
    pub ad_views: i64,
    /// The number of further ad slots in the credited seconds, which the budget did not hold.
    pub capped_ad_views: i64,
    /// Whether the view of the session counts from now on, because it was watched long enough.
    pub is_counted: bool,
    /// Whether the video was watched to its end. Then the session is closed.
    pub is_finished: bool,
    /// Whether the pause is an event.
    pub is_recorded: bool,
}

/// Why a pause was rejected. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseError {
    /// The viewer has no open session of the video.
    NoSession,
    /// The session has too many pauses.
    TooMany(TooMany),
}

impl Viewer {
    /// Advances the viewer's time, and returns it. After a small step back of the clock it stands still.
    /// After a larger one, all instants move back with the clock.
    pub fn advance(&mut self, now_micros: i64) -> i64 {
        let step = self.last_micros.saturating_sub(now_micros);
        if step > CLOCK_TOLERANCE_MICROS {
            self.credit_tat_micros -= step;
            self.view_tat_micros -= step;
            for session in &mut self.open {
                session.since_micros -= step;
                session.credit_tat_micros -= step;
                session.pause_tat_micros -= step;
            }
            self.last_micros = now_micros;
        }
        self.last_micros = self.last_micros.max(now_micros);
        self.last_micros
    }

    /// Plays a video: opens its session again.
    ///
    /// # Errors
    /// If the viewer has too many views.
    pub fn play(
        &mut self,
        video_id: VideoId,
        is_own: bool,
        rules: &PlayRules,
    ) -> Result<Opened, TooMany> {
        let now = self.last_micros;
        let taken = rules.view_limit().take(self.view_tat_micros, now);
        self.view_tat_micros =
            taken.map_err(|retry_after_micros| TooMany { retry_after_micros })?;
        let was_open = self.close(video_id);
        if self.open.len() >= MAX_OPEN_SESSIONS {
            let oldest = self.open.iter().min_by_key(|one| one.since_micros);
            if let Some(oldest) = oldest.map(|one| one.video_id) {
                self.close(oldest);
            }
        }
        self.open.push(OpenSession {
            video_id,
            since_micros: now,
            credit_tat_micros: self.credit_tat_micros.max(now),
            pause_tat_micros: 0,
            uncounted_s: (!is_own && rules.min_watch_s > 0).then_some(0),
        });
        Ok(Opened {
            is_counted: !is_own && rules.min_watch_s == 0,
            is_recorded: !is_own || !was_open,
        })
    }

    /// Pauses a video: credits what the budgets hold.
    ///
    /// # Errors
    /// If the session is not open, or has too many pauses.
    pub fn pause(&mut self, pause: &Pause, rules: &PlayRules) -> Result<Credit, PauseError> {
        let now = self.last_micros;
        let mut open = self.open.iter();
        let position = open.position(|one| one.video_id == pause.video_id);
        let position = position.ok_or(PauseError::NoSession)?;
        let session = self.open[position];
        let reported_s = match pause.is_own {
            true => 0,
            false => pause.current_s.saturating_sub(pause.position_s).max(0),
        };
        let credited_s = reported_s.min(self.credit_s(session, rules));
        let is_quiet = credited_s == 0 && now - session.since_micros < QUIET_MICROS;
        let is_recorded = !pause.is_own && !is_quiet;
        let mut pause_tat_micros = session.pause_tat_micros;
        if is_recorded {
            let limit = RateLimit::new(1, 1, PAUSE_BURST);
            let taken = limit.take(pause_tat_micros, now);
            pause_tat_micros = taken.map_err(|retry_after_micros| {
                PauseError::TooMany(TooMany { retry_after_micros })
            })?;
        }
        self.use_time(session, rules.playback_rate.micros_of(credited_s));
        let watched_s = session.uncounted_s.map(|seconds| seconds + credited_s);
        let enough_s = i64::from(rules.min_watch_s).min(pause.duration_s);
        // A lower rule counts the view at the next pause that is an event.
        let is_counted = is_recorded && watched_s.is_some_and(|seconds| seconds >= enough_s);
        let is_finished = pause.current_s >= pause.duration_s;
        if is_finished {
            self.open.remove(position);
        } else if is_recorded {
            self.open[position] = OpenSession {
                video_id: pause.video_id,
                since_micros: now,
                credit_tat_micros: self.credit_tat_micros.max(now),
                pause_tat_micros,
                uncounted_s: watched_s.filter(|_| !is_counted),
            };
        }
        let (ad_views, capped_ad_views) = self.take_ads(pause, credited_s, rules);
        Ok(Credit {
            credited_s,
            capped_s: reported_s - credited_s,
            ad_views,
            capped_ad_views,
            is_counted,
            is_finished,
            is_recorded,
        })
    }

    /// Returns the most seconds that a pause of a session may credit.
    fn credit_s(&self, session: OpenSession, rules: &PlayRules) -> i64 {
        let rate = rules.playback_rate;
        if rate.0 == 0 {
            return i64::MAX;
        }
        let free_micros = self.last_micros - session.credit_tat_micros;
        let unconfirmed_micros = i64::from(rules.max_unconfirmed_s) * MICROS_PER_S;
        let allowed_s = rate.seconds_of(free_micros.min(unconfirmed_micros));
        allowed_s.saturating_add(rules.credit_burst_s.into()).max(0)
    }

    /// Uses the earliest free time since the last contact of a session.
    fn use_time(&mut self, session: OpenSession, micros: i64) {
        let used = session.credit_tat_micros.saturating_add(micros);
        for other in &mut self.open {
            if other.since_micros <= session.since_micros {
                other.credit_tat_micros = other.credit_tat_micros.saturating_add(micros);
            } else {
                // The time before the last contact of this one is used first.
                other.credit_tat_micros = other.credit_tat_micros.max(used);
            }
        }
        self.credit_tat_micros = self.credit_tat_micros.max(used);
    }

    /// Adds credited seconds to the stock of ad views, and takes those of the slots that they cross.
    /// Returns the numbers of slots with and without an ad view.
    fn take_ads(&mut self, pause: &Pause, credited_s: i64, rules: &PlayRules) -> (i64, i64) {
        let interval_s = i64::from(rules.ad_interval_s.max(1));
        let first_s = FIRST_AD_VIEWS * interval_s;
        // The interval can have been longer at the last pause.
        let stored_s = self.ad_stock_s.unwrap_or(first_s);
        let stock_s = stored_s.min(MAX_AD_VIEWS * interval_s) + credited_s;
        let interval = AdInterval::from_seconds(interval_s);
        let upto_s = pause.position_s.saturating_add(credited_s);
        let slots = match pause.has_ads {
            true => interval.slots_up_to(upto_s) - interval.slots_up_to(pause.position_s),
            false => 0,
        };
        let shown = slots.min(stock_s / interval_s);
        let left_s = stock_s - shown * interval_s;
        self.ad_stock_s = Some(left_s.min(MAX_AD_VIEWS * interval_s));
        (shown, slots - shown)
    }

    /// Closes the session of a video. Returns whether it was open.
    fn close(&mut self, video_id: VideoId) -> bool {
        let before = self.open.len();
        self.open.retain(|one| one.video_id != video_id);
        self.open.len() < before
    }
}

#[cfg(test)]
mod tests;
