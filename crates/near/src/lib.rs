//! "Did you mean …": the nearest of the words that would have been right. Whoever reads what people write uses it; it does
//! nothing else, and depends on nothing.
#![forbid(unsafe_code)]

/// The word of `known` that is nearest to `word`, when it is near enough that it may have been meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    let word = plain(&word);
    // A word that differs in length by more than that is farther away, and may be as long as somebody makes it.
    let near = |k: &str| k.chars().count().abs_diff(word.chars().count()) <= allowed;
    let known = known.into_iter().map(|k| (plain(&k.to_lowercase()), k)).filter(|(plain, _)| near(plain));
    let best = known.map(|(plain, k)| (distance(&word, &plain), k)).min_by_key(|(d, _)| *d)?;
    (best.0 <= allowed).then_some(best.1)
}

/// `-`, `_` and blanks are not told apart.
fn plain(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).collect()
}

/// Edits that lead from `a` to `b`: insert, delete, replace, or swap two neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["command", "env", "cwd", "max_unavailable", "replicas"];
        for (slip, meant) in [
            ("comand", "command"),
            ("commnad", "command"),
            ("Env", "env"),
            ("maxUnavailable", "max_unavailable"),
            ("max-unavailable", "max_unavailable"),
            ("replica", "replicas"),
        ] {
            assert_eq!(nearest(slip, known), Some(meant), "{slip}");
        }
        for stranger in ["image", "port", "x", ""] {
            assert_eq!(nearest(stranger, known), None, "{stranger}");
        }
    }
}
