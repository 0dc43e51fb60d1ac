//! Which endpoints every worker of the proxy knows to be ready.
use std::collections::BTreeSet;

/// The ready endpoints of the tables that some worker may still go by. An endpoint counts when all of these say that it
/// is ready: while a new table is on its way, what is ready in the old one and in the new one goes on counting.
#[derive(Debug, Default)]
pub(crate) struct Confirmed {
    /// Oldest first.
    tables: Vec<(u64, BTreeSet<String>)>,
    /// The first one has been acknowledged, so that no worker goes by anything older.
    known: bool,
}

impl Confirmed {
    /// The proxy accepted a table with these ready endpoints.
    pub fn accepted(&mut self, version: u64, ready: BTreeSet<String>) {
        self.tables.push((version, ready));
    }

    /// No worker goes by a table before this version any more.
    pub fn acknowledged(&mut self, version: u64) {
        if let Some(last) = self.tables.iter().rposition(|(known, _)| *known <= version) {
            self.tables.drain(..last);
            self.known = true;
        }
    }

    /// The proxy may have another table by now.
    pub fn forget(&mut self) {
        *self = Confirmed::default();
    }

    /// Whether it is known what the workers go by; until then nothing can be said of any endpoint.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Whether every worker may pick this endpoint.
    pub fn has(&self, id: &str) -> bool {
        self.known && self.tables.iter().all(|(_, ready)| ready.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(line: &str) -> BTreeSet<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_stays_ready_counts_while_another_table_is_on_its_way() {
        let mut confirmed = Confirmed::default();
        confirmed.accepted(4, ids("a b"));
        assert!(!confirmed.is_known() && !confirmed.has("a"), "the workers may go by an older one");
        confirmed.acknowledged(4);
        assert!(confirmed.is_known() && confirmed.has("a") && confirmed.has("b"));
        confirmed.accepted(5, ids("a c"));
        assert!(confirmed.has("a"), "it is ready in both");
        assert!(!confirmed.has("b") && !confirmed.has("c"), "each is ready in one of them only");
        confirmed.acknowledged(5);
        assert!(confirmed.has("c") && !confirmed.has("b"));
    }

    #[test]
    fn an_acknowledgement_of_somebody_elses_table_says_nothing() {
        let mut confirmed = Confirmed::default();
        confirmed.acknowledged(3);
        assert!(!confirmed.is_known());
        confirmed.accepted(5, ids("a"));
        confirmed.acknowledged(4);
        assert!(!confirmed.is_known());
        confirmed.acknowledged(5);
        confirmed.forget();
        assert!(!confirmed.is_known() && !confirmed.has("a"));
    }
}
