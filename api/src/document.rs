//! The OpenAPI document: made from the resources' types alone, so that nothing need run for it.

use crate::server::Resources;
use poem::{
    Response, Route,
    endpoint::{BoxEndpoint, make_sync},
    http::Method,
};
use poem_openapi::{
    LicenseObject, OpenApi, OpenApiService,
    registry::{MetaApi, Registry},
};
use std::collections::HashMap;

/// What the document says before its operations.
const DESCRIPTION: &str = "\
Counts what people watch on a video platform, and pays the creators for it, day by day.

**Who asks.** `POST /login` answers an access token, good for 10 minutes, and a refresh token, good for \
a day and for one use (`POST /reissue`). Send the former as `Authorization: Bearer …`.

**Errors** are `application/problem+json` (RFC 9457): `code` is for programs and never changes, `errors` \
names what is wrong, `requestId` leads to the log. 429 and 503 say in `Retry-After` when to come again. \
Any operation may answer 413 for a body over 64 KiB, and 503.

**Again.** With an `Idempotency-Key`, what creates, plays or pauses can be sent again for a day: it is \
answered as the first time and done once; with another request under the same key it is 409.

**Lists** come in pages: send `next` back as `cursor`.

**Days** are business days of the platform's time zone; times are RFC 3339, in UTC. Amounts are decimal \
strings in won, with two places.";

/// A service of these resources, titled and described.
pub(crate) fn service<T: OpenApi + 'static>(resources: T) -> OpenApiService<T, ()> {
    OpenApiService::new(resources, "Balance", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .license(LicenseObject::new(env!("CARGO_PKG_LICENSE")))
}

/// The resources' descriptions without the resources.
struct Described;

impl OpenApi for Described {
    fn meta() -> Vec<MetaApi> {
        Resources::meta()
    }

    fn register(registry: &mut Registry) {
        Resources::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

/// The OpenAPI document of this version, as indented JSON that ends with a line break.
#[must_use]
pub fn document() -> String {
    let mut text = standard(&service(Described).spec());
    text.push('\n');
    text
}

/// The framework has a name of its own for the format of dates; clients know another one.
fn standard(text: &str) -> String {
    text.replace("\"naive-date\"", "\"date\"")
}

/// The page that shows the document: all of it comes from this server, and it may load nothing from
/// elsewhere. Its script and style are in the page.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
    style-src 'unsafe-inline'; img-src data:; font-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The document and the page that shows it, as they are answered.
pub(crate) fn routes<T: OpenApi + 'static>(service: &OpenApiService<T, ()>) -> Route {
    let text = standard(&service.spec());
    let page = standard(&service.swagger_ui_html());
    let document = make_sync(move |_| {
        Response::builder()
            .content_type("application/json; charset=utf-8")
            .body(text.clone())
    });
    let page = make_sync(move |_| {
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .header("Content-Security-Policy", PAGE_POLICY)
            .body(page.clone())
    });
    Route::new().at("/openapi.json", document).at("/docs", page)
}
