//! The rules of plays that decide about money, for admins.

use crate::{
    auth::user::Admin,
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{body::Body, date::moment},
    middleware::request_id::RequestId,
    openapi::tag::Tag,
};
use balance_domain::playback::{MAX_BURST_S, MAX_LIMIT, MAX_RULE_S, PlayRules, PlaybackRate};
use balance_store::{
    Store,
    operations::Actor,
    playback::{RulesChange, RulesVersion, SetRulesError},
};
use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json, types::Example};
use serde::Deserialize;
use std::sync::Arc;

/// A version of the rules of plays.
#[derive(Debug, Object)]
#[oai(rename = "PlayRules", rename_all = "camelCase", example)]
struct PlayRulesView {
    /// The version, from 1. The newest version applies.
    version: i64,
    /// The seconds after a counted view in which the same viewer and video do not count again.
    view_window_s: i64,
    /// The seconds between two ad slots of a video.
    ad_interval_s: i64,
    /// The highest playback rate that a pause credits; 0 is no maximum.
    max_playback_rate: String,
    /// The seconds that may be credited to a viewer beyond the elapsed time.
    credit_burst_s: i64,
    /// The longest time since the last play or pause of a session, in seconds, that a pause uses.
    max_unconfirmed_s: i64,
    /// The seconds that a session must be credited before its view counts, or the length of the video if
    /// that is less. With 0, a view counts at its play.
    min_watch_s: i64,
    /// The plays of a viewer in a minute, over all videos.
    views_per_minute: i64,
    /// The plays of a viewer at once, over all videos.
    view_burst: i64,
    /// The videos that an account registers in an hour.
    videos_per_hour: i64,
    /// The videos that an account registers at once.
    video_burst: i64,
    /// The time when the version was stored.
    set_at: DateTime<Utc>,
}

impl Example for PlayRulesView {
    fn example() -> Self {
        let new = NewPlayRules::example();
        Self {
            version: 2,
            view_window_s: new.view_window_s,
            ad_interval_s: new.ad_interval_s,
            max_playback_rate: new.max_playback_rate,
            credit_burst_s: new.credit_burst_s,
            max_unconfirmed_s: new.max_unconfirmed_s,
            min_watch_s: new.min_watch_s,
            views_per_minute: new.views_per_minute,
            view_burst: new.view_burst,
            videos_per_hour: new.videos_per_hour,
            video_burst: new.video_burst,
            set_at: moment(60),
        }
    }
}

impl From<RulesVersion> for PlayRulesView {
    fn from(stored: RulesVersion) -> Self {
        let PlayRules {
            view_window_s,
            ad_interval_s,
            playback_rate,
            credit_burst_s,
            max_unconfirmed_s,
            min_watch_s,
            views_per_minute,
            view_burst,
            videos_per_hour,
            video_burst,
        } = stored.rules;
        Self {
            version: stored.version.into(),
            view_window_s: view_window_s.into(),
            ad_interval_s: ad_interval_s.into(),
            max_playback_rate: playback_rate.to_string(),
            credit_burst_s: credit_burst_s.into(),
            max_unconfirmed_s: max_unconfirmed_s.into(),
            min_watch_s: min_watch_s.into(),
            views_per_minute: views_per_minute.into(),
            view_burst: view_burst.into(),
            videos_per_hour: videos_per_hour.into(),
            video_burst: video_burst.into(),
            set_at: stored.set_at.and_utc(),
        }
    }
}

/// New rules of plays.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[oai(deny_unknown_fields, rename_all = "camelCase", example)]
struct NewPlayRules {
    /// The version that the rules replace. If it is not the newest one, the request is rejected.
    #[oai(validator(minimum(value = "1"), maximum(value = "4294967295")))]
    version: Option<i64>,
    /// The seconds after a counted view in which the same viewer and video do not count again.
    #[oai(validator(minimum(value = "0"), maximum(value = "86400")))]
    view_window_s: i64,
    /// The seconds between two ad slots of a video.
    #[oai(validator(minimum(value = "1"), maximum(value = "86400")))]
    ad_interval_s: i64,
    /// The highest playback rate that a pause credits: a decimal from 0 to 100 with at most three
    /// decimal places; 0 is no maximum.
    #[oai(validator(pattern = r"^(100(\.0{1,3})?|[0-9]{1,2}(\.[0-9]{1,3})?)$"))]
    max_playback_rate: String,
    /// The seconds that may be credited to a viewer beyond the elapsed time.
    #[oai(validator(minimum(value = "0"), maximum(value = "3600")))]
    credit_burst_s: i64,
    /// The longest time since the last play or pause of a session, in seconds, that a pause uses.
    #[oai(validator(minimum(value = "1"), maximum(value = "86400")))]
    max_unconfirmed_s: i64,
    /// The seconds that a session must be credited before its view counts, or the length of the video if
    /// that is less. With 0, a view counts at its play.
    #[oai(validator(minimum(value = "0"), maximum(value = "86400")))]
    min_watch_s: i64,
    /// The plays of a viewer in a minute, over all videos.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    views_per_minute: i64,
    /// The plays of a viewer at once, over all videos.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    view_burst: i64,
    /// The videos that an account registers in an hour.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    videos_per_hour: i64,
    /// The videos that an account registers at once.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    video_burst: i64,
}

impl Example for NewPlayRules {
    fn example() -> Self {
        Self {
            version: None,
            view_window_s: 30,
            ad_interval_s: 300,
            max_playback_rate: "2".to_owned(),
            credit_burst_s: 5,
            max_unconfirmed_s: 14_400,
            min_watch_s: 0,
            views_per_minute: 30,
            view_burst: 60,
            videos_per_hour: 60,
            video_burst: 100,
        }
    }
}

impl NewPlayRules {
    fn change(&self) -> Result<RulesChange, ApiError> {
        let rate: Result<PlaybackRate, _> = self.max_playback_rate.parse();
        let rate = rate.map_err(|_| {
            let reason = "must be a decimal such as 1.25, from 0 to 100, with at most three \
                          decimal places";
            ApiError::field("maxPlaybackRate", reason)
        })?;
        let number = |field, value, min, max| {
            let number = u32::try_from(value).ok();
            let number = number.filter(|number| (min..=max).contains(number));
            number.ok_or_else(|| ApiError::field(field, format!("must be from {min} to {max}")))
        };
        let version = |given| number("version", given, 1, u32::MAX);
        Ok(RulesChange {
            replaces: self.version.map(version).transpose()?,
            view_window_s: Some(number("viewWindowS", self.view_window_s, 0, MAX_RULE_S)?),
            ad_interval_s: Some(number("adIntervalS", self.ad_interval_s, 1, MAX_RULE_S)?),
            playback_rate: Some(rate),
            credit_burst_s: Some(number("creditBurstS", self.credit_burst_s, 0, MAX_BURST_S)?),
            max_unconfirmed_s: Some(number(
                "maxUnconfirmedS",
                self.max_unconfirmed_s,
                1,
                MAX_RULE_S,
            )?),
            min_watch_s: Some(number("minWatchS", self.min_watch_s, 0, MAX_RULE_S)?),
            views_per_minute: Some(number(
                "viewsPerMinute",
                self.views_per_minute,
                1,
                MAX_LIMIT,
            )?),
            view_burst: Some(number("viewBurst", self.view_burst, 1, MAX_LIMIT)?),
            videos_per_hour: Some(number("videosPerHour", self.videos_per_hour, 1, MAX_LIMIT)?),
            video_burst: Some(number("videoBurst", self.video_burst, 1, MAX_LIMIT)?),
        })
    }
}

impl From<SetRulesError> for ApiError {
    fn from(error: SetRulesError) -> Self {
        match error {
            SetRulesError::Outdated { newest, .. } => Self::new(
                Code::PlayRulesChanged,
                format!("The newest version of the rules is {newest}."),
            ),
            SetRulesError::Store(error) => error.into(),
        }
    }
}

responses! {
    PlayRulesErrors: 401 403;
    SetPlayRulesErrors: 401 403 409 415;
}

pub(crate) struct PlayRulesApi {
    pub(crate) store: Arc<Store>,
}

#[OpenApi(prefix_path = "/play-rules", tag = "Tag::Rules")]
impl PlayRulesApi {
    /// Get the rules of plays
    ///
    /// Returns the newest version of the rules that decide which views, seconds and ad views count,
    /// and how many.
    #[oai(path = "/", method = "get", operation_id = "getPlayRules")]
    async fn get(
        &self,
        _admin: Admin,
    ) -> Result<Json<PlayRulesView>, ErrorResponse<PlayRulesErrors>> {
        let stored = self.store.play_rules().await?;
        let stored = stored.ok_or_else(|| ApiError::internal("the database has no play rules"))?;
        Ok(Json(stored.into()))
    }

    /// Store a version of the rules of plays
    ///
    /// Stores a version, unless the newest one has the same rules, and returns the newest one. It
    /// decides about plays and pauses within seconds; earlier ones stay as they are. If `version` is
    /// given and is not the newest one, the request is rejected with 409.
    #[oai(path = "/", method = "put", operation_id = "putPlayRules")]
    async fn set(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        body: Body<NewPlayRules>,
    ) -> Result<Json<PlayRulesView>, ErrorResponse<SetPlayRulesErrors>> {
        let change = body.0.change()?;
        let actor = Actor::Admin {
            user_id: admin.0.user_id,
            request_id: request_id.0.0.clone(),
        };
        self.store.check_new_ids()?;
        let stored = self.store.set_play_rules(&change, &actor).await?;
        Ok(Json(stored.into()))
    }
}
