//! Which methods a path has, as a 405 tells in `Allow`.

use poem::http::HeaderValue;
use serde_json::{Map, Value};

/// A path of the document and its methods.
#[derive(Debug)]
struct Known {
    /// A segment without a name is a parameter's.
    segments: Vec<Option<String>>,
    allow: HeaderValue,
}

/// The paths that there are.
#[derive(Debug, Default)]
pub(crate) struct Methods(Vec<Known>);

impl Methods {
    /// Those of a document, and paths beside it that are only read.
    pub(crate) fn of(document: &Value, read: &[&str]) -> Self {
        let paths = document["paths"].as_object();
        let documented = paths.into_iter().flatten().map(|(path, operations)| {
            let operations = operations.as_object().into_iter();
            let methods = operations.flat_map(Map::keys).map(String::as_str).collect();
            (path.as_str(), methods)
        });
        let read = read.iter().map(|path| (*path, vec!["get"]));
        Self(
            documented
                .chain(read)
                .filter_map(|(path, methods)| Known::of(path, methods))
                .collect(),
        )
    }

    /// The `Allow` of a request's path; none where there is no such path.
    pub(crate) fn allowed(&self, path: &str) -> Option<HeaderValue> {
        let asked: Vec<&str> = segments(path).collect();
        let known = self.0.iter().find(|known| known.is(&asked));
        known.map(|known| known.allow.clone())
    }
}

impl Known {
    fn of(path: &str, mut methods: Vec<&str>) -> Option<Self> {
        // Whatever can be read answers HEAD too.
        if methods.contains(&"get") {
            methods.push("head");
        }
        methods.sort_unstable();
        let allow = methods.join(", ").to_ascii_uppercase();
        Some(Self {
            segments: segments(path)
                .map(|segment| (!segment.starts_with('{')).then(|| segment.to_owned()))
                .collect(),
            allow: HeaderValue::from_str(&allow).ok()?,
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
}
