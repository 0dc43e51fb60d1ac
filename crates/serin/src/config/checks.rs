//! Checks of single values that a range or a length cannot express. Each error says what to write.

use std::collections::BTreeMap;

use super::{file::EnvValue, written::FileText};

pub(super) fn service_name(name: &str, (): &()) -> garde::Result {
    let shape = !name.is_empty()
        && name.len() <= 40
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if shape {
        return Ok(());
    }
    Err(garde::Error::new(
        "a service is named by 1 to 40 lower-case letters, digits and `-`, with a letter or digit at both ends, such as `my-shop`",
    ))
}

pub(super) fn env_names(env: &BTreeMap<String, EnvValue>, (): &()) -> garde::Result {
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(garde::Error::new(format!("`{name}` cannot be the name of an environment variable")));
        }
        if value.0.contains('\0') {
            return Err(garde::Error::new(format!(
                "the value of `{name}` contains a zero byte, which no environment can carry"
            )));
        }
    }
    Ok(())
}

pub(super) fn file_names(files: &BTreeMap<String, FileText>, (): &()) -> garde::Result {
    for name in files.keys() {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.starts_with('.') || name.len() > 100 || !name.chars().all(plain) {
            return Err(garde::Error::new(format!(
                "`{name}` cannot be the name of a config file: write letters, digits, `.`, `-` and `_`, such as app.toml, with no `.` at the beginning"
            )));
        }
    }
    Ok(())
}

pub(super) fn http_path(path: &str, (): &()) -> garde::Result {
    if !path.starts_with('/') {
        return Err(garde::Error::new(format!("a path begins with `/`: write /{path}")));
    }
    if path.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err(garde::Error::new("a path has no spaces or control characters: write %20 for a space"));
    }
    Ok(())
}
