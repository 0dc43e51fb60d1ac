//! The names in double braces that are filled in for each instance: `{{port}}`, `{{instance}}`, `{{config.NAME}}`.
//!
//! They are filled in where instances are started; here they are only found, so that a slip is told before anything runs.

/// Names that stand for something, besides `config.NAME` for each config file.
pub const KNOWN: [&str; 2] = ["port", "instance"];

/// What is written before the name of a config file; the whole stands for the file's path.
pub const CONFIG: &str = "config.";

/// All names in double braces in `text` that could be meant as ours, known or not. `{{ .Values.x }}` and `{{"a": 1}}`
/// are no such names: programs may have a template language of their own.
pub fn placeholders(text: &str) -> Vec<&str> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find("{{") {
        let inner = &rest[open + 2..];
        let named = inner.find("}}").map(|end| (inner[..end].trim(), &inner[end + 2..]));
        rest = match named.filter(|(name, _)| is_name(name)) {
            Some((name, after)) => {
                out.push(name);
                after
            }
            None => inner,
        };
    }
    out
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_other_braces_are_not() {
        assert_eq!(placeholders("--port={{port}} {{ config.app.toml }}{{prot}}"), ["port", "config.app.toml", "prot"]);
        assert_eq!(placeholders("{{ .Values.x }} {{\"a\": 1}} {{ {{port}} }} {{a b}} {{"), ["port"]);
    }
}
