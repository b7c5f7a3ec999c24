//! The OpenAPI document. It is generated from the resources' types, without running the server.

use crate::{errors::problem::Code, openapi::normalize::normalize, resources::Resources};
use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    ExtraHeader, LicenseObject, OpenApi, OpenApiService,
    registry::{MetaApi, Registry},
};
use std::collections::HashMap;

/// The introduction of the document.
const DESCRIPTION: &str = "\
Balance counts the views of a video platform and settles the creators' revenue, day by day.

**Authentication.** `POST /login` returns an access token, valid for 10 minutes, and a refresh \
token, valid for one day and one use (`POST /reissue`). Send the access token as \
`Authorization: Bearer …`.

**Errors** are `application/problem+json` (RFC 9457). Programs should decide by `code`, which never \
changes. `errors` names the invalid fields, and `requestId` identifies the request in the log. \
Responses 429 and 503 carry `Retry-After`. Any operation may respond with 413 to a body over \
64 KiB, and with 503. The `type` of a problem is the URL of its documentation: `/docs/errors#CODE`.

**Repetition.** Operations that create, play or pause accept an `Idempotency-Key`. For one day, a \
repeated request with the same key has no further effect and returns the first response. The same \
key with another request is rejected with 409.

**Lists** are paginated: send the `next` of a page as `cursor` to read the following page.

**Days** are business days in the platform's time zone. Times are RFC 3339 in UTC. Amounts are \
decimal strings in won with two decimal places.";

/// Returns a table of the problem codes.
fn code_table() -> String {
    let rows = Code::ALL.iter().map(|code| {
        format!(
            "| `{}` | {} | {} |\n",
            code.name(),
            code.status().as_u16(),
            code.title()
        )
    });
    let rows: String = rows.collect();
    format!("| code | status | meaning |\n|---|---|---|\n{rows}")
}

/// Returns a service of these resources with title, description and license.
pub(crate) fn service<T: OpenApi + 'static>(resources: T) -> OpenApiService<T, ()> {
    let request_id = ExtraHeader::new("X-Request-Id")
        .description("The request's id: the client's own if it is valid, otherwise a new one.");
    OpenApiService::new(resources, "Balance", env!("CARGO_PKG_VERSION"))
        .extra_response_header::<String, _>(request_id)
        .description(format!("{DESCRIPTION}\n\n{}", code_table()))
        .license(LicenseObject::new(env!("CARGO_PKG_LICENSE")))
}

/// The metadata of the resources, without instances of them.
struct ResourcesMeta;

impl OpenApi for ResourcesMeta {
    fn meta() -> Vec<MetaApi> {
        Resources::meta()
    }

    fn register(registry: &mut Registry) {
        Resources::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

/// Returns the OpenAPI document of this version as indented JSON with a final line break.
#[must_use]
pub fn document() -> String {
    let document = normalize(&service(ResourcesMeta).spec());
    format!("{document:#}\n")
}
