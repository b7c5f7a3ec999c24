//! Which pages of other origins may use the API from a browser (CORS).
//!
//! The framework's own middleware refuses whatever has an `Origin` that is not listed, the API's own
//! pages too, and lets caches mix the answers up: so this is ours.

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
};

/// The most origins.
const MAX_ORIGINS: usize = 64;
const METHODS: &str = "GET, POST, PUT";
/// What clients may send.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Accept-Language, Idempotency-Key, \
     If-None-Match, Last-Event-ID, X-Request-Id, traceparent";
/// What pages may read, besides what every page may.
const EXPOSED: &str = "X-Resume-At, X-View-Counted, X-Credited-Seconds, X-Request-Id, \
     Retry-After, Location, ETag, Link, WWW-Authenticate";
/// How long a browser remembers what it may send, in seconds.
const MAX_AGE_S: &str = "600";

/// The origins that are let in; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<HeaderValue>);

impl Origins {
    /// Reads origins, separated by commas: each a scheme, a host and, where it is not the usual
    /// one, a port, as browsers write them.
    ///
    /// # Errors
    /// A sentence that names the first that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim);
        let origins: Result<Vec<HeaderValue>, String> =
            words.filter(|word| !word.is_empty()).map(origin).collect();
        let origins = origins?;
        if origins.len() > MAX_ORIGINS {
            return Err(format!("at most {MAX_ORIGINS} origins"));
        }
        Ok(Self(origins))
    }

    /// The request's origin, if it is let in.
    pub(crate) fn of<'a>(&self, request: &'a Request) -> Option<&'a HeaderValue> {
        let origin = request.headers().get(header::ORIGIN)?;
        self.0.contains(origin).then_some(origin)
    }

    /// The answer to a browser that asks beforehand.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks {
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

    /// Lets the page of an origin that is let in read the response.
    pub(crate) fn open(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        // For caches: to another origin the answer is another one.
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
        (Some(written), _) => Err(format!("'{word}' is no origin; is it {written}?")),
        (None, _) => Err(format!(
            "'{word}' is no origin, such as https://balance.example or http://localhost:3000"
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
            ("*", "no origin"),
            ("null", "no origin"),
            ("a.example", "no origin"),
            ("ftp://a.example", "no origin"),
            ("https://*.example", "no origin"),
            ("https://a.example/", "is it https://a.example?"),
            ("https://a.example/page", "is it https://a.example?"),
            ("https://A.example", "is it https://a.example?"),
            ("https://a.example:443", "is it https://a.example?"),
            ("https://me@a.example", "is it https://a.example?"),
        ] {
            let refused = read(invalid_input).unwrap_err();
            assert!(refused.contains(word), "{invalid_input}: {refused}");
        }
        assert!(read(&"https://a.example,".repeat(65)).is_err());
    }
}
