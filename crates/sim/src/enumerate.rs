//! The second key on every input up to four instances and four parts of the traffic, not on a sample: what it allows is
//! harmless whatever platforms and data planes do next, and what is harmless it allows, but for cases that have a name.
//!
//! The promise is [`consequence`], written anew: what may be left of a set is found in [`platform`] by trying everything
//! that a platform may do, not by a formula. A view that is older than the own last write may hide anything, and a data
//! plane that has not confirmed the route may apply anything.
//!
//! All inputs up to that size are more than 10^15. Three things make them few, and each is verified by [`lemma`] on *every*
//! input of a small size before anything is counted, so that none of them is an assumption:
//! * for each kind of write a normal form takes away what neither the key nor the promise reads (a route reads no open
//!   requests and no drain deadline, a set that is only asked to grow reads no route);
//! * splits in force are a set, and the key refuses what it refuses for one of them, so one split in force at a time is
//!   enough, and a written route is judged split by split. Only handing a set back reads two at once, and gets them;
//! * the slots are alike, so of two orders one is enough.
//!
//! `--long` goes without the last two and without the part of the first that hides the readiness of stale views.
use crate::mutants;
use crate::subject::{Permit, Subject};
use consequence::{Harm, Stricter};
use inputs::{Part, Size};
use platform::Platform;
use serin_rollout::{Guards, permit_with};
use std::sync::atomic::{AtomicUsize, Ordering};
use tally::{Judge, REFUSALS, Tally};

pub mod consequence;
pub mod inputs;
pub mod lemma;
pub mod platform;
pub mod tally;

/// Judges every input of this size.
pub fn enumerate(permit: Permit, platform: &Platform, size: Size) -> Tally {
    let parts: Vec<Part> = size.work();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judge = Judge { permit, platform, tally: Tally::default() };
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            part.run(&mut judge);
        }
        judge.tally
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Tally::default();
        for worker in workers {
            all.add(worker.join().expect("neither the key nor the promise panics"));
        }
        all
    })
}

const fn size(replicas: u16, parts: u16, whole: bool) -> Size {
    Size { replicas, parts, whole }
}

const QUICK: [Size; 4] = [size(1, 4, false), size(2, 4, false), size(3, 4, false), size(4, 4, false)];
const LONG: [Size; 6] =
    [size(1, 4, true), size(2, 4, true), size(3, 4, true), size(4, 1, true), size(3, 4, false), size(4, 4, false)];

/// What is enumerated, and how many inputs the key allows of how many: fewer would be safe because nothing happens.
const PINNED: &[(Size, u64, u64)] = &[
    (size(1, 4, false), 1_404_918, 193_140),
    (size(2, 4, false), 13_861_104, 1_527_738),
    (size(3, 4, false), 101_301_650, 9_308_616),
    (size(4, 4, false), 576_986_868, 45_359_065),
];

/// Verifies the lemmas, enumerates every size, and says on standard error what it found. Whether all is well, and the
/// keys of the closing line.
pub fn perform(long: bool) -> (bool, String) {
    let platform = Platform::explored();
    let permit = Subject::SOUND.permit.expect("the sound subject has a second key");
    let pairs = match lemma::verify(permit, &platform, if long { 2 } else { 1 }) {
        Ok(pairs) => pairs,
        Err(pair) => {
            eprintln!("a reduction does not hold: {pair}");
            return (false, "inputs=0 lemmas=broken".to_owned());
        }
    };
    eprintln!("the reductions hold on {pairs} pairs of inputs");
    let sizes: &[Size] = if long { &LONG } else { &QUICK };
    let (mut all, mut moved, mut product) = (Tally::default(), 0, 0);
    for size in sizes {
        let tally = enumerate(permit, &platform, *size);
        eprintln!("{size:?} inputs={} allowed={} of a product of {}", tally.inputs, tally.allowed, size.product());
        let pinned = PINNED.iter().find(|(pinned, ..)| pinned == size);
        if pinned.is_some_and(|(_, inputs, allowed)| (*inputs, *allowed) != (tally.inputs, tally.allowed)) {
            eprintln!("these counts are not the pinned ones: {pinned:?}");
            moved += 1;
        }
        product += size.product();
        all.add(tally);
    }
    tell(&all);
    let sum = |list: &[u64]| list.iter().sum::<u64>();
    let unnamed = all.stricter[Stricter::Unnamed as usize];
    let refused: Vec<String> = REFUSALS.iter().zip(all.refused).map(|(name, n)| format!("{name}={n}")).collect();
    let keys = format!(
        "inputs={} product={product} pairs={pairs} allowed={} refused={} {} unsound={} gambles={} stricter={} unnamed={unnamed} moved={moved}",
        all.inputs,
        all.allowed,
        sum(&all.refused),
        refused.join(" "),
        sum(&all.unsound),
        all.gambles,
        sum(&all.stricter),
    );
    (sum(&all.unsound) == 0 && unnamed == 0 && moved == 0 && all.allowed > 0, keys)
}

fn tell(all: &Tally) {
    for (harm, (n, worst)) in Harm::ALL.iter().zip(all.unsound.iter().zip(&all.worst)) {
        if let Some(worst) = worst {
            eprintln!("unsound {n}: {harm:?}, for example {}", worst.words);
        }
    }
    if let Some(gamble) = &all.gamble {
        eprintln!("gambles {}: for example {}", all.gambles, gamble.words);
    }
    for (case, (n, least)) in Stricter::ALL.iter().zip(all.stricter.iter().zip(&all.strictest)) {
        if let Some(least) = least {
            eprintln!("stricter {n}: {case:?}, for example {}", least.words);
        }
    }
}

/// The second key with one of its rules taken away.
pub struct Blunted {
    /// The guard that is off.
    pub guard: &'static str,
    /// The key.
    pub permit: Permit,
    /// What becomes of it at least.
    pub harm: Harm,
}

fn blunted<G: Guards>(guard: &'static str, harm: Harm) -> Blunted {
    Blunted { guard, permit: permit_with::<G>, harm }
}

macro_rules! key_off {
    ($($name:ident: $guard:ident;)*) => {$(
        #[derive(Clone, Copy, Debug)]
        struct $name;
        impl Guards for $name {
            const $guard: bool = false;
        }
    )*};
}

key_off! {
    Fresh: KEY_FRESH;
    Pinned: KEY_PINNED;
    Capacity: KEY_CAPACITY;
    Occupied: KEY_OCCUPIED;
    Acked: KEY_ACKED;
    Routed: KEY_ROUTED;
    Busy: KEY_BUSY;
    Needed: KEY_NEEDED;
    Floor: KEY_FLOOR;
    Whole: KEY_WHOLE;
}

/// The second key without each of its rules.
pub fn without_each() -> Vec<Blunted> {
    vec![
        blunted::<mutants::NoSurplus>("SURPLUS", Harm::Lost),
        blunted::<Fresh>("KEY_FRESH", Harm::NotWhole),
        blunted::<Pinned>("KEY_PINNED", Harm::Unkept),
        blunted::<Capacity>("KEY_CAPACITY", Harm::Overload),
        blunted::<Occupied>("KEY_OCCUPIED", Harm::Replaced),
        blunted::<Acked>("KEY_ACKED", Harm::Stopped),
        blunted::<Routed>("KEY_ROUTED", Harm::Stopped),
        blunted::<Busy>("KEY_BUSY", Harm::CutOff),
        blunted::<Needed>("KEY_NEEDED", Harm::Starved),
        blunted::<Floor>("KEY_FLOOR", Harm::Lost),
        blunted::<Whole>("KEY_WHOLE", Harm::NotWhole),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_smallest_size_what_is_allowed_is_harmless_and_what_is_harmless_is_allowed() {
        let tally = enumerate(serin_rollout::permit, &Platform::explored(), size(1, 2, false));
        assert_eq!(tally.unsound.iter().sum::<u64>(), 0, "{:?}", tally.worst);
        assert_eq!(tally.stricter[Stricter::Unnamed as usize], 0, "{:?}", tally.strictest);
        assert!(tally.allowed > 10_000 && tally.refused.iter().all(|n| *n > 0), "{tally:?}");
    }

    #[test]
    fn every_rule_of_the_second_key_matters() {
        let platform = Platform::explored();
        for Blunted { guard, permit, harm } in without_each() {
            let sound = enumerate(serin_rollout::permit, &platform, size(1, 2, true));
            let tally = enumerate(permit, &platform, size(1, 2, true));
            let found = tally.unsound[harm as usize];
            let worst = tally.worst[harm as usize].as_ref().map(|worst| worst.words.as_str());
            println!("without {guard} {found} inputs are unsound, the smallest: {worst:?}");
            assert!(found > sound.unsound[harm as usize], "{guard}: {:?}", tally.worst);
        }
    }

    #[test]
    fn a_key_that_reads_more_than_the_lemmas_say_is_found_out() {
        let reads_busy: Permit = |limits, seen, write| {
            let routes = matches!(write, serin_rollout::Write::Route(_));
            if routes && seen.set[1].busy > 0 {
                return Err(serin_rollout::Refusal::Capacity);
            }
            serin_rollout::permit(limits, seen, write)
        };
        let error = lemma::verify(reads_busy, &Platform::explored(), 1);
        assert!(error.is_err_and(|pair| pair.starts_with("plain")));
    }

    #[test]
    fn the_product_counts_every_field() {
        // 504 views of a set up to two instances, 11 splits, 2 floors: see `Size::product`.
        let product = 2 * 504 * 504 * 11 * 12 * 12 * 4 * (1 + 24 + 132 + 4);
        assert_eq!(size(1, 4, false).product(), product);
    }
}
