//! Rules for every source file: its length, its functions' lengths, its name, its first line, what is left undone.

use std::path::Path;

/// The most lines of a file.
const FILE: usize = 600;
/// The most lines of a function, its signature and its closing brace included.
const FUNCTION: usize = 70;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "common", "helpers", "types", "manager"];
/// What marks something as not done; put together here so that this file does not name it.
const UNDONE: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!"),
    concat!("unimplem", "ented!"),
    concat!("#[ig", "nore"),
];

/// What is wrong with a file, one line each.
pub fn check(path: &Path, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let at = path.display();
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > FILE {
        wrong.push(format!("{at}: {} lines; a file has at most {FILE}", lines.len()));
    }
    if !text.starts_with("//!") {
        wrong.push(format!("{at}:1: a file begins with a `//!` that says what it is for"));
    }
    let module = path.file_stem().filter(|s| *s != "mod").or(path.parent().and_then(Path::file_name));
    if let Some(name) = module.and_then(|m| m.to_str()).filter(|m| EMPTY_NAMES.contains(m)) {
        wrong.push(format!("{at}: a module called {name} says nothing about what is inside"));
    }
    for (number, line) in (1..).zip(&lines) {
        for mark in UNDONE.iter().filter(|m| has_word(line, m)) {
            wrong.push(format!("{at}:{number}: {mark}: nothing is left undone here"));
        }
        for name in inline_modules(line).filter(|m| EMPTY_NAMES.contains(m)) {
            wrong.push(format!("{at}:{number}: a module called {name} says nothing about what is inside"));
        }
    }
    for (number, name, length) in functions(&lines).into_iter().filter(|(_, _, length)| *length > FUNCTION) {
        wrong.push(format!("{at}:{number}: fn {name} has {length} lines; a function has at most {FUNCTION}"));
    }
    wrong
}

/// Whether `line` holds `word`, not as a part of a longer one.
pub fn has_word(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let whole = |c: Option<char>, edge: Option<char>| !(part(c) && part(edge));
    line.match_indices(word).any(|(at, found)| {
        whole(line[..at].chars().next_back(), word.chars().next())
            && whole(line[at + found.len()..].chars().next(), word.chars().next_back())
    })
}

fn inline_modules(line: &str) -> impl Iterator<Item = &str> {
    let rest = line.trim_start().trim_start_matches("pub ").strip_prefix("mod ");
    rest.and_then(|r| r.split([';', ' ', '{']).next()).into_iter()
}

/// Line number, name and length of each function. Relies on rustfmt: a function's closing brace stands in the column
/// in which its first line begins, and nothing between them does.
fn functions(lines: &[&str]) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let signature = lines[at..].iter().position(|l| l.trim_end().ends_with(['{', ';', '}']));
        let Some(open) = signature.map(|s| at + s).filter(|o| lines[*o].trim_end().ends_with('{')) else { continue };
        let close = lines[open..].iter().position(|l| l.strip_prefix(indent).is_some_and(|r| r.trim_end() == "}"));
        if let Some(close) = close {
            found.push((at + 1, name.to_owned(), open + close - at + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        let (word, after) = rest.split_once(' ')?;
        match word {
            "fn" => return after.split(['(', '<']).next(),
            "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"" => rest = after,
            word if word.starts_with("pub(") => rest = after,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        let body = "        step();\n".repeat(lines - 2);
        format!("//! Doc.\nimpl X {{\n    pub(crate) async fn long(\n{body}    }}\n}}\n").replacen(
            "long(\n",
            "long() {\n",
            1,
        )
    }

    #[test]
    fn a_function_may_have_seventy_lines_and_not_one_more() {
        assert_eq!(check(Path::new("crates/a/src/b.rs"), &function(70)), Vec::<String>::new());
        let wrong = check(Path::new("crates/a/src/b.rs"), &function(71));
        assert_eq!(wrong, ["crates/a/src/b.rs:3: fn long has 71 lines; a function has at most 70"]);
    }

    #[test]
    fn a_signature_of_several_lines_counts() {
        let text = "fn a(\n    b: u8,\n) -> u8 {\n    b\n}\nfn c() {}\ntrait T {\n    fn d(&self);\n}\n";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(functions(&lines), [(1, "a".to_owned(), 5)]);
    }

    #[test]
    fn each_rule_can_be_broken() {
        let path = Path::new("crates/a/src/b.rs");
        let long = format!("//! Doc.\n{}", "\n".repeat(600));
        assert!(check(path, &long)[0].contains("601 lines"));
        assert!(check(path, "// No doc.\n")[0].contains("begins with"));
        assert!(check(path, "//! Doc.\nmod helpers;\n")[0].contains("helpers"));
        assert!(check(Path::new("crates/a/src/utils.rs"), "//! Doc.\n")[0].contains("utils"));
        assert!(check(Path::new("crates/a/src/utils/mod.rs"), "//! Doc.\n")[0].contains("utils"));
        for mark in UNDONE {
            assert_eq!(check(path, &format!("//! Doc.\n    {mark}\n")).len(), 1, "{mark}");
        }
    }

    #[test]
    fn a_word_is_whole() {
        assert!(has_word("let Plan { a } = b;", "Plan"));
        assert!(!has_word("let Planned = PlanB;", "Plan"));
        assert!(!has_word("a_Plan", "Plan"));
    }
}
