//! Argo Rollouts' outages.
use super::{CALM, Mutant};
use crate::configs::Flow;
use crate::env::{Env, Person};
use crate::foreign::{argo as tool, argo_judged as judged};
use crate::invariants::Rule;
use crate::quiet::Mode;
use crate::subject::Subject;

const ABORT: Env = Env { people: &[Person::Abort], ..CALM };
const LATE: Env = Env { late: true, ..CALM };

/// All of them.
pub(super) fn list() -> Vec<Mutant> {
    let mut list = sizes();
    list.extend(returning());
    list.extend(routes());
    list.extend(judging());
    list
}

fn sizes() -> Vec<Mutant> {
    let foreign = Subject::foreign;
    let d = Flow::Direct;
    vec![
        Mutant::breaks(
            foreign("argo-2050", tool::two_conditions),
            Rule::Destruction,
            "The old set is scaled to zero when the new one is available; the selector moves when the new one is fully available. One instance is late, and the service points at nothing.",
        )
        .row(9)
        .also("argo-2235", 9)
        .in_world(d, 2, CALM),
        Mutant::breaks(
            foreign("argo-1292", tool::aborts_at_rest),
            Rule::Destruction,
            "Somebody aborts while nothing is being released, and the abort scales the only set there is to zero.",
        )
        .row(10)
        .closed(tool::careful)
        .in_world(d, 1, ABORT),
        Mutant::breaks(
            foreign("argo-2119", tool::kills),
            Rule::Destruction,
            "An abort deletes the canary's instances, which serve their share, and no disruption budget is asked.",
        )
        .row(20)
        .closed(tool::careful)
        .in_world(Flow::Weights, 1, ABORT),
        Mutant::breaks(
            foreign("argo-1583", tool::restarts),
            Rule::Destruction,
            "A restart deletes instances and lets others come after them. Of a service of one instance nothing is left meanwhile.",
        )
        .row(20)
        .also("argo-908", 20)
        .closed(tool::careful)
        .in_world(d, 1, Env { people: &[Person::Retry], ..CALM }),
        Mutant::breaks(
            Subject { ours: false, ..Subject::twisted("argo-3565", judged::number_from_the_repository).alone() },
            Rule::Capacity,
            "During a release the repository is applied again, with an older number of instances in it, and the stable set shrinks although it is the way back.",
        )
        .row(21)
        .in_world(d, 1, Env { lower: true, ..CALM }),
        Mutant::breaks(
            foreign("argo-1731", tool::first_adoption),
            Rule::RouteWrite,
            "A service is taken over from a plain deployment: its selector moves to the tool's own set before an instance of that is ready.",
        )
        .row(33)
        .also("flagger-208", 33)
        .closed(tool::careful)
        .in_world(d, 1, CALM),
    ]
}

fn returning() -> Vec<Mutant> {
    let foreign = Subject::foreign;
    let (d, w, o) = (Flow::Direct, Flow::Weights, Flow::OneByOne);
    vec![
        Mutant::breaks(
            foreign("argo-3372", tool::interrupted),
            Rule::RouteWrite,
            "The stable set is kept as small as its share. A third revision arrives in the middle of the release, and everything goes to the one instance that the stable set has left.",
        )
        .row(18)
        .closed(tool::careful)
        .in_world(o, 2, Env { revisions: 3, ..CALM }),
        Mutant::breaks(
            foreign("argo-3077", tool::one_is_available),
            Rule::RouteWrite,
            "The stable set is kept as small as its share. The stable revision is applied again in the middle of the release, and the selector moves back because one instance is available.",
        )
        .row(19)
        .also("argo-3020", 19)
        .closed(tool::careful)
        .in_world(o, 2, Env { undo: true, ..CALM }),
        Mutant::breaks(
            foreign("argo-3941", tool::rollback_window),
            Rule::RouteWrite,
            "After a release somebody returns to the revision before it. Because that is in the rollback window all steps are skipped, and everything moves as soon as one of its instances is available.",
        )
        .row(19)
        .closed(tool::careful)
        .in_world(d, 2, Env { people: &[Person::Rollback], ..CALM }),
        Mutant::sticks(
            foreign("argo-4898", tool::waits_for_itself),
            Mode::Abort,
            "After an abort the stable set grows when the canary is gone, and the canary goes when the stable set is whole. Both wait.",
        )
        .row(50)
        .closed(tool::careful)
        .in_world(o, 2, ABORT),
        Mutant::sticks(
            foreign("argo-3078", tool::flaps),
            Mode::Abort,
            "After an abort two parts of the tool point the canary's selector at different sets, in turn: users go to and fro between the good and the bad revision.",
        )
        .in_world(w, 1, ABORT),
        Mutant::breaks(
            foreign("argo-2824", tool::abort_after_the_switch),
            Rule::Destruction,
            "The new set has the traffic and loses an instance; somebody aborts. While it is not whole the selector is not moved back, and when the delay is over it is scaled to zero all the same.",
        )
        .closed(tool::careful)
        .in_world(d, 2, Env { down: true, ..ABORT }),
    ]
}

fn routes() -> Vec<Mutant> {
    let foreign = Subject::foreign;
    let (d, w, o) = (Flow::Direct, Flow::Weights, Flow::OneByOne);
    vec![
        Mutant::breaks(
            foreign("argo-3926", tool::delay_after_promotion),
            Rule::Destruction,
            "The load balancer accepted the new weight and still applies the old one. The old set goes when a fixed delay is over: a target group with traffic and without targets.",
        )
        .row(22)
        .also("argo-4595", 22)
        .also("argo-3333", 23)
        .closed(tool::careful)
        .in_world(d, 1, LATE),
        Mutant::breaks(
            foreign("argo-587", tool::accepted_is_applied),
            Rule::Destruction,
            "The mesh takes seconds to tell its proxies. The old instances are gone before the last proxy has heard.",
        )
        .row(25)
        .also("argo-478", 25)
        .closed(tool::careful)
        .in_world(d, 1, LATE),
        Mutant::breaks(
            foreign("argo-4752", tool::relabelled),
            Rule::Identity,
            "A newer revision takes over the subset of the canary, which has none of its instances ready, while the router still sends the canary its share.",
        )
        .row(26)
        .also("argo-4564", 26)
        .closed(tool::careful)
        .in_world(w, 1, Env { revisions: 3, ..CALM }),
        Mutant::breaks(
            foreign("argo-4534", tool::unreferenced),
            Rule::Destruction,
            "A newer revision arrives while the canary has most of the traffic. The new status names the canary's set no more, so it is deleted, while the proxies still send to it.",
        )
        .row(27)
        .also("argo-4390", 27)
        .closed(tool::careful)
        .in_world(d, 1, Env { revisions: 3, ..LATE }),
        Mutant::breaks(
            foreign("argo-4867", tool::delay_after_abort),
            Rule::Destruction,
            "After an abort the delay until the canary is scaled down begins before the traffic has moved, and is over before it has.",
        )
        .row(28)
        .closed(tool::careful)
        .in_world(d, 1, Env { late: true, ..ABORT }),
        Mutant::breaks(
            foreign("argo-4642", tool::scaling_drops_the_weight),
            Rule::RouteWrite,
            "A step that only changes the canary's size sets its weight to 0 for a moment: everything goes to a stable set that was kept as small as its share.",
        )
        .row(29)
        .closed(tool::careful)
        .in_world(o, 2, CALM),
    ]
}

fn judging() -> Vec<Mutant> {
    let twisted = Subject::twisted;
    let w = Flow::Weights;
    vec![
        Mutant::breaks(
            twisted("argo-701", judged::weight_not_verified),
            Rule::Acceptance,
            "A step counts as done when its weight was written. The last one is accepted while the routers still apply the one before.",
        )
        .row(24)
        .also("argo-3627", 24)
        .in_world(w, 1, LATE),
        Mutant::sticks(
            twisted("argo-1411", judged::failure_ignored),
            Mode::Fail,
            "The analysis failed, and the release went on.",
        )
        .row(35)
        .also("argo-1329", 35)
        .in_world(w, 1, CALM),
        Mutant::sticks(
            twisted("argo-4461", judged::abort_ignored),
            Mode::Abort,
            "Somebody asked for the full promotion, sees that the canary is not healthy, and aborts; the abort is not looked at any more.",
        )
        .row(13)
        .in_world(Flow::OneByOne, 1, Env { people: &[Person::Abort, Person::PromoteAll], ..CALM }),
        Mutant::breaks(
            twisted("argo-1203", judged::late_click_counts),
            Rule::Acceptance,
            "Somebody approves a step twice, or a moment too late: the click is taken for the step after it.",
        )
        .in_world(Flow::Manual, 1, CALM),
        Mutant::breaks(
            twisted("argo-3774", judged::empty_deadline).alone(),
            Rule::Drain,
            "Two writers meet, and the deadline for open requests is saved empty. Empty is read as over, and the instances go at once.",
        )
        .row(48)
        .also("argo-3836", 48)
        .in_world(w, 1, Env { busy: true, ..CALM }),
    ]
}
