//! The committed OpenAPI document is the one that this version serves, and says all that clients
//! need.

use serde_json::{Map, Value};
use std::{collections::BTreeSet, fs, io, path::Path};

#[test]
fn the_document_is_that_of_the_code() -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/openapi.json");
    let committed = fs::read_to_string(path)?;
    assert!(
        committed == balance_api::document(),
        "openapi/openapi.json is stale; mend it with\n\n    \
         cargo run -p balance-cli -- openapi > openapi/openapi.json\n"
    );
    Ok(())
}

fn entries(map: &Value) -> impl Iterator<Item = (&String, &Value)> {
    map.as_object().into_iter().flat_map(Map::iter)
}

fn is_told(text: &Value) -> bool {
    text.as_str().is_some_and(|text| !text.is_empty())
}

/// Whether a schema shows a value, itself or by what it refers to.
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

/// What an operation does not say.
fn missing(document: &Value, operation: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    for key in ["operationId", "summary", "description"] {
        if !is_told(&operation[key]) {
            missing.push(key.to_owned());
        }
    }
    if !is_told(&operation["tags"][0]) {
        missing.push("tags".to_owned());
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    for parameter in parameters.filter(|parameter| !is_told(&parameter["description"])) {
        missing.push(format!("{}: description", parameter["name"]));
    }
    for status in ["400", "413", "500", "503"] {
        if operation["responses"].get(status).is_none() {
            missing.push(format!("status {status}"));
        }
    }
    let asks_who = operation.get("security").is_some();
    let is_token_refused = operation["responses"].get("401").is_some();
    // Those who log in are refused for other reasons.
    if asks_who && !is_token_refused {
        missing.push("status 401".to_owned());
    }
    let mut bodies = vec![("what is asked", &operation["requestBody"])];
    bodies.extend(entries(&operation["responses"]).map(|(status, of)| (status.as_str(), of)));
    for (name, body) in bodies {
        for (media_type, content) in entries(&body["content"]) {
            // Tables and metrics are texts for other tools.
            let is_for_tools = ["text/csv", "text/plain"].contains(&media_type.as_str());
            if !is_for_tools && !has_example(document, &content["schema"]) {
                missing.push(format!("{name}: an example of {media_type}"));
            }
        }
    }
    missing
}

#[test]
fn every_operation_says_all_that_clients_need() {
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
        if !is_told(&schema["description"]) {
            found.push(format!("{name}: description"));
        }
        for (property, said) in entries(&schema["properties"]) {
            let is_reference = said.get("$ref").is_some();
            if !is_reference && !is_told(&said["description"]) {
                found.push(format!("{name}.{property}: description"));
            }
        }
    }
    assert!(found.is_empty(), "not said:\n{}", found.join("\n"));
}
