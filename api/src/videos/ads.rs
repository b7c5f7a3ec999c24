//! Ads, for admins.

use crate::{
    auth::user::Admin,
    errors::responses::{ErrorResponse, responses},
    extract::{body::Body, cursor, idempotency},
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

/// An ad that an admin registers.
#[derive(Debug, Object, Deserialize)]
#[serde(deny_unknown_fields)]
#[oai(deny_unknown_fields, example)]
struct NewAd {
    /// What admins read; without control characters, and not white space alone.
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
    /// Its id: ads are shown in turn, by id.
    ad_id: i64,
    /// What admins read.
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
    /// The `cursor` of the next page; null on the last one.
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
enum AdAnswer {
    /// The ad is registered. Plays show it from the next slot on.
    #[oai(status = 201)]
    Registered(Json<AdView>),
}

responses! {
    RegisterAdErrors: 401 403 409 415;
    ListAdErrors: 401 403;
}

const fn default_limit() -> u32 {
    20
}

/// Ads.
pub(crate) struct AdsApi {
    pub(crate) videos: Videos,
}

#[OpenApi(prefix_path = "/ads", tag = "Tag::Ads")]
impl AdsApi {
    /// Register an ad
    ///
    /// It is shown in turn with the others, by id, every so many seconds of a video.
    #[oai(path = "/", method = "post", operation_id = "registerAd")]
    async fn register(
        &self,
        admin: Admin,
        /// The request's own name: sent again with the same body, it registers nothing again.
        #[oai(
            name = "Idempotency-Key",
            validator(min_length = 1, max_length = 128, pattern = "^[!-~]+$")
        )]
        key: Header<Option<String>>,
        body: Body<NewAd>,
    ) -> Result<AdAnswer, ErrorResponse<RegisterAdErrors>> {
        let creation = Creation {
            user_id: admin.0.user_id,
            key: idempotency::key(key.0.as_deref())?,
        };
        let ad = self.videos.register_ad(&creation, &body.0.title).await?;
        Ok(AdAnswer::Registered(Json(ad.into())))
    }

    /// List ads
    ///
    /// By id, in the order in which they are shown.
    #[oai(path = "/", method = "get", operation_id = "listAds")]
    async fn list(
        &self,
        _admin: Admin,
        /// The `next` of the page before.
        #[oai(validator(max_length = 2048))]
        cursor: Query<Option<String>>,
        /// Ads on a page.
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
