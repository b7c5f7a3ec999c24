//! The routes of the documentation: the document, a page that shows it, and the page of the errors.

use crate::{
    middleware::methods::Methods,
    openapi::{error_page, normalize::normalize},
};
use poem::{Endpoint, Response, Route, endpoint::make_sync, get};
use poem_openapi::{OpenApi, OpenApiService};

const DOCUMENT_PATH: &str = "/openapi.json";
const PAGE_PATH: &str = "/docs";
const ERRORS_PATH: &str = "/docs/errors";

/// The page contains its script and style, and the browser may load nothing from other origins.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
    style-src 'unsafe-inline'; img-src data:; font-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The page of the errors has no script.
const ERRORS_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the route of the page of the errors alone, and the methods of all paths of a service
/// whose document is not served. Its problems link to the page.
pub(crate) fn error_routes<T: OpenApi + 'static>(
    service: &OpenApiService<T, ()>,
) -> (Route, Methods) {
    let methods = Methods::of(&normalize(&service.spec()), &[ERRORS_PATH]);
    (with_errors(Route::new()), methods)
}

/// Returns the routes of a service's documentation, and the methods of all its paths.
pub(crate) fn routes<T: OpenApi + 'static>(service: &OpenApiService<T, ()>) -> (Route, Methods) {
    let spec = service.spec();
    let document = normalize(&spec);
    let methods = Methods::of(&document, &[DOCUMENT_PATH, PAGE_PATH, ERRORS_PATH]);
    let text = format!("{document:#}");
    let page = service.swagger_ui_html().replace(&spec, &text);
    let document = make_sync(move |_| {
        Response::builder()
            .content_type("application/json; charset=utf-8")
            .body(text.clone())
    });
    let routes = Route::new()
        .at(DOCUMENT_PATH, get(document))
        .at(PAGE_PATH, get(html_page(page, PAGE_POLICY)));
    (with_errors(routes), methods)
}

fn with_errors(routes: Route) -> Route {
    routes.at(
        ERRORS_PATH,
        get(html_page(error_page::html(), ERRORS_POLICY)),
    )
}

fn html_page(text: String, policy: &'static str) -> impl Endpoint<Output = Response> {
    make_sync(move |_| {
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .header("Content-Security-Policy", policy)
            .body(text.clone())
    })
}
