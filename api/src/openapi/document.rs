//! The OpenAPI document: made from the resources' types alone, so that nothing need run for it.

use crate::{
    errors::problem::Code, middleware::methods::Methods, openapi::normalize::normalize,
    server::Resources,
};
use poem::{
    Response, Route,
    endpoint::{BoxEndpoint, make_sync},
    get,
    http::Method,
};
use poem_openapi::{
    ExtraHeader, LicenseObject, OpenApi, OpenApiService,
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

/// A table of the problems' codes.
fn codes() -> String {
    let rows = Code::ALL.iter().map(|code| {
        format!(
            "| `{}` | {} | {} |\n",
            code.name(),
            code.status().as_u16(),
            code.title()
        )
    });
    let rows: String = rows.collect();
    format!("| code | status | what it says |\n|---|---|---|\n{rows}")
}

/// A service of these resources, titled and described.
pub(crate) fn service<T: OpenApi + 'static>(resources: T) -> OpenApiService<T, ()> {
    let request_id = ExtraHeader::new("X-Request-Id")
        .description("The request's id: the client's own, or else a new one.");
    OpenApiService::new(resources, "Balance", env!("CARGO_PKG_VERSION"))
        .extra_response_header::<String, _>(request_id)
        .description(format!("{DESCRIPTION}\n\n{}", codes()))
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
    let document = normalize(&service(Described).spec());
    format!("{document:#}\n")
}

/// The page that shows the document: all of it comes from this server, and it may load nothing from
/// elsewhere. Its script and style are in the page.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
    style-src 'unsafe-inline'; img-src data:; font-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where the document is, and the page that shows it.
const PATHS: [&str; 2] = ["/openapi.json", "/docs"];

/// The methods of a service's paths, without a document beside it.
pub(crate) fn methods<T: OpenApi + 'static>(service: &OpenApiService<T, ()>) -> Methods {
    Methods::of(&normalize(&service.spec()), &[])
}

/// The document and the page that shows it, as they are answered, and the methods of all paths.
pub(crate) fn routes<T: OpenApi + 'static>(service: &OpenApiService<T, ()>) -> (Route, Methods) {
    let spec = service.spec();
    let document = normalize(&spec);
    let methods = Methods::of(&document, &PATHS);
    let text = format!("{document:#}");
    let page = service.swagger_ui_html().replace(&spec, &text);
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
    let [at_document, at_page] = PATHS;
    let routes = Route::new().at(at_document, get(document));
    (routes.at(at_page, get(page)), methods)
}
