//! Who may command: the token as a bearer token, or as the password of HTTP basic authentication, which is all that the
//! address of a webhook can carry (`http://any:TOKEN@loadtester/`). Sources: RFC 6750, RFC 7617.

use std::hint::black_box;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};

/// Shorter ones can be tried out.
const SHORTEST: usize = 16;
/// A longer file is another one than was meant.
const LONGEST: usize = 4096;

/// The token, as its hash alone: comparing two hashes tells neither its length nor where the first difference is.
#[derive(Clone)]
pub(crate) struct Token {
    hash: [u8; 32],
}

impl Token {
    /// Reads the file; blanks and line ends around the token do not count.
    ///
    /// # Errors
    /// A sentence: the file cannot be read, or what it holds is no token.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read(path).map_err(|e| format!("the token's file {shown} cannot be read: {e}"))?;
        let token = text.trim_ascii();
        if token.len() < SHORTEST || text.len() > LONGEST {
            return Err(format!(
                "{shown} holds no token: write {SHORTEST} to {LONGEST} characters that nobody can guess"
            ));
        }
        Ok(Self { hash: Sha256::digest(token).into() })
    }

    /// Whether a request brings it.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
        let bytes = value.as_bytes();
        let Some(blank) = bytes.iter().position(|byte| *byte == b' ') else { return false };
        let (scheme, rest) = (&bytes[..blank], bytes[blank..].trim_ascii());
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.is(rest);
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return false;
        }
        let Ok(pair) = STANDARD.decode(rest) else { return false };
        // The user's name has no colon, the password may.
        pair.iter().position(|byte| *byte == b':').is_some_and(|colon| self.is(&pair[colon + 1..]))
    }

    /// Looks at every byte, wherever the first difference is.
    fn is(&self, given: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        let differences = self.hash.iter().zip(given).fold(0, |all, (ours, theirs)| black_box(all | (ours ^ theirs)));
        differences == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: &str = "correct:horse:battery";

    fn token() -> Token {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, format!("{WORD}\n")).unwrap();
        Token::read(&path).unwrap()
    }

    fn given(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        token().is_in(&headers)
    }

    #[test]
    fn it_is_taken_both_ways() {
        assert!(given(&format!("Bearer {WORD}")));
        assert!(given(&format!("bearer  {WORD}")));
        assert!(given(&format!("Basic {}", STANDARD.encode(format!("any:{WORD}")))));
        assert!(given(&format!("BASIC {}", STANDARD.encode(format!(":{WORD}")))));
    }

    #[test]
    fn nothing_else_is_taken() {
        assert!(!token().is_in(&HeaderMap::new()));
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for value in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            WORD.to_owned(),
            format!("Bearer {WORD}x"),
            format!("Bearer {}", &WORD[1..]),
            format!("Bearer any:{WORD}"),
            format!("Digest {WORD}"),
            "Basic !!!".to_owned(),
            basic(WORD),
            basic("any"),
            basic("any:"),
            basic(&format!("{WORD}:any")),
        ] {
            assert!(!given(&value), "{value}");
        }
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(Token::read(&path).is_err_and(|why| why.contains("cannot be read")));
        for text in ["", "\n", "short", &format!("{}\n", " ".repeat(40)), &"x".repeat(5000)] {
            std::fs::write(&path, text).unwrap();
            assert!(Token::read(&path).is_err_and(|why| why.contains("holds no token")), "{text:.20}");
        }
    }
}
