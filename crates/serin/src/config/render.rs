//! The placeholders in commands, environment and config files: `{{port}}` and `{{config}}`.

/// What the placeholders stand for, for one instance.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// `{{port}}`: the port that the program must listen on.
    pub port: u16,
    /// `{{config}}`: the directory with the rendered config files.
    pub config: &'a str,
}

/// Names that stand for something.
pub const KNOWN: [&str; 2] = ["port", "config"];

/// Replaces the known placeholders, with or without blanks inside the braces. Anything else stays as it is.
pub fn render(text: &str, values: Values<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(t) => out.push_str(t),
            Piece::Placeholder { name: "port", .. } => out.push_str(&values.port.to_string()),
            Piece::Placeholder { name: "config", .. } => out.push_str(values.config),
            Piece::Placeholder { written, .. } => out.push_str(written),
        }
    }
    out
}

/// The names of all placeholders in `text`, known or not.
pub fn placeholders(text: &str) -> Vec<&str> {
    let name = |p| match p {
        Piece::Placeholder { name, .. } => Some(name),
        Piece::Text(_) => None,
    };
    pieces(text).into_iter().filter_map(name).collect()
}

enum Piece<'a> {
    Text(&'a str),
    Placeholder { name: &'a str, written: &'a str },
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find("{{") {
        let Some(len) = rest[open..].find("}}") else { break };
        let (written, name) = (&rest[open..open + len + 2], rest[open + 2..open + len].trim());
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            out.extend([Piece::Text(&rest[..open]), Piece::Placeholder { name, written }]);
            rest = &rest[open + len + 2..];
        } else {
            out.push(Piece::Text(&rest[..open + 2]));
            rest = &rest[open + 2..];
        }
    }
    out.push(Piece::Text(rest));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ones_are_replaced_and_others_stay() {
        let v = Values { port: 7, config: "/c" };
        assert_eq!(render("--port={{port}} {{ port }} {{config}}/a", v), "--port=7 7 /c/a");
        assert_eq!(render("{{other}} {{ {{port}} }} {{", v), "{{other}} {{ 7 }} {{");
        assert_eq!(placeholders("{{port}} {{prot}} {{a b}}"), ["port", "prot"]);
    }
}
