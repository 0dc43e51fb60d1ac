//! The JSON schema of `serin.yaml`, for editors (`serin schema`, committed as `docs/serin.schema.json`).

use super::file::File;

/// The schema as pretty-printed JSON with a closing newline.
///
/// # Panics
/// Never: a schema is always JSON.
pub fn schema() -> String {
    let schema = schemars::generate::SchemaSettings::draft07().into_generator().into_root_schema_for::<File>();
    serde_json::to_string_pretty(&schema).expect("a schema is always JSON") + "\n"
}
