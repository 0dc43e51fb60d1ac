//! What an API server makes of a JSON Patch, as far as Serin writes any.
use serde_json::Value;
use serin_kubernetes::workload::{Change, How};

/// The object after the change.
///
/// # Panics
/// Where the API server would refuse it.
pub fn patched(object: &Value, change: &Change) -> Value {
    let How::Patch(patch) = &change.how else { panic!("it is created: {change:?}") };
    let mut object = object.clone();
    for operation in patch.as_array().expect("a list") {
        let (op, path) = (operation["op"].as_str().expect("a word"), operation["path"].as_str().expect("a path"));
        let (above, key) = path.rsplit_once('/').expect("it begins with a slash");
        let key = key.replace("~1", "/").replace("~0", "~");
        if op == "test" {
            assert_eq!(object.pointer(path), operation.get("value"), "the version that was looked at");
            continue;
        }
        let map = object.pointer_mut(above).and_then(Value::as_object_mut);
        let map = map.unwrap_or_else(|| panic!("there is no {above} for {operation}"));
        match op {
            "add" => drop(map.insert(key, operation["value"].clone())),
            "replace" => {
                *map.get_mut(&key).unwrap_or_else(|| panic!("there is no {path}")) = operation["value"].clone()
            }
            "remove" => assert!(map.remove(&key).is_some(), "there is no {path}"),
            other => panic!("nobody writes {other}"),
        }
    }
    object
}
