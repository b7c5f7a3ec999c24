//! What a report is answered with: JSON or CSV, with a tag by which a client keeps it.

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

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "ReportFormat", rename_all = "lowercase")]
pub(crate) enum Format {
    /// `application/json`.
    Json,
    /// `text/csv`: the items alone, one a line.
    Csv,
}

const JSON: &str = "application/json; charset=utf-8";
const CSV: &str = "text/csv; charset=utf-8";

/// A report of type `T` in one of its forms.
#[derive(Debug)]
pub(crate) struct Representation<T> {
    content_type: &'static str,
    body: Vec<u8>,
    /// Periods that go on, and where their next page is.
    next: Vec<(&'static str, String)>,
    tag: Option<String>,
    /// Whether the client has it already.
    is_known: bool,
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
            tag: None,
            is_known: false,
            of: PhantomData,
        }
    }

    /// With the addresses of the next pages, by their periods' names.
    pub(crate) fn next(mut self, addresses: Vec<(&'static str, String)>) -> Self {
        self.next = addresses;
        self
    }

    /// With a tag, if everything in it is settled: it can be kept, and asked for by its tag.
    pub(crate) fn settled(mut self, is_settled: bool, known: Option<&str>) -> Self {
        if is_settled {
            let hash = Sha256::digest(&self.body);
            let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash));
            self.is_known = known.is_some_and(|known| matches(known, &tag));
            self.tag = Some(tag);
        }
        self
    }
}

/// Whether an `If-None-Match` names a tag (RFC 9110: weak comparison).
fn matches(known: &str, tag: &str) -> bool {
    known.trim() == "*"
        || known.split(',').any(|one| {
            let one = one.trim();
            one.strip_prefix("W/").unwrap_or(one) == tag
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
        // Whoever keeps it asks before each use: it is somebody's own.
        let keeping = self.tag.is_some().then(|| "private, no-cache".to_owned());
        put(header::CACHE_CONTROL, keeping);
        put(header::ETAG, self.tag);
        let links = self
            .next
            .iter()
            .map(|(period, address)| format!("<{address}>; rel=\"next\"; title=\"{period}\""));
        let links: Vec<String> = links.collect();
        put(header::LINK, (!links.is_empty()).then(|| links.join(", ")));
        let mut response = if self.is_known {
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
        let tag = || {
            header(
                "ETag",
                "Where everything in the report is settled: send it back as `If-None-Match`.",
            )
        };
        let link = header(
            "Link",
            "Of `/revenues`: the next page of each period that goes on, as `rel=\"next\"`, with the period \
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
        let forms = vec![
            media(JSON, T::schema_ref()),
            media(CSV, String::schema_ref()),
        ];
        MetaResponses {
            responses: vec![
                response(200, "The report.", forms, vec![tag(), link]),
                response(
                    304,
                    "The client has the report already.",
                    Vec::new(),
                    vec![tag()],
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
    fn a_tag_is_known_by_itself_among_others_and_weakly() {
        let tag = "\"a\"";
        for known in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*", " \"a\" "] {
            assert!(matches(known, tag), "{known}");
        }
        for known in ["", "a", "\"b\"", "\"A\"", "W/\"b\""] {
            assert!(!matches(known, tag), "{known}");
        }
    }
}
