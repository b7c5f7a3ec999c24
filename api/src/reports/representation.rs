//! The response of a report: JSON or CSV, with an `ETag` if the report is final.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use poem::{
    IntoResponse, Response,
    http::{HeaderMap, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Enum,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::{ToJSON, Type},
};
use sha2::{Digest, Sha256};
use std::marker::PhantomData;

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "ReportFormat", rename_all = "lowercase")]
pub(crate) enum Format {
    /// `application/json`.
    Json,
    /// `text/csv`: one line per item.
    Csv,
}

/// The format without a parameter.
pub(crate) const fn default_format() -> Format {
    Format::Json
}

const JSON: &str = "application/json; charset=utf-8";
const CSV: &str = "text/csv; charset=utf-8";

/// A report of type `T` in one of the formats.
#[derive(Debug)]
pub(crate) struct Representation<T> {
    content_type: &'static str,
    body: Vec<u8>,
    /// The names of periods with another page, and the URLs of those pages.
    next: Vec<(&'static str, String)>,
    etag: Option<String>,
    /// Whether `If-None-Match` matches the ETag.
    is_not_modified: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: ToJSON> Representation<T> {
    pub(crate) fn json(report: &T) -> Self {
        Self::new(JSON, report.to_json_string().into_bytes())
    }

    pub(crate) fn csv(text: Vec<u8>) -> Self {
        Self::new(CSV, text)
    }

    const fn new(content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            content_type,
            body,
            next: Vec::new(),
            etag: None,
            is_not_modified: false,
            of: PhantomData,
        }
    }

    /// Adds the URLs of the next pages, with the names of their periods.
    pub(crate) fn next(mut self, urls: Vec<(&'static str, String)>) -> Self {
        self.next = urls;
        self
    }

    /// Adds an ETag if the whole report is settled, and compares it with `If-None-Match`.
    pub(crate) fn settled(mut self, is_settled: bool, if_none_match: Option<&str>) -> Self {
        if is_settled {
            let hash = Sha256::digest(&self.body);
            let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash));
            self.is_not_modified = if_none_match.is_some_and(|known| matches(known, &etag));
            self.etag = Some(etag);
        }
        self
    }
}

/// Returns whether an `If-None-Match` contains an ETag (weak comparison of RFC 9110).
fn matches(if_none_match: &str, etag: &str) -> bool {
    if_none_match.trim() == "*"
        || if_none_match.split(',').any(|one| {
            let one = one.trim();
            one.strip_prefix("W/").unwrap_or(one) == etag
        })
}

impl<T: Send> IntoResponse for Representation<T> {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        let mut put = |name, value: Option<String>| {
            if let Some(value) = value.and_then(|value| value.parse().ok()) {
                headers.insert(name, value);
            }
        };
        // Private, because reports differ by user; revalidated before each use.
        let caching = self.etag.is_some().then(|| "private, no-cache".to_owned());
        put(header::CACHE_CONTROL, caching);
        put(header::ETAG, self.etag);
        let links = self
            .next
            .iter()
            .map(|(period, url)| format!("<{url}>; rel=\"next\"; title=\"{period}\""));
        let links: Vec<String> = links.collect();
        put(header::LINK, (!links.is_empty()).then(|| links.join(", ")));
        let mut response = if self.is_not_modified {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Response::builder()
                .content_type(self.content_type)
                .body(self.body)
        };
        response.headers_mut().extend(headers);
        response
    }
}

impl<T: Type> ApiResponse for Representation<T> {
    fn meta() -> MetaResponses {
        let header = |name: &str, description: &str| MetaHeader {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            required: false,
            deprecated: false,
            schema: String::schema_ref(),
        };
        let etag = || {
            header(
                "ETag",
                "The tag of the report if all its days are settled. Send it as `If-None-Match`.",
            )
        };
        let link = header(
            "Link",
            "On `/revenues`: the next page of each period that has one, as `rel=\"next\"` with the period \
             as `title`.",
        );
        let media = |content_type, schema| MetaMediaType {
            content_type,
            schema,
        };
        let response = |status, description, content, headers| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content,
            headers,
        };
        let formats = vec![
            media(JSON, T::schema_ref()),
            media(CSV, String::schema_ref()),
        ];
        MetaResponses {
            responses: vec![
                response(200, "The report.", formats, vec![etag(), link]),
                response(
                    304,
                    "The report matches `If-None-Match`.",
                    Vec::new(),
                    vec![etag()],
                ),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        String::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn an_etag_matches_alone_in_a_list_and_weakly() {
        let tag = "\"a\"";
        for known in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*", " \"a\" "] {
            assert!(matches(known, tag), "{known}");
        }
        for known in ["", "a", "\"b\"", "\"A\"", "W/\"b\""] {
            assert!(!matches(known, tag), "{known}");
        }
    }
}
