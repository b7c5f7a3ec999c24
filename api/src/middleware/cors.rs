//! Cross-origin resource sharing (CORS): access for the pages of configured origins.
//!
//! The framework's middleware does not fit. It rejects every request with an unlisted `Origin`,
//! including those of the API's own pages, and it does not vary cached responses by origin.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
};

const MAX_ORIGINS: usize = 64;
const METHODS: &str = "GET, POST, PUT";
/// The request headers that pages may send.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Accept-Language, Idempotency-Key, \
     If-None-Match, Last-Event-ID, X-Request-Id, traceparent";
/// The response headers that pages may read, besides the safelisted ones.
const EXPOSED: &str = "X-Resume-At, X-View-Counted, X-Credited-Seconds, X-Request-Id, \
     Retry-After, Location, ETag, Link, WWW-Authenticate";
/// The time for which a browser caches a preflight response, in seconds.
const MAX_AGE_S: &str = "600";

/// The allowed origins; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<HeaderValue>);

impl Origins {
    /// Parses origins that are separated by commas. An origin is a scheme, a host and, unless it is
    /// the default of the scheme, a port, in the form that browsers send.
    ///
    /// # Errors
    /// Returns a message that names the first invalid origin, or the limit of 64 origins.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim);
        let origins: Result<Vec<HeaderValue>, String> =
            words.filter(|word| !word.is_empty()).map(origin).collect();
        let origins = origins?;
        if origins.len() > MAX_ORIGINS {
            return Err(format!("more than {MAX_ORIGINS} origins"));
        }
        Ok(Self(origins))
    }

    /// Returns the request's origin if it is allowed.
    pub(crate) fn of<'a>(&self, request: &'a Request) -> Option<&'a HeaderValue> {
        let origin = request.headers().get(header::ORIGIN)?;
        self.0.contains(origin).then_some(origin)
    }

    /// Returns the response to a preflight request of an allowed origin.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let is_preflight = request.method() == Method::OPTIONS
            && request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight {
            return None;
        }
        self.of(request)?;
        let response = Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS)
            .header(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
            .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
        Some(response.finish())
    }

    /// Adds the headers that let a page of an allowed origin read the response.
    pub(crate) fn add_headers(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        // A cache must not serve the response of one origin to another.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

fn origin(word: &str) -> Result<HeaderValue, String> {
    let uri: Option<Uri> = word.parse().ok();
    let written = uri.as_ref().and_then(|uri| {
        let (scheme, host) = (uri.scheme_str()?, uri.host()?.to_ascii_lowercase());
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-[:]".contains(&byte);
        if !host.bytes().all(is_host) {
            return None;
        }
        match (scheme, uri.port_u16()) {
            ("http", Some(80)) | ("https", Some(443)) | ("http" | "https", None) => {
                Some(format!("{scheme}://{host}"))
            }
            ("http" | "https", Some(port)) => Some(format!("{scheme}://{host}:{port}")),
            _ => None,
        }
    });
    match (written, HeaderValue::from_str(word)) {
        (Some(written), Ok(value)) if written == word => Ok(value),
        (Some(written), _) => Err(format!(
            "'{word}' is not an origin; did you mean {written}?"
        )),
        (None, _) => Err(format!(
            "'{word}' is not an origin such as https://balance.example or http://localhost:3000"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact() {
        let read = |text: &str| Origins::parse(text).map(|origins| origins.0.len());
        assert_eq!(read(""), Ok(0));
        assert_eq!(read("https://a.example, http://[::1]:3000,"), Ok(2));
        for (invalid_input, word) in [
            ("*", "not an origin"),
            ("null", "not an origin"),
            ("a.example", "not an origin"),
            ("ftp://a.example", "not an origin"),
            ("https://*.example", "not an origin"),
            ("https://a.example/", "did you mean https://a.example?"),
            ("https://a.example/page", "did you mean https://a.example?"),
            ("https://A.example", "did you mean https://a.example?"),
            ("https://a.example:443", "did you mean https://a.example?"),
            ("https://me@a.example", "did you mean https://a.example?"),
        ] {
            let message = read(invalid_input).unwrap_err();
            assert!(message.contains(word), "{invalid_input}: {message}");
        }
        assert!(read(&"https://a.example,".repeat(65)).is_err());
    }
}
