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
use balance_domain::playback::{MAX_RULE_S, PlayRules, PlaybackRate};
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
        } = stored.rules;
        Self {
            version: stored.version.into(),
            view_window_s: view_window_s.into(),
            ad_interval_s: ad_interval_s.into(),
            max_playback_rate: playback_rate.to_string(),
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
}

impl Example for NewPlayRules {
    fn example() -> Self {
        Self {
            version: None,
            view_window_s: 30,
            ad_interval_s: 300,
            max_playback_rate: "2".to_owned(),
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
    /// Returns the newest version of the rules that decide which views, seconds and ad views count.
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
