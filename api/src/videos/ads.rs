//! Ads, for admins.

use crate::{
    auth::user::Admin,
    errors::responses::{ErrorResponse, responses},
    extract::{
        body::Body,
        cursor::{self, default_limit},
        idempotency,
    },
    openapi::tag::Tag,
};
use balance_domain::videos::AdId;
use balance_service::videos::Videos;
use balance_store::videos::{Ad, Creation};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Header, Query},
    payload::Json,
    types::Example,
};
use serde::Deserialize;

/// A new ad.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
#[oai(deny_unknown_fields, example)]
struct NewAd {
    /// The title for admins, without control characters and not only white space.
    #[oai(validator(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    ))]
    title: String,
}

impl Example for NewAd {
    fn example() -> Self {
        Self {
            title: AdView::example().title,
        }
    }
}

/// An ad.
#[derive(Debug, Object)]
#[oai(rename = "Ad", rename_all = "camelCase", example)]
struct AdView {
    /// The ad's id. Ads are shown in turn, by id.
    ad_id: i64,
    /// The title for admins.
    title: String,
}

impl Example for AdView {
    fn example() -> Self {
        Self {
            ad_id: 3,
            title: "Tea for two".to_owned(),
        }
    }
}

impl From<Ad> for AdView {
    fn from(ad: Ad) -> Self {
        Self {
            ad_id: ad.id.0,
            title: ad.title,
        }
    }
}

/// A page of ads.
#[derive(Debug, Object)]
#[oai(example)]
struct AdPage {
    /// The ads, by id.
    items: Vec<AdView>,
    /// The cursor of the next page; null on the last page.
    next: Option<String>,
}

impl Example for AdPage {
    fn example() -> Self {
        Self {
            items: vec![AdView::example()],
            next: None,
        }
    }
}

#[derive(ApiResponse)]
enum AdResponse {
    /// The ad was registered. It is shown from the next ad slot; in a fleet, within seconds.
    #[oai(status = 201)]
    Registered(Json<AdView>),
}

responses! {
    RegisterAdErrors: 401 403 409 415;
    ListAdErrors: 401 403;
}

pub(crate) struct AdsApi {
    pub(crate) videos: Videos,
}

#[OpenApi(prefix_path = "/ads", tag = "Tag::Ads")]
impl AdsApi {
    /// Register an ad
    ///
    /// Ads are shown in turn, by id, at a fixed interval of a video's seconds.
    #[oai(path = "/", method = "post", operation_id = "registerAd")]
    async fn register(
        &self,
        admin: Admin,
        /// A unique key of the request. A repetition with the same body has no further effect.
        #[oai(
            name = "Idempotency-Key",
            validator(min_length = 1, max_length = 128, pattern = "^[!-~]+$")
        )]
        key: Header<Option<String>>,
        body: Body<NewAd>,
    ) -> Result<AdResponse, ErrorResponse<RegisterAdErrors>> {
        let creation = Creation {
            user_id: admin.0.user_id,
            key: idempotency::key(key.0.as_deref())?,
        };
        let ad = self.videos.register_ad(&creation, &body.0.title).await?;
        Ok(AdResponse::Registered(Json(ad.into())))
    }

    /// List ads
    ///
    /// Returns the ads by id, which is the order in which they are shown.
    #[oai(path = "/", method = "get", operation_id = "listAds")]
    async fn list(
        &self,
        _admin: Admin,
        /// The `next` of the previous page.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// The maximum number of ads per page.
        #[oai(
            default = "default_limit",
            validator(minimum(value = "1"), maximum(value = "100"))
        )]
        limit: Query<u32>,
    ) -> Result<Json<AdPage>, ErrorResponse<ListAdErrors>> {
        let after: Option<i64> = cursor.0.as_deref().map(cursor::read).transpose()?;
        let page = self.videos.ads(after.map(AdId), limit.0).await?;
        Ok(Json(AdPage {
            items: page.items.into_iter().map(Into::into).collect(),
            next: page.next.map(|id| cursor::write(&id.0)).transpose()?,
        }))
    }
}
