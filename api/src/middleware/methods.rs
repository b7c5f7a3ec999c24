//! Which methods a path has, as a 405 tells in `Allow`, and which operation each is: the one name
//! that a request has in log, metrics and traces, known before anything is read. There are as many
//! names as operations, whatever is asked.

use poem::http::{HeaderValue, Method};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A path of the document and its methods.
#[derive(Debug)]
struct Known {
    /// A segment without a name is a parameter's.
    segments: Vec<Option<String>>,
    allow: HeaderValue,
    /// The operations by method, in lower case.
    operations: Vec<(String, Arc<str>)>,
}

/// What is no operation: an unknown path, another method, what lies beside the document.
const NONE: &str = "none";
/// The one GET that does something.
const DOES: &str = "runDayBatchJob";

/// The paths that there are.
#[derive(Debug, Default)]
pub(crate) struct Methods(Vec<Known>);

impl Methods {
    /// Those of a document, and paths beside it that are only read.
    pub(crate) fn of(document: &Value, read: &[&str]) -> Self {
        let paths = document["paths"].as_object();
        let documented = paths.into_iter().flatten().map(|(path, operations)| {
            let ids = operations.as_object().into_iter().flat_map(Map::iter);
            let ids = ids.map(|(method, operation)| {
                let id = operation["operationId"].as_str().unwrap_or(NONE);
                (method.to_owned(), Arc::from(id))
            });
            (path.as_str(), ids.collect())
        });
        let read = read.iter().map(|path| {
            let alone = vec![("get".to_owned(), Arc::from(NONE))];
            (*path, alone)
        });
        Self(
            documented
                .chain(read)
                .filter_map(|(path, operations)| Known::of(path, operations))
                .collect(),
        )
    }

    /// The `Allow` of a request's path; none where there is no such path.
    pub(crate) fn allowed(&self, path: &str) -> Option<HeaderValue> {
        self.known(path).map(|known| known.allow.clone())
    }

    /// The operation's id.
    pub(crate) fn operation(&self, method: &Method, path: &str) -> Arc<str> {
        // It is answered as GET, without a body.
        let method = match method {
            &Method::HEAD => &Method::GET,
            method => method,
        };
        let known = self.known(path);
        let mut operations = known.into_iter().flat_map(|known| &known.operations);
        let found = operations.find(|(name, _)| name.eq_ignore_ascii_case(method.as_str()));
        found.map_or_else(|| Arc::from(NONE), |(_, id)| Arc::clone(id))
    }

    /// Whether a path has a GET and no HEAD.
    pub(crate) fn has_no_head(&self, path: &str) -> bool {
        let known = self.known(path);
        known.is_some_and(|known| {
            known.allow.to_str().is_ok_and(|allow| {
                let mut methods = allow.split(", ");
                methods.clone().any(|method| method == "GET")
                    && methods.all(|method| method != "HEAD")
            })
        })
    }

    fn known(&self, path: &str) -> Option<&Known> {
        let asked: Vec<&str> = segments(path).collect();
        self.0.iter().find(|known| known.is(&asked))
    }
}

impl Known {
    fn of(path: &str, operations: Vec<(String, Arc<str>)>) -> Option<Self> {
        let mut methods: Vec<&str> = operations.iter().map(|one| one.0.as_str()).collect();
        // Whatever can be read answers HEAD too; what does something is not only looked at.
        let reads = |(method, id): &(String, Arc<str>)| method == "get" && **id != *DOES;
        if operations.iter().any(reads) {
            methods.push("head");
        }
        methods.sort_unstable();
        let allow = methods.join(", ").to_ascii_uppercase();
        Some(Self {
            segments: segments(path)
                .map(|segment| (!segment.starts_with('{')).then(|| segment.to_owned()))
                .collect(),
            allow: HeaderValue::from_str(&allow).ok()?,
            operations,
        })
    }

    fn is(&self, asked: &[&str]) -> bool {
        self.segments.len() == asked.len()
            && self.segments.iter().zip(asked).all(|(known, asked)| {
                let known = known.as_deref();
                known.map_or(!asked.is_empty(), |known| known == *asked)
            })
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('/').split('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_has_the_methods_of_the_document() {
        let document = json!({"paths": {
            "/videos": {"get": {}, "post": {}},
            "/videos/{id}/play": {"post": {}},
            "/revenue-rates": {"get": {}, "put": {}},
        }});
        let methods = Methods::of(&document, &["/openapi.json"]);
        for (path, allow) in [
            ("/videos", Some("GET, HEAD, POST")),
            ("/videos/7/play", Some("POST")),
            ("/revenue-rates", Some("GET, HEAD, PUT")),
            ("/openapi.json", Some("GET, HEAD")),
            ("/videos//play", None),
            ("/videos/7", None),
            ("/", None),
        ] {
            let found = methods.allowed(path);
            let found = found.as_ref().map(|allow| allow.to_str().unwrap());
            assert_eq!(found, allow, "{path}");
        }
    }

    #[test]
    fn every_request_has_one_of_a_few_names() {
        let document = json!({"paths": {
            "/jobs": {"get": {"operationId": "list"}},
            "/jobs/{name}/executions": {"post": {"operationId": "launch"}},
        }});
        let methods = Methods::of(&document, &["/docs"]);
        for (method, path, name) in [
            (Method::GET, "/jobs", "list"),
            (Method::HEAD, "/jobs", "list"),
            (Method::POST, "/jobs/a/executions", "launch"),
            (Method::POST, "/jobs", NONE),
            (Method::GET, "/jobs/", NONE),
            (Method::GET, "/jobs/a/executions", NONE),
            (Method::POST, "/jobs/a/executions/1", NONE),
            (Method::GET, "/docs", NONE),
            (Method::GET, "/", NONE),
            (Method::OPTIONS, "*", NONE),
        ] {
            assert_eq!(&*methods.operation(&method, path), name, "{method} {path}");
        }
    }
}
