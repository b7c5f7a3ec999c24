//! The methods of each path, for `Allow`, and the operation of each request.
//!
//! The operation id labels a request in logs, metrics and traces. The number of labels is bounded
//! by the number of operations, because every other request is labelled `none`.

use poem::http::{HeaderValue, Method};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A path of the document and its methods.
#[derive(Debug)]
struct PathMethods {
    /// `None` stands for a path parameter.
    segments: Vec<Option<String>>,
    allow: HeaderValue,
    /// The operation ids by method, in lower case.
    operations: Vec<(String, Arc<str>)>,
}

/// The label of requests that are not operations: unknown paths, other methods, documentation.
const NONE: &str = "none";
/// The only GET operation with a side effect.
const GET_WITH_EFFECT: &str = "runDayBatchJob";

/// The known paths.
#[derive(Debug, Default)]
pub(crate) struct Methods(Vec<PathMethods>);

impl Methods {
    /// Reads the paths of an OpenAPI document and adds undocumented paths that have only GET.
    pub(crate) fn of(document: &Value, undocumented: &[&str]) -> Self {
        let paths = document["paths"].as_object();
        let documented = paths.into_iter().flatten().map(|(path, operations)| {
            let ids = operations.as_object().into_iter().flat_map(Map::iter);
            let ids = ids.map(|(method, operation)| {
                let id = operation["operationId"].as_str().unwrap_or(NONE);
                (method.to_owned(), Arc::from(id))
            });
            (path.as_str(), ids.collect())
        });
        let undocumented = undocumented.iter().map(|path| {
            let get = vec![("get".to_owned(), Arc::from(NONE))];
            (*path, get)
        });
        Self(
            documented
                .chain(undocumented)
                .filter_map(|(path, operations)| PathMethods::of(path, operations))
                .collect(),
        )
    }

    /// Returns the `Allow` header of a path, or `None` if the path is unknown.
    pub(crate) fn allowed(&self, path: &str) -> Option<HeaderValue> {
        self.known(path).map(|known| known.allow.clone())
    }

    /// Returns the operation id of a request.
    pub(crate) fn operation(&self, method: &Method, path: &str) -> Arc<str> {
        // The server answers HEAD as GET, without the body.
        let method = match method {
            &Method::HEAD => &Method::GET,
            method => method,
        };
        let known = self.known(path);
        let mut operations = known.into_iter().flat_map(|known| &known.operations);
        let found = operations.find(|(name, _)| name.eq_ignore_ascii_case(method.as_str()));
        found.map_or_else(|| Arc::from(NONE), |(_, id)| Arc::clone(id))
    }

    /// Returns whether a path has GET but not HEAD.
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

    fn known(&self, path: &str) -> Option<&PathMethods> {
        let requested: Vec<&str> = segments(path).collect();
        self.0.iter().find(|known| known.matches(&requested))
    }
}

impl PathMethods {
    fn of(path: &str, operations: Vec<(String, Arc<str>)>) -> Option<Self> {
        let mut methods: Vec<&str> = operations.iter().map(|one| one.0.as_str()).collect();
        // Every GET without a side effect has HEAD too.
        let has_head =
            |(method, id): &(String, Arc<str>)| method == "get" && **id != *GET_WITH_EFFECT;
        if operations.iter().any(has_head) {
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

    fn matches(&self, requested: &[&str]) -> bool {
        self.segments.len() == requested.len()
            && self
                .segments
                .iter()
                .zip(requested)
                .all(|(known, requested)| {
                    let known = known.as_deref();
                    known.map_or(!requested.is_empty(), |known| known == *requested)
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
    fn every_request_has_an_operation_id_or_none() {
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
