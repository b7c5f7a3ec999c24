//! What views are paid, for admins.

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
    middleware::stack::RequestId,
    openapi::tag::Tag,
};
use balance_domain::rates::{RateError, RateKind, RateVersion, Tier};
use balance_store::{Store, operations::Actor, rates::SetRatesError};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json, types::Example};
use serde::Deserialize;
use std::sync::Arc;

/// A tier: what a view is paid while the video's lifetime count before it is in a range.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[oai(
    rename = "RateTier",
    deny_unknown_fields,
    rename_all = "camelCase",
    example
)]
struct TierView {
    /// The range's beginning; 0 in the first tier.
    #[oai(validator(minimum(value = "0")))]
    from_count: i64,
    /// The range's end, which belongs to it; null in the last tier.
    to_count: Option<i64>,
    /// Won for one view, a decimal of at most six places, from 0 to 1000000.
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

/// A version of the rates: a full set of both kinds.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[oai(
    rename = "RateVersion",
    deny_unknown_fields,
    rename_all = "camelCase",
    example
)]
struct RateVersionView {
    /// The first business day that it pays, after the last closed one.
    effective_from: Day,
    /// For views.
    #[oai(validator(min_items = 1, max_items = 100))]
    video: Vec<TierView>,
    /// For ad views.
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

/// All versions of the rates, oldest first.
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

const MICRO: i64 = 1_000_000;
/// The most that one view is paid.
const MOST_WON: &str = "1000000";

impl TierView {
    fn of(tier: &Tier) -> Self {
        let (whole, rest) = (tier.micro_won / MICRO, tier.micro_won % MICRO);
        let places = format!("{rest:06}");
        let places = places.trim_end_matches('0');
        let point = if places.is_empty() { "" } else { "." };
        Self {
            from_count: tier.from_count,
            to_count: tier.to_count,
            won: format!("{whole}{point}{places}"),
        }
    }

    fn tier(&self, field: &str) -> Result<Tier, ApiError> {
        let micro_won = micro_won(&self.won).ok_or_else(|| {
            let reason = "must be a decimal such as 1.1, of at most six places, from 0 to 1000000";
            ApiError::field(format!("{field}.won"), reason)
        })?;
        Ok(Tier {
            from_count: self.from_count,
            to_count: self.to_count,
            micro_won,
        })
    }
}

/// Millionths of a won from a decimal.
fn micro_won(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(places) || places.len() > 6 {
        return None;
    }
    if whole.len() > 6 && whole != MOST_WON {
        return None;
    }
    let micro: i64 = format!("{whole}{places:0<6}").parse().ok()?;
    (micro <= MICRO * MICRO).then_some(micro)
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
        let effective_from = date::business(self.effective_from.0, "effectiveFrom")?;
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
        Self::new(Code::RatesRefused, error.to_string())
    }
}

impl From<SetRatesError> for ApiError {
    fn from(error: SetRatesError) -> Self {
        match error {
            SetRatesError::ClosedBeginning { .. } => {
                Self::new(Code::RatesRefused, error.to_string())
            }
            SetRatesError::Store(error) => error.into(),
        }
    }
}

responses! {
    RateListErrors: 401 403;
    SetRatesErrors: 401 403 415 422;
}

/// Rates.
pub(crate) struct RatesApi {
    pub(crate) store: Arc<Store>,
}

#[OpenApi(prefix_path = "/revenue-rates", tag = "Tag::Rates")]
impl RatesApi {
    /// Read the rates
    ///
    /// All versions, oldest first.
    #[oai(path = "/", method = "get", operation_id = "listRevenueRates")]
    async fn list(&self, _admin: Admin) -> Result<Json<RateList>, ErrorResponse<RateListErrors>> {
        let versions = self.store.rate_versions().await?;
        let items = versions.iter().map(Into::into).collect();
        Ok(Json(RateList { items }))
    }

    /// Store a version of the rates
    ///
    /// A full set of both kinds, in place of one that begins on the same day. Refused with 422
    /// where the tiers leave a gap or overlap, or the beginning is closed: nobody's pay changes
    /// afterwards.
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
    fn rates_read_back_as_they_were_written() {
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
