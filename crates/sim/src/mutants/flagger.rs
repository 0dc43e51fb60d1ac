//! Flagger's outages.
use super::{CALM, Mutant};
use crate::configs::Flow;
use crate::env::{Env, Person};
use crate::foreign::{flagger as tool, flagger_judged as judged, ours};
use crate::invariants::Rule;
use crate::quiet::Mode;
use crate::subject::Subject;

/// All of them.
pub(super) fn list() -> Vec<Mutant> {
    let mut list = promotion();
    list.extend(autoscaling());
    list.extend(judging());
    list
}

fn promotion() -> Vec<Mutant> {
    let foreign = Subject::foreign;
    let h = Flow::Home;
    let crash = Env { crash: true, ..CALM };
    vec![
        Mutant::breaks(
            foreign("flagger-1898", tool::late_primary),
            Rule::RouteWrite,
            "The canary passed and carries everything. Its revision is copied into the primary, in place; the copy does not become ready. When its deadline is over, Flagger \"rolls back\": all traffic goes to the broken primary, and the healthy canary is scaled to zero.",
        )
        .row(1)
        .closed(tool::careful)
        .in_world(h, 2, CALM),
        Mutant::breaks(
            foreign("flagger-1931-crash-window", tool::crash_window),
            Rule::RouteWrite,
            "The cure of flagger-1898 does not roll back while the phase says that it promotes. The phase is written after the copy. The controller dies between the two; the next one sees an analysis under way, a primary that is not ready and a deadline that is over, and rolls back to the broken primary.",
        )
        .row(2)
        .closed(tool::careful)
        .in_world(h, 2, crash),
        Mutant::breaks(
            foreign("flagger-rollback-halfway", tool::halfway_back),
            Rule::RouteWrite,
            "A rollback writes the route, scales the canary to zero and then writes down that it failed. The controller dies before the last of the three. The next one sees an analysis under way and a canary of which 0 of 0 instances are ready, and gives it traffic.",
        )
        .row(3)
        .closed(tool::careful)
        .in_world(h, 1, crash),
        Mutant::sticks(
            Subject::twisted("flagger-1591", ours::copies_for_ever),
            Mode::CopyFails,
            "The copy in the primary never becomes ready, and promoting has no deadline: the release stands there for ever, and nobody is told.",
        )
        .row(4)
        .in_world(h, 1, CALM),
        Mutant::breaks(
            foreign("flagger-1202", tool::slow_start),
            Rule::RouteWrite,
            "An application that starts slowly. The promotion copies the revision into the primary, moves the traffic there and scales the canary to zero without waiting for the copy.",
        )
        .row(8)
        .closed(tool::careful)
        .in_world(h, 1, CALM),
        Mutant::breaks(
            foreign("flagger-930", tool::lost_zero),
            Rule::RouteWrite,
            "A weight of 0 is left out where it is written, and the router reads what remains as two halves. A rollback, or any write of the route at rest, sends half of the traffic to a canary that is not ready or not there.",
        )
        .row(30)
        .closed(tool::careful)
        .in_world(h, 1, CALM),
        Mutant::breaks(
            foreign("flagger-686", tool::deletes_the_primary),
            Rule::Destruction,
            "Somebody deletes the Canary object. The primary belongs to it and goes with it, while the original set is still scaled to zero.",
        )
        .row(44)
        .also("flagger-853", 44)
        .also("flagger-1562", 44)
        .closed(tool::careful)
        .in_world(h, 1, Env { people: &[Person::Retire], ..CALM }),
    ]
}

fn autoscaling() -> Vec<Mutant> {
    let foreign = Subject::foreign;
    let h = Flow::Home;
    let lower = Env { lower: true, ..CALM };
    vec![
        Mutant::breaks(
            foreign("flagger-1600", tool::shrunken_promotion),
            Rule::RouteWrite,
            "While the canary carries everything the autoscaler shrinks the idle primary to its minimum. The promotion counts the primary as ready at that size, and all traffic goes there at once.",
        )
        .row(15)
        .closed(tool::careful)
        .in_world(h, 2, lower),
        Mutant::breaks(
            foreign("flagger-869", tool::shrunken_rollback),
            Rule::RouteWrite,
            "The canary fails at a high weight, and all traffic returns to a primary that the autoscaler has shrunk meanwhile: more errors than the bad canary made.",
        )
        .row(16)
        .also("flagger-381", 16)
        .closed(tool::careful)
        .in_world(h, 2, lower),
        Mutant::breaks(
            foreign("flagger-635", tool::shrunken_restart),
            Rule::RouteWrite,
            "Most of the traffic is on the canary when a newer revision arrives. The analysis begins anew, so everything goes to the primary in one jump, and the autoscaler has shrunk that.",
        )
        .row(17)
        .closed(tool::careful)
        .in_world(h, 2, Env { revisions: 3, ..lower }),
    ]
}

fn judging() -> Vec<Mutant> {
    let twisted = Subject::twisted;
    let w = Flow::Weights;
    vec![
        Mutant::breaks(
            twisted("flagger-30", judged::analysis_resumes),
            Rule::Acceptance,
            "A newer revision arrives while the canary is analysed. The analysis goes on where it was, and what is promoted was never looked at.",
        )
        .row(34)
        .in_world(w, 1, Env { revisions: 3, ..CALM }),
        Mutant::breaks(
            twisted("flagger-1098", judged::no_number_is_a_pass),
            Rule::Acceptance,
            "No request reaches the canary, the query answers with no number, and no number is compared as if it were 0 errors.",
        )
        .row(36)
        .also("flagger-1689", 36)
        .also("argo-1905", 36)
        .in_world(w, 1, CALM),
        Mutant::breaks(
            twisted("flagger-664", judged::no_answer_is_a_pass),
            Rule::Acceptance,
            "The metrics server is down. A check that could not be made is not one that failed, and so the release goes on.",
        )
        .row(37)
        .also("flagger-1553", 37)
        .in_world(w, 1, CALM),
        Mutant::sticks(
            twisted("flagger-1450", judged::gate_is_not_called_again),
            Mode::Pass,
            "The webhook of a gate cannot be reached for a moment. The release stops there and does not go on when the webhook answers again.",
        )
        .row(38)
        .also("flagger-1248", 38)
        .in_world(w, 1, CALM),
        Mutant::breaks(
            twisted("flagger-929", judged::analysis_without_traffic),
            Rule::Acceptance,
            "Somebody edits the Canary object during the analysis. The route is written anew with everything on the primary, and the analysis goes on and passes a canary that gets no request.",
        )
        .row(39)
        .in_world(w, 1, Env { people: &[Person::Weight(2_500)], ..CALM }),
    ]
}
