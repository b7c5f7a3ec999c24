//! The rates that creators are paid per view and ad view, for admins.

use crate::{
    auth::user::Admin,
    errors::{
        problem::{ApiError, Code},
        responses::{ErrorResponse, responses},
    },
    extract::{
        body::Body,
        date::{self, Day},
    },
    middleware::request_id::RequestId,
    openapi::tag::Tag,
};
use balance_domain::rates::{MAX_MICRO_WON, RateError, RateKind, RateVersion, Tier};
use balance_store::{Store, operations::Actor, rates::SetRatesError};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json, types::Example};
use serde::Deserialize;
use std::sync::Arc;

/// A tier: the rate of a view if the video's lifetime count before the view is in a range.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[oai(
    rename = "RateTier",
    deny_unknown_fields,
    rename_all = "camelCase",
    example
)]
struct TierView {
    /// The first count of the range; 0 in the first tier.
    #[oai(validator(minimum(value = "0")))]
    from_count: i64,
    /// The last count of the range, inclusive; null in the last tier.
    to_count: Option<i64>,
    /// The rate of one view in won: a decimal from 0 to 1000000 with at most six decimal places.
    #[oai(validator(pattern = r"^(1000000(\.0{1,6})?|[0-9]{1,6}(\.[0-9]{1,6})?)$"))]
    won: String,
}

impl Example for TierView {
    fn example() -> Self {
        Self {
            from_count: 0,
            to_count: Some(99_999),
            won: "1.1".to_owned(),
        }
    }
}

/// A version of the rates, with all tiers of both kinds.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[oai(
    rename = "RateVersion",
    deny_unknown_fields,
    rename_all = "camelCase",
    example
)]
struct RateVersionView {
    /// The first business day of the version. It must be after the last closed day.
    effective_from: Day,
    /// The tiers of views.
    #[oai(validator(min_items = 1, max_items = 100))]
    video: Vec<TierView>,
    /// The tiers of ad views.
    #[oai(validator(min_items = 1, max_items = 100))]
    ad: Vec<TierView>,
}

impl Example for RateVersionView {
    fn example() -> Self {
        let all = |won: &str| TierView {
            to_count: None,
            won: won.to_owned(),
            ..TierView::example()
        };
        let above = |won: &str| TierView {
            from_count: 100_000,
            ..all(won)
        };
        Self {
            effective_from: Day::example(),
            video: vec![TierView::example(), above("1.3")],
            ad: vec![all("10")],
        }
    }
}

/// All versions of the rates, the oldest first.
#[derive(Debug, Object)]
#[oai(example)]
struct RateList {
    /// The versions.
    items: Vec<RateVersionView>,
}

impl Example for RateList {
    fn example() -> Self {
        Self {
            items: vec![RateVersionView::example()],
        }
    }
}

/// The maximum rate, in won.
const MAX_WON: &str = "1000000";

impl TierView {
    fn of(tier: &Tier) -> Self {
        Self {
            from_count: tier.from_count,
            to_count: tier.to_count,
            won: tier.won(),
        }
    }

    fn tier(&self, field: &str) -> Result<Tier, ApiError> {
        let micro_won = micro_won(&self.won).ok_or_else(|| {
            let reason =
                "must be a decimal such as 1.1, from 0 to 1000000, with at most six decimal places";
            ApiError::field(format!("{field}.won"), reason)
        })?;
        Ok(Tier {
            from_count: self.from_count,
            to_count: self.to_count,
            micro_won,
        })
    }
}

/// Parses a decimal in won. Returns millionths of a won, or `None` if it is malformed or too large.
fn micro_won(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(places) || places.len() > 6 {
        return None;
    }
    if whole.len() > 6 && whole != MAX_WON {
        return None;
    }
    let micro: i64 = format!("{whole}{places:0<6}").parse().ok()?;
    (micro <= MAX_MICRO_WON).then_some(micro)
}

impl From<&RateVersion> for RateVersionView {
    fn from(version: &RateVersion) -> Self {
        let of = |tiers: &[Tier]| tiers.iter().map(TierView::of).collect();
        Self {
            effective_from: version.effective_from.into(),
            video: of(version.video.as_slice()),
            ad: of(version.ad.as_slice()),
        }
    }
}

impl RateVersionView {
    fn version(&self) -> Result<RateVersion, ApiError> {
        let effective_from = date::check_business_day(self.effective_from.0, "effectiveFrom")?;
        let mut tiers = Vec::new();
        for (kind, name, given) in [
            (RateKind::Video, "video", &self.video),
            (RateKind::Ad, "ad", &self.ad),
        ] {
            for (number, tier) in given.iter().enumerate() {
                tiers.push((kind, tier.tier(&format!("{name}[{number}]"))?));
            }
        }
        Ok(RateVersion::new(effective_from, tiers)?)
    }
}

impl From<RateError> for ApiError {
    fn from(error: RateError) -> Self {
        Self::new(Code::RatesRejected, error.to_string())
    }
}

impl From<SetRatesError> for ApiError {
    fn from(error: SetRatesError) -> Self {
        match error {
            SetRatesError::ClosedDay { .. } => Self::new(Code::RatesRejected, error.to_string()),
            SetRatesError::Store(error) => error.into(),
        }
    }
}

responses! {
    RateListErrors: 401 403;
    SetRatesErrors: 401 403 415 422;
}

pub(crate) struct RatesApi {
    pub(crate) store: Arc<Store>,
}

#[OpenApi(prefix_path = "/revenue-rates", tag = "Tag::Rates")]
impl RatesApi {
    /// List the versions of the rates
    ///
    /// Returns all versions, the oldest first.
    #[oai(path = "/", method = "get", operation_id = "listRevenueRates")]
    async fn list(&self, _admin: Admin) -> Result<Json<RateList>, ErrorResponse<RateListErrors>> {
        let versions = self.store.rate_versions().await?;
        let items = versions.iter().map(Into::into).collect();
        Ok(Json(RateList { items }))
    }

    /// Store a version of the rates
    ///
    /// Stores a version with all tiers of both kinds. It replaces a version of the same day. If
    /// tiers have a gap or overlap, or the day is closed, it is rejected with 422: revenue of
    /// closed days never changes.
    #[oai(path = "/", method = "put", operation_id = "putRevenueRates")]
    async fn set(
        &self,
        admin: Admin,
        request_id: Data<&RequestId>,
        body: Body<RateVersionView>,
    ) -> Result<Json<RateVersionView>, ErrorResponse<SetRatesErrors>> {
        let version = body.0.version()?;
        let actor = Actor::Admin {
            user_id: admin.0.user_id,
            request_id: request_id.0.0.clone(),
        };
        self.store.set_rates(&version, &actor).await?;
        Ok(Json((&version).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_formatted_as_they_were_parsed() {
        for (text, micro) in [
            ("0", 0),
            ("1", 1_000_000),
            ("1.1", 1_100_000),
            ("0.000001", 1),
        ] {
            assert_eq!(micro_won(text), Some(micro));
            let tier = Tier {
                from_count: 0,
                to_count: None,
                micro_won: micro,
            };
            assert_eq!(TierView::of(&tier).won, text);
        }
        assert_eq!(micro_won("1000000"), Some(1_000_000_000_000));
        for text in [
            "",
            ".",
            "1.",
            ".1",
            "-1",
            "1e3",
            "1.0000001",
            "1000000.1",
            "12345678",
            "0000001",
            " 1",
        ] {
            assert_eq!(micro_won(text), None, "{text}");
        }
    }
}
