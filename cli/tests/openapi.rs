//! The committed OpenAPI document is the one that this version serves.

use std::{fs, io, path::Path};

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
