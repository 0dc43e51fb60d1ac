//! Traffic by plain Kubernetes: the share of a slot is its part of the pods behind one Service.
//!
//! kube-proxy spreads new *connections* evenly over all ready pods of a Service, so that `a` pods of one slot beside `b` of
//! the other get `a : b` of them. [`nearest`] says how many pods come nearest to a share; [`common`] what the apex selects,
//! so that it finds both slots' pods.
//!
//! **Its limits**, which no choice of numbers takes away:
//! * A share is that of connections, not of requests: whoever keeps one open (HTTP/2, gRPC, a pool) stays where it is. And
//!   with `sessionAffinity: ClientIP`, `internalTrafficPolicy: Local` or topology-aware hints the spread is not even.
//! * n replicas give 2n+1 shares: the least one is 1 in n+1. 5 % is not to be had below 19 replicas, and is told as what it is.
//! * Every pod that comes or goes changes the share: while a slot scales, rolls, or loses a pod, it is another one. An
//!   autoscaler on either slot moves it all the time.
//! * A ready pod has traffic: none of either slot can be up and unrouted, so nothing can be tried, or proven healthy, before
//!   users come to it. For that the apex has to select one slot alone.
//! * No data plane says what it applies; only what each pod counts shows it.
use super::services::Selector;
use crate::problem::{Problem, Rule};
use serin_rollout::{Bp, FULL, Pair};

/// How many pods each slot has when slot 1 gets nearest to `share` of the connections, and the slot that gets more is
/// whole: `replicas`. A share that is neither nothing nor everything has at least one pod on each side. Of two that are
/// equally near it is the smaller one.
#[must_use]
pub fn nearest(share: Bp, replicas: u16) -> Pair<u16> {
    let share = share.min(FULL);
    if share == 0 || replicas == 0 {
        return [replicas, 0];
    }
    if share == FULL {
        return [0, replicas];
    }
    let less = share.min(FULL - share);
    // few / (replicas + few) against less / FULL, times both denominators.
    let off = |few: u16| {
        let (few, whole) = (u64::from(few), u64::from(replicas) + u64::from(few));
        ((few * u64::from(FULL)).abs_diff(u64::from(less) * whole), whole)
    };
    let closer = |a: u16, b: u16| {
        let ((a, of_a), (b, of_b)) = (off(a), off(b));
        a * of_b < b * of_a
    };
    let exact = u64::from(replicas) * u64::from(less) / u64::from(FULL - less);
    let low = u16::try_from(exact).unwrap_or(replicas).clamp(1, replicas);
    let high = low.saturating_add(1).min(replicas);
    let few = if closer(high, low) { high } else { low };
    if share <= FULL / 2 { [replicas, few] } else { [few, replicas] }
}

/// The labels that the pods of both slots have alike: what the apex selects so that it finds both. Neither workload's own
/// selector changes by that.
///
/// # Errors
/// They have none in common.
pub fn common(pods: &Pair<Selector>) -> Result<Selector, Problem> {
    let alike = |(key, value): &(&String, &String)| pods[1].get(*key) == Some(*value);
    let both: Selector = pods[0].iter().filter(alike).map(|(key, value)| (key.clone(), value.clone())).collect();
    // The hash of a template is no name: it is another one with the next revision.
    let lasting: Selector = both.into_iter().filter(|(key, _)| key != "pod-template-hash").collect();
    if lasting.is_empty() {
        let message = "the pods of the primary and of the target have no label in common that the Service could select";
        let help = "give the target's pod template a label besides the one that it is selected by, such as app.kubernetes.io/part-of";
        return Err(Problem::error(Rule::Missing, "spec.targetRef", message, help));
    }
    Ok(lasting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serin_rollout::Split;

    #[test]
    fn no_number_of_pods_comes_nearer() {
        for replicas in 1..=40_u16 {
            for share in (0..=FULL).step_by(25) {
                let found = nearest(share, replicas);
                let off = |pods: Pair<u16>| {
                    (f64::from(pods[1]) / f64::from(pods[0] + pods[1]) - f64::from(share) / 1e4).abs()
                };
                let all = (1..=replicas).flat_map(|few| [[replicas, few], [few, replicas]]);
                let ends = [[replicas, 0], [0, replicas]].into_iter().filter(|_| share == 0 || share == FULL);
                let best = all.chain(ends).map(off).fold(f64::INFINITY, f64::min);
                assert!(off(found) <= best + 1e-12, "{share} of {replicas}: {found:?}");
                assert!(found.contains(&replicas), "one side is whole");
                assert_eq!(Split::Members(found).reaches(1), share > 0);
                assert_eq!(Split::Members(found).reaches(0), share < FULL);
            }
        }
    }

    #[test]
    fn sizes_that_people_know() {
        assert_eq!(nearest(1_000, 10), [10, 1]);
        assert_eq!(nearest(2_500, 10), [10, 3]);
        assert_eq!(nearest(5_000, 10), [10, 10]);
        assert_eq!(nearest(9_000, 5), [1, 5], "where another tool's arithmetic falls back to none");
        assert_eq!(nearest(1, 1), [1, 1]);
        assert_eq!(nearest(1, u16::MAX), [u16::MAX, 7]);
        assert_eq!((nearest(0, 3), nearest(FULL, 3), nearest(u16::MAX, 3)), ([3, 0], [0, 3], [0, 3]));
        assert_eq!(nearest(5_000, 0), [0, 0]);
    }

    #[test]
    fn the_apex_selects_what_both_have() {
        let labels =
            |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Selector>();
        let primary = labels(&[("app", "shop-primary"), ("part-of", "shop"), ("pod-template-hash", "1")]);
        let target = labels(&[("app", "shop"), ("part-of", "shop"), ("pod-template-hash", "1")]);
        assert_eq!(common(&[primary, target]), Ok(labels(&[("part-of", "shop")])));
        let told =
            common(&[labels(&[("app", "shop-primary")]), labels(&[("app", "shop")])]).expect_err("nothing is alike");
        assert!(told.to_string().contains("no label in common"), "{told}");
    }
}
