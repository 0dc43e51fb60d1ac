//! That every report is told once, that names are found, and that no mutant dies for the wrong reason.
use super::{Caught, NOT_HERE, all, distance, find, outages, run};
use std::collections::{BTreeMap, BTreeSet};

/// The outages of the catalogue that the mutants come from.
const ROWS: u8 = 51;

#[test]
fn every_row_of_the_catalogue_is_either_a_mutant_or_not_here_with_its_reason() {
    let list = all();
    let told: BTreeSet<u8> = list.iter().flat_map(|mutant| mutant.rows()).collect();
    let not_here: Vec<u8> = NOT_HERE.iter().map(|(row, _, _)| *row).collect();
    let both: Vec<u8> = not_here.iter().copied().filter(|row| told.contains(row)).collect();
    assert_eq!(both, Vec::<u8>::new(), "told as a mutant and said to be not here");
    let mut rows: Vec<u8> = told.iter().copied().chain(not_here).collect();
    rows.sort_unstable();
    assert_eq!(rows, (1..=ROWS).collect::<Vec<u8>>());
    assert_eq!(outages(&list), told.len());
    assert!(told.len() >= 45, "{}", told.len());
}

#[test]
fn no_report_is_named_twice() {
    let list = all();
    let mut names = BTreeMap::<&str, usize>::new();
    let not_here = NOT_HERE.iter().map(|(_, name, _)| *name);
    for name in list.iter().flat_map(|mutant| mutant.names()).chain(not_here) {
        *names.entry(name).or_default() += 1;
    }
    let twice: Vec<_> = names.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn every_outage_has_a_story_and_every_absence_a_reason() {
    for mutant in all() {
        assert!(mutant.told.ends_with('.'), "{}", mutant.name());
        let length = mutant.told.split_whitespace().count();
        assert!(mutant.row.is_none() || length >= 8, "{}: {length} words", mutant.name());
    }
    assert!(NOT_HERE.iter().all(|(_, _, why)| why.split_whitespace().count() >= 8));
}

#[test]
fn names_are_found_whole_in_part_and_nearly() {
    let list = all();
    let name = |part: &str| find(&list, part).map(super::Mutant::name);
    assert_eq!(name("flagger-1898"), Ok("flagger-1898"));
    assert_eq!(name("1898"), Ok("flagger-1898"));
    assert_eq!(name("argo-3333"), Ok("argo-3926"), "by the name of a report with the same story");
    assert_eq!(name("banno"), Ok("banno-single-instance"));
    let several = name("nomad").unwrap_err();
    assert!(several.len() > 2 && several.iter().all(|name| name.contains("nomad")), "{several:?}");
    let nearest = name("fluger-1898").unwrap_err();
    assert_eq!(nearest.first(), Some(&"flagger-1898"), "{nearest:?}");
    assert_eq!(distance("kitten", "sitting"), 3);
}

#[test]
fn a_mutant_that_dies_for_another_reason_is_not_killed() {
    let list = all();
    let flagger = find(&list, "flagger-1898").unwrap();
    let mut verdict = run(flagger);
    assert!(verdict.is_killed());
    verdict.expected = Caught::Breaks(crate::invariants::Rule::Drain);
    assert!(!verdict.is_killed());
    let mut verdict = run(flagger);
    verdict.closed = false;
    assert!(!verdict.is_killed());
}

/// `UPDATE=1` writes the file anew; the difference is for a person to read.
#[test]
fn the_story_of_flagger_1898_is_told_as_it_was() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/flagger-1898.txt");
    let list = all();
    let story = run(find(&list, "flagger-1898").unwrap()).story;
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &story).unwrap();
    }
    let told = std::fs::read_to_string(path).unwrap();
    assert_eq!(story, told, "run this test with UPDATE=1 and read the difference");
}
