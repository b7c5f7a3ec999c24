//! What the scripts of the intake must reply and store, by the rules of the domain.

use balance_domain::{
    playback::{OpenSession, Pause, PauseError, PlayRules, Viewer},
    videos::{AdId, AdInterval, AdSchedule, VideoId},
};
use std::collections::BTreeMap;

/// The length of all videos in seconds.
pub(super) const LENGTH_S: i64 = 1_000;
pub(super) const S: i64 = 1_000_000;
/// An instant in 2023, in microseconds since 1970 (UTC).
const BEGAN_MICROS: i64 = 1_700_000_000_000_000;
const USER: &str = "8000000000000007";
const OTHER: &str = "9";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Play,
    Pause(i64),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The microseconds since the last request. They are negative if the clock is set back.
    pub(super) after_micros: i64,
    pub(super) action: Action,
    pub(super) video: usize,
    /// Whether the position of the video has expired before.
    pub(super) has_expired: bool,
    /// Whether too many entries wait.
    pub(super) is_full: bool,
    /// One of some idempotency keys.
    pub(super) key: Option<u8>,
    pub(super) is_new: Option<bool>,
}

/// The viewer's videos and the rules of a run.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) rules: PlayRules,
    pub(super) ads: Vec<AdId>,
    /// Whether the viewer owns each third video.
    pub(super) is_owner: bool,
    pub(super) steps: Vec<Step>,
}

impl Case {
    fn owner(&self, video: usize) -> &'static str {
        match self.is_owner && video.is_multiple_of(3) {
            true => USER,
            false => OTHER,
        }
    }
}

fn id(video: usize) -> VideoId {
    let number = i64::try_from(video).unwrap();
    VideoId(match video.is_multiple_of(2) {
        true => number + 1,
        false => 8_000_000_000_000_000 + number,
    })
}

fn flag(is_new: Option<bool>) -> &'static str {
    match is_new {
        None => "",
        Some(true) => "1",
        Some(false) => "0",
    }
}

/// The state that the scripts must have, by the rules of the domain.
#[derive(Default)]
struct Model {
    viewer: Option<Viewer>,
    positions: BTreeMap<usize, i64>,
    windows: BTreeMap<usize, i64>,
    replies: BTreeMap<u8, (String, String)>,
    suppressed: BTreeMap<String, i64>,
    events: Vec<String>,
    views: i64,
}

impl Model {
    fn suppress(&mut self, video: usize, reason: &str, count: i64) {
        if count > 0 {
            let field = format!("{}:{reason}", id(video));
            *self.suppressed.entry(field).or_default() += count;
        }
    }

    fn step(&mut self, case: &Case, step: &Step, now_micros: i64) -> String {
        let (name, current_s) = match step.action {
            Action::Play => ("play", 0),
            Action::Pause(current_s) => ("pause", current_s),
        };
        let request = format!("{name} {} {current_s}", id(step.video));
        if let Some((known, reply)) = step.key.and_then(|key| self.replies.get(&key)) {
            return match *known == request {
                true => reply.clone(),
                false => "reused".to_owned(),
            };
        }
        let reply = match step.action {
            Action::Play => self.play(case, step, now_micros),
            Action::Pause(current_s) => self.pause(case, step, current_s, now_micros),
        };
        let is_accepted = reply.starts_with("pla") || reply.starts_with("pau");
        if let Some(key) = step.key.filter(|_| is_accepted) {
            self.replies.insert(key, (request, reply.clone()));
        }
        reply
    }

    fn play(&mut self, case: &Case, step: &Step, now_micros: i64) -> String {
        let (video, owner) = (step.video, case.owner(step.video));
        let is_own = owner == USER;
        if !is_own && self.windows.contains_key(&video) {
            self.suppress(video, "repeat", 1);
            return "repeat".to_owned();
        }
        let mut viewer = self.viewer.clone().unwrap_or_default();
        viewer.advance(now_micros);
        let opened = match viewer.play(id(video), is_own, &case.rules) {
            Ok(opened) => opened,
            Err(limit) => {
                self.suppress(video, "rate", 1);
                return format!("too many {}", limit.retry_after_ms());
            }
        };
        if step.is_full {
            return format!("backlog {} 1", self.events.len());
        }
        self.viewer = Some(viewer);
        let is_recorded = opened.is_recorded || !self.positions.contains_key(&video);
        let position_s = *self.positions.entry(video).or_default();
        let counted = u8::from(opened.is_counted);
        if is_own {
            self.suppress(video, "own", 1);
        } else {
            self.views += i64::from(counted);
            let end_micros = now_micros + i64::from(case.rules.view_window_s) * S;
            if end_micros > now_micros {
                self.windows.insert(video, end_micros);
            }
        }
        if is_recorded {
            self.events.push(format!(
                "id e kind play user {USER} video {} counted {counted} rules 1 owner {owner} \
                 length {LENGTH_S} new {}",
                id(video),
                flag(step.is_new)
            ));
        }
        format!("playing {position_s} {counted}")
    }

    fn pause(&mut self, case: &Case, step: &Step, current_s: i64, now_micros: i64) -> String {
        let video = step.video;
        let mut viewer = self.viewer.clone().unwrap_or_default();
        viewer.advance(now_micros);
        let is_open = viewer.open.iter().any(|one| one.video_id == id(video));
        let Some(position_s) = self.positions.get(&video).copied().filter(|_| is_open) else {
            return "no session".to_owned();
        };
        if step.is_full {
            return format!("backlog {} 1", self.events.len());
        }
        let pause = Pause {
            video_id: id(video),
            position_s,
            current_s,
            duration_s: LENGTH_S,
            is_own: case.owner(video) == USER,
            has_ads: !case.ads.is_empty(),
        };
        let credit = match viewer.pause(&pause, &case.rules) {
            Ok(credit) => credit,
            Err(PauseError::TooMany(limit)) => {
                return format!("too many {}", limit.retry_after_ms());
            }
            Err(PauseError::NoSession) => panic!("the session is open"),
        };
        self.viewer = Some(viewer);
        match credit.is_finished {
            true => self.positions.remove(&video),
            false => self.positions.insert(video, current_s),
        };
        self.suppress(video, "capped", credit.capped_s);
        self.suppress(video, "ad_capped", credit.capped_ad_views);
        if credit.is_recorded {
            let interval = AdInterval::from_seconds(case.rules.ad_interval_s);
            let slots = AdSchedule::new(interval, case.ads.clone());
            let slots = slots.shown(position_s, position_s + credit.credited_s);
            let ads: Vec<_> = slots
                .take(usize::try_from(credit.ad_views).unwrap())
                .map(|slot| format!("{}:{}", slot.slot_s, slot.ad_id))
                .collect();
            self.events.push(format!(
                "id e kind pause user {USER} video {} from {position_s} credited {} reported {} ads {} \
                 rules 1 new {}{}",
                id(video),
                credit.credited_s,
                credit.credited_s + credit.capped_s,
                ads.join(","),
                flag(step.is_new),
                if credit.is_counted { " counted 1" } else { "" }
            ));
        } else {
            assert_eq!((credit.ad_views, credit.is_counted), (0, false));
        }
        self.views += i64::from(credit.is_counted);
        let finished = u8::from(credit.is_finished);
        format!("paused {} {finished}", credit.credited_s)
    }

    /// Returns the fields of the viewer's hash.
    fn stored(&self) -> String {
        let Some(viewer) = &self.viewer else {
            return "- - - - -".to_owned();
        };
        let ads = viewer.ad_stock_s.map_or("-".to_owned(), |s| s.to_string());
        format!(
            "{} {} {} {ads} {}",
            viewer.last_micros,
            viewer.credit_tat_micros,
            viewer.view_tat_micros,
            OpenSession::to_text(&viewer.open)
        )
    }
}

/// Returns the arguments of the driver, and the results of the domain.
pub(super) fn expected(case: &Case) -> (Vec<String>, Vec<String>) {
    let rules = &case.rules;
    let ads: Vec<String> = case.ads.iter().map(ToString::to_string).collect();
    let mut arguments = vec![
        USER.to_owned(),
        rules.view_window_s.to_string(),
        rules.view_limit().interval_micros().to_string(),
        rules.view_limit().burst().to_string(),
        rules.playback_rate.0.to_string(),
        rules.ad_interval_s.to_string(),
        ads.join(","),
        rules.credit_burst_s.to_string(),
        rules.max_unconfirmed_s.to_string(),
        rules.min_watch_s.to_string(),
    ];
    let mut model = Model::default();
    let mut results = Vec::new();
    let mut now_micros = BEGAN_MICROS;
    for step in &case.steps {
        now_micros += step.after_micros;
        let video = step.video;
        let window_ended = model
            .windows
            .get(&video)
            .is_some_and(|end| *end <= now_micros);
        let expired = match (step.has_expired, window_ended) {
            (true, _) => "position",
            (false, true) => "window",
            (false, false) => "",
        };
        match expired {
            "position" => model.positions.remove(&video),
            "window" => model.windows.remove(&video),
            _ => None,
        };
        let (name, current_s) = match step.action {
            Action::Play => ("play", 0),
            Action::Pause(current_s) => ("pause", current_s),
        };
        let max = if step.is_full { 0 } else { 1_000_000 };
        arguments.extend([
            name.to_owned(),
            now_micros.to_string(),
            id(video).to_string(),
            case.owner(video).to_owned(),
            current_s.to_string(),
            expired.to_owned(),
            max.to_string(),
            step.key.map_or(String::new(), |key| key.to_string()),
            flag(step.is_new).to_owned(),
        ]);
        results.push(model.step(case, step, now_micros));
        results.push(model.stored());
        let position = model.positions.get(&video);
        results.push(position.map_or("-".to_owned(), |s| format!("position {s}")));
    }
    results.append(&mut model.events);
    let suppressed = model.suppressed.iter();
    let mut suppressed: Vec<_> = suppressed
        .map(|(field, n)| format!("{field} {n}"))
        .collect();
    suppressed.sort();
    results.push(suppressed.join(" "));
    results.push(model.views.to_string());
    (arguments, results)
}
