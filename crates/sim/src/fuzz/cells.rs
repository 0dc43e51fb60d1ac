//! The table of phases and writes.
use crate::coverage;
use serin_rollout::{Observation, Status, Write};

/// The phases, by the names that [`coverage::phase`] gives them.
pub const PHASES: [&str; 8] = ["Idle", "Step", "Window", "Home", "Retire", "Back", "Halted", "Parked"];
/// The writes.
pub const WRITES: [&str; 6] = ["Claim", "Grow", "Lower", "Stop", "Route", "Rewrite"];
/// How many cells the table has.
pub const CELLS: usize = PHASES.len() * WRITES.len();

/// The row of a status.
///
/// # Panics
/// For a phase that has no row yet.
pub fn phase(status: &Status) -> usize {
    let name = coverage::phase(status);
    PHASES.iter().position(|phase| *phase == name).unwrap_or_else(|| panic!("the phase {name} needs a row in PHASES"))
}

/// The cell of a write that is asked for.
pub fn cell(status: &Status, seen: &Observation, write: &Write) -> usize {
    let column = match *write {
        Write::Claim => 0,
        Write::Resize { to: 0, .. } => 3,
        Write::Resize { slot, to, .. } => {
            if to < seen.set[slot].desired {
                2
            } else {
                1
            }
        }
        Write::Route(_) => 4,
        Write::Rewrite { .. } => 5,
    };
    phase(status) * WRITES.len() + column
}

/// A cell in words.
pub fn name(cell: usize) -> String {
    format!("{}×{}", PHASES[cell / WRITES.len()], WRITES[cell % WRITES.len()])
}

/// Cells that cannot be, and why. One that is reached all the same is a mistake in this list or in the core.
pub const IMPOSSIBLE: &[(&str, &str)] = &[
    ("Idle×Lower", MORE),
    ("Idle×Rewrite", REWRITES),
    ("Step×Rewrite", REWRITES),
    ("Window×Grow", "both sets are whole and pinned when the window opens, and nobody lowers what is pinned"),
    ("Window×Lower", KEEPS),
    ("Window×Stop", KEEPS),
    ("Window×Rewrite", REWRITES),
    ("Home×Stop", STAYS),
    ("Retire×Grow", "what was promoted is whole and pinned, and nobody lowers what is pinned"),
    ("Retire×Rewrite", REWRITES),
    ("Back×Lower", MORE),
    ("Back×Rewrite", REWRITES),
    ("Halted×Stop", STAYS),
    ("Parked×Lower", KEEPS),
    ("Parked×Stop", KEEPS),
    ("Parked×Rewrite", REWRITES),
];
const MORE: &str = "the good slot has no more than its replicas, and the other one is stopped as a whole";
const KEEPS: &str = "nothing shrinks in this phase: what is there is kept";
const STAYS: &str = "no set is stopped before the way home is over: the one that was copied is the way back";
const REWRITES: &str = "a set is rewritten only on the way home, or where that was halted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_impossible_cell_is_one_of_the_table() {
        let names: Vec<String> = (0..CELLS).map(name).collect();
        assert!(IMPOSSIBLE.iter().all(|(cell, _)| names.iter().any(|name| name == cell)));
    }
}
