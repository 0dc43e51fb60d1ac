//! The figures of the table, and exact chances of being wrong.
use super::*;

const FIRST: u32 = 500;

fn share(of: u16) -> Split {
    Split::share_to(1, of)
}

/// The exact chance of each number of hits when the trials are spread over data planes in equal parts, one of which gives
/// the slot `q` and the others `p`.
fn spread(trials: u64, planes: u64, p: f64, q: f64) -> Vec<f64> {
    let mut chances = vec![1.0];
    for i in 0..trials {
        let hit = if i % planes == 0 { q } else { p };
        let mut next = vec![0.0; chances.len() + 1];
        for (hits, chance) in chances.iter().enumerate() {
            next[hits] += chance * (1.0 - hit);
            next[hits + 1] += chance * hit;
        }
        chances = next;
    }
    chances
}

#[test]
fn the_figures_of_the_table() {
    let row = |from, to| [1, 2, 4, 8].map(|planes| needed(share(to), share(from), planes, FIRST).unwrap_or(0));
    assert_eq!(row(2_500, 0), [27, 57, 118, 240]);
    assert_eq!(row(1_000, 0), [73, 149, 301, 605]);
    assert_eq!(row(9_500, 10_000), [149, 301, 605, 1_213]);
    assert_eq!(row(0, 1_000), [44, 853, 4_033, 17_164]);
    assert_eq!(row(1_000, 2_500), [197, 928, 3_983, 16_442]);
    assert_eq!(row(5_000, 10_000), [11, 27, 57, 118]);
}

#[test]
fn one_of_k_on_the_old_split_is_caught() {
    let mut worst: f64 = 0.0;
    for (from, to) in [(2_500, 0), (0, 2_500), (1_000, 5_000), (10_000, 5_000), (5_000, 10_000)] {
        for planes in [1_u32, 2, 4] {
            let Some(n) = needed(share(to), share(from), planes, FIRST).filter(|n| *n < 1_500) else { continue };
            let passes = |hits: usize| {
                let counts = [n - hits as u64, hits as u64];
                excludes(counts, share(to), share(from), planes, FIRST)
            };
            let sum = |old: u16| -> f64 {
                let (p, q) = (f64::from(to) / 1e4, f64::from(old) / 1e4);
                let all = spread(n, planes.into(), p, q);
                all.iter().enumerate().filter(|(hits, _)| passes(*hits)).map(|(_, chance)| chance).sum()
            };
            assert!(sum(from) <= 500e-6, "{from} to {to}, {planes}: {}", sum(from));
            assert!(sum(to) >= 0.99, "{from} to {to}, {planes}: it is seen when it is so: {}", sum(to));
            worst = worst.max(sum(from));
        }
    }
    assert!(worst > 1e-5, "the test is not stricter than it says by far: {worst}");
}

#[test]
fn nothing_goes_where_nothing_may() {
    assert!(fits([1_000, 0], share(0)) && !fits([1_000, 1], share(0)));
    assert!(fits([0, 1_000], share(10_000)) && !fits([1, 1_000], share(10_000)));
    assert!(fits([0, 0], share(0)) && fits([0, 0], share(2_500)));
    assert!(fits([750, 250], share(2_500)) && !fits([500, 500], share(2_500)) && !fits([900, 100], share(2_500)));
    assert!(fits([u64::MAX, 0], share(0)), "sums do not overflow");
}

#[test]
fn what_is_too_near_is_not_told_apart() {
    assert_eq!(needed(share(2_500), share(2_500), 4, FIRST), None);
    assert_eq!(needed(share(2_501), share(2_500), 4, FIRST), None);
    assert!(!excludes([750, 250], share(2_500), share(2_500), 4, FIRST), "the same is never excluded");
    assert!(!excludes([0, 0], share(0), share(2_500), 4, FIRST), "nothing excludes nothing");
    assert_eq!(needed(share(0), share(2_500), u32::MAX, FIRST), None);
}
