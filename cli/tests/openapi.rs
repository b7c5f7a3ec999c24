//! The committed OpenAPI document is the one that this version serves, and it is complete.

use serde_json::{Map, Value};
use std::{collections::BTreeSet, fs, io, path::Path};

#[test]
fn the_committed_document_is_current() -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/openapi.json");
    let committed = fs::read_to_string(path)?;
    assert!(
        committed == balance_api::document(),
        "openapi/openapi.json is stale; regenerate it with\n\n    \
         cargo run -p balance -- openapi > openapi/openapi.json\n"
    );
    Ok(())
}

fn entries(map: &Value) -> impl Iterator<Item = (&String, &Value)> {
    map.as_object().into_iter().flat_map(Map::iter)
}

fn is_given(text: &Value) -> bool {
    text.as_str().is_some_and(|text| !text.is_empty())
}

/// Whether a schema has an example, itself or through a reference.
fn has_example(document: &Value, schema: &Value) -> bool {
    let all = |key: &str| {
        let parts = schema[key].as_array();
        parts.is_some_and(|parts| parts.iter().all(|part| has_example(document, part)))
    };
    let referred = schema["$ref"].as_str();
    let referred = referred.and_then(|path| document.pointer(path.trim_start_matches('#')));
    schema.get("example").is_some()
        || referred.is_some_and(|schema| has_example(document, schema))
        || all("allOf")
        || all("oneOf")
}

/// Returns the missing parts of an operation.
fn missing(document: &Value, operation: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    for key in ["operationId", "summary", "description"] {
        if !is_given(&operation[key]) {
            missing.push(key.to_owned());
        }
    }
    if !is_given(&operation["tags"][0]) {
        missing.push("tags".to_owned());
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    for parameter in parameters.filter(|parameter| !is_given(&parameter["description"])) {
        missing.push(format!("{}: description", parameter["name"]));
    }
    for status in ["400", "413", "500", "503"] {
        if operation["responses"].get(status).is_none() {
            missing.push(format!("status {status}"));
        }
    }
    let requires_token = operation.get("security").is_some();
    let has_status_401 = operation["responses"].get("401").is_some();
    // Operations without a token may have other responses of status 401.
    if requires_token && !has_status_401 {
        missing.push("status 401".to_owned());
    }
    let mut bodies = vec![("request body", &operation["requestBody"])];
    bodies.extend(entries(&operation["responses"]).map(|(status, of)| (status.as_str(), of)));
    for (name, body) in bodies {
        for (media_type, content) in entries(&body["content"]) {
            // CSV and metrics are formats of other tools.
            let is_for_tools = ["text/csv", "text/plain"].contains(&media_type.as_str());
            if !is_for_tools && !has_example(document, &content["schema"]) {
                missing.push(format!("{name}: an example of {media_type}"));
            }
        }
    }
    missing
}

#[test]
fn every_operation_is_completely_documented() {
    let document: Value = serde_json::from_str(&balance_api::document()).expect("JSON");
    let operations: Vec<&Value> = entries(&document["paths"])
        .flat_map(|(_, path)| entries(path).map(|(_, operation)| operation))
        .collect();
    assert!(
        operations.len() > 30,
        "only {} operations",
        operations.len()
    );
    let mut ids = BTreeSet::new();
    let mut found = Vec::new();
    for operation in operations {
        let id = &operation["operationId"];
        assert!(
            ids.insert(id.as_str()),
            "{id} is the name of two operations"
        );
        let missing = missing(&document, operation);
        found.extend(missing.iter().map(|what| format!("{id}: {what}")));
    }
    for (name, schema) in entries(&document["components"]["schemas"]) {
        if !is_given(&schema["description"]) {
            found.push(format!("{name}: description"));
        }
        for (property, value) in entries(&schema["properties"]) {
            let is_reference = value.get("$ref").is_some();
            if !is_reference && !is_given(&value["description"]) {
                found.push(format!("{name}.{property}: description"));
            }
        }
    }
    assert!(found.is_empty(), "missing:\n{}", found.join("\n"));
}
