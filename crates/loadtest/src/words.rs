//! A command line into words, as a POSIX shell splits it, and what of it only a shell could do.
//!
//! Source of the rules: POSIX.1-2024, Shell Command Language, 2.2 (Quoting) and 2.3 (Token Recognition). Patterns (`*`, `?`,
//! `[`) stay as they are: without a file that fits a shell leaves them too, and addresses are full of them.

use std::iter::Peekable;
use std::str::Chars;

/// Why a text is no list of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unsplit {
    /// No shell could read it either; a sentence.
    Broken(String),
    /// Only a shell can carry it out: this piece of it, and what that would be.
    Shell(String, &'static str),
}

/// The words of `text`, at least one.
///
/// # Errors
/// What is wrong with it, or what of it needs a shell.
pub(crate) fn split(text: &str) -> Result<Vec<String>, Unsplit> {
    let mut chars = text.chars().peekable();
    let (mut all, mut word) = (Vec::new(), None::<String>);
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => all.extend(word.take()),
            '\n' if all.is_empty() && word.is_none() => {}
            // The last line end is the file's in which the command was written.
            '\n' if chars.clone().all(char::is_whitespace) => break,
            '\n' => return Err(Unsplit::Shell("a second line".to_owned(), "a further command")),
            '\'' => single(&mut chars, word.get_or_insert_default())?,
            '"' => double(&mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err(broken("it ends in a backslash")),
            },
            '$' if expands(chars.peek()) => return Err(dollar()),
            '`' => return Err(backquote()),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' => return Err(Unsplit::Shell(format!("`{c}`"), operator(c))),
            '#' if word.is_none() => return Err(Unsplit::Shell("`#`".to_owned(), "a comment")),
            '~' if word.is_none() => return Err(Unsplit::Shell("`~`".to_owned(), "a home directory")),
            '=' if all.is_empty() && word.as_deref().is_some_and(is_name) => {
                return Err(Unsplit::Shell(format!("`{}=`", word.unwrap_or_default()), "a variable"));
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    all.extend(word);
    match all.first() {
        None => Err(broken("it is empty")),
        Some(program) if program.is_empty() => Err(broken("its first word, the program, is empty")),
        Some(_) => Ok(all),
    }
}

fn broken(what: &str) -> Unsplit {
    Unsplit::Broken(what.to_owned())
}

fn dollar() -> Unsplit {
    Unsplit::Shell("`$`".to_owned(), "a variable, or the output of another command")
}

fn backquote() -> Unsplit {
    Unsplit::Shell("a backquote".to_owned(), "the output of another command")
}

const fn operator(c: char) -> &'static str {
    match c {
        '|' => "a pipe",
        '<' | '>' => "a redirection",
        '&' => "a command in the background, or a further one",
        ';' => "a further command",
        _ => "commands in parentheses",
    }
}

/// Whether a dollar sign before this stands for something else than itself.
fn expands(next: Option<&char>) -> bool {
    next.is_some_and(|c| c.is_ascii_alphanumeric() || "_{(@*#?-$!'\"".contains(*c))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn single(chars: &mut Peekable<Chars<'_>>, word: &mut String) -> Result<(), Unsplit> {
    for c in chars.by_ref() {
        match c {
            '\'' => return Ok(()),
            other => word.push(other),
        }
    }
    Err(broken("it has a ' without a second one that closes it"))
}

fn double(chars: &mut Peekable<Chars<'_>>, word: &mut String) -> Result<(), Unsplit> {
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(()),
            '`' => return Err(backquote()),
            // Within double quotes a quote after it is the end, and no quotation of its own.
            '$' if expands(chars.peek().filter(|next| !"'\"".contains(**next))) => return Err(dollar()),
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            other => word.push(other),
        }
    }
    Err(broken("it has a \" without a second one that closes it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text).unwrap_or_else(|e| panic!("{text:?}: {e:?}"))
    }

    #[test]
    fn the_commands_that_people_have_are_their_words() {
        let hey = words("hey -z 2m -q 10 -c 2 http://podinfo:9898/ \n\n");
        assert_eq!(hey, ["hey", "-z", "2m", "-q", "10", "-c", "2", "http://podinfo:9898/"]);
        let quoted = words(r#"ghz --insecure -d '{"name":"a b"}' -m "{\"k\":\"$\"}" a\ b """#);
        assert_eq!(quoted, ["ghz", "--insecure", "-d", r#"{"name":"a b"}"#, "-m", r#"{"k":"$"}"#, "a b", ""]);
        assert_eq!(words("curl \\\n  -s \\\n  http://a/?b=c*[d]#e"), ["curl", "-s", "http://a/?b=c*[d]#e"]);
        assert_eq!(words("\n hey 'a'b\"c\"\\d a~ {x,y} 1$ X=y"), ["hey", "abcd", "a~", "{x,y}", "1$", "X=y"]);
    }

    #[test]
    fn what_only_a_shell_can_do_is_named() {
        for (text, piece) in [
            ("curl -s http://a | grep b", "`|`"),
            ("hey a; hey b", "`;`"),
            ("hey a && hey b", "`&`"),
            ("hey a > /dev/null", "`>`"),
            ("hey $URL", "`$`"),
            ("hey \"${URL}\"", "`$`"),
            ("hey $(cat url)", "`$`"),
            ("hey `cat url`", "a backquote"),
            ("hey \"`cat url`\"", "a backquote"),
            ("(hey a)", "`(`"),
            ("URL=a hey b", "`URL=`"),
            ("hey a\nhey b", "a second line"),
            ("hey a # quick", "`#`"),
            ("hey ~/a", "`~`"),
        ] {
            let Err(Unsplit::Shell(found, _)) = split(text) else { panic!("{text}: {:?}", split(text)) };
            assert_eq!(found, piece, "{text}");
        }
    }

    #[test]
    fn what_is_quoted_needs_no_shell() {
        assert_eq!(
            words(r#"a '|' ";" \& '$(b)' "\$c" '`' \# 'x y'"#),
            ["a", "|", ";", "&", "$(b)", "$c", "`", "#", "x y"]
        );
    }

    #[test]
    fn what_no_shell_could_read_is_broken() {
        for text in ["", "  \n", "hey 'a", "hey \"a", "hey \"a\\", "hey \\", "'' a"] {
            assert!(matches!(split(text), Err(Unsplit::Broken(_))), "{text:?}: {:?}", split(text));
        }
    }
}
