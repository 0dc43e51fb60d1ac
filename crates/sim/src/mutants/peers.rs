//! The outages of Fly, Nomad, Singularity, Kamal, Dokku and Banno's pipeline.
use super::{CALM, Mutant};
use crate::configs::Flow;
use crate::env::{Env, Person};
use crate::foreign::{banno, dokku, fly, kamal, nomad, singularity};
use crate::invariants::Rule;
use crate::quiet::Mode;
use crate::subject::Subject;

/// All of them.
pub(super) fn list() -> Vec<Mutant> {
    let mut list = machines();
    list.extend(allocations());
    list.extend(tasks());
    list.extend(containers());
    list
}

fn machines() -> Vec<Mutant> {
    let foreign = Subject::foreign;
    let d = Flow::Direct;
    vec![
        Mutant::breaks(
            foreign("flyctl-4745", fly::canary_first),
            Rule::Identity,
            "One machine. The canary is made, found healthy and destroyed; then the only machine is updated in place, and nothing serves until it is back.",
        )
        .row(5)
        .closed(fly::careful)
        .in_world(d, 1, CALM),
        Mutant::breaks(
            foreign("flyctl-3297", fly::blue_goes_at_once),
            Rule::Destruction,
            "The green machines are announced and the blue ones destroyed at once. The proxy has not heard of green yet and sends to blue.",
        )
        .row(6)
        .closed(fly::careful)
        .in_world(d, 1, Env { late: true, ..CALM }),
        Mutant::breaks(
            foreign("flyctl-3359", fly::green_goes_for_blue),
            Rule::Destruction,
            "Green has the traffic, and blue, which is on its way out, does not stop in time. That error rolls the release back: green is destroyed.",
        )
        .row(7)
        .closed(fly::careful)
        .in_world(d, 1, CALM),
        Mutant::sticks(
            foreign("flyctl-2836", fly::green_is_left),
            Mode::NeverReady,
            "Green does not become healthy, and removing it fails too. It stays, and the next deploy counts it as part of the fleet.",
        )
        .row(47)
        .also("flyctl-4886", 47)
        .closed(fly::careful)
        .in_world(d, 1, CALM),
    ]
}

fn allocations() -> Vec<Mutant> {
    let (foreign, twisted) = (Subject::foreign, Subject::twisted);
    let o = Flow::OneByOne;
    vec![
        Mutant::breaks(
            foreign("nomad-6864", nomad::failed_is_placed),
            Rule::Destruction,
            "The new allocation fails, and the healthy old one whose place it takes is stopped all the same.",
        )
        .row(11)
        .closed(nomad::careful)
        .in_world(o, 1, CALM),
        Mutant::sticks(
            twisted("nomad-10882", nomad::revert_is_a_canary),
            Mode::Fail,
            "A deployment fails and is reverted. The revert is itself a deployment with a canary, waits for somebody to promote it, and leaves the bad allocations where they are.",
        )
        .row(12)
        .also("nomad-10098", 12)
        .in_world(o, 1, CALM),
        Mutant::breaks(
            twisted("nomad-4566", nomad::promotion_registers_anew).alone(),
            Rule::RouteWrite,
            "Promotion changes a tag and registers the instances anew. Every check begins as failing, and for a moment all healthy instances are out of the load balancer.",
        )
        .row(32)
        .also("nomad-4672", 32)
        .in_world(o, 1, CALM),
        Mutant::breaks(
            twisted("nomad-8439", nomad::replaced_by_the_new).alone(),
            Rule::Identity,
            "While a canary is judged an old allocation is lost. It is replaced by one of the new version, which nobody has promoted.",
        )
        .row(40)
        .in_world(o, 1, Env { down: true, ..CALM }),
        Mutant::sticks(
            twisted("nomad-17842", nomad::lost_canary),
            Mode::Pass,
            "The node with the canary is drained. The deployment goes on counting a canary that is gone, asks for no other one, and never ends.",
        )
        .row(46)
        .also("nomad-8671", 46)
        .in_world(o, 1, Env { down: true, ..CALM }),
    ]
}

fn tasks() -> Vec<Mutant> {
    let foreign = Subject::foreign;
    let d = Flow::Direct;
    vec![
        Mutant::breaks(
            foreign("singularity-2029", singularity::other_answer),
            Rule::Destruction,
            "The acceptance fails, and the old tasks should return to the load balancer. A request with other contents waits under the same name; its success is read as the answer. The new tasks are stopped: no upstream is left.",
        )
        .row(31)
        .also("singularity-454", 31)
        .closed(singularity::careful)
        .in_world(d, 1, Env { stale_verdicts: true, ..CALM }),
        Mutant::breaks(
            foreign("singularity-1925", singularity::careful),
            Rule::Destruction,
            "The request that adds the new tasks to the load balancer waits there while the deploy is given up. It is carried out when their stop is already on its way: upstreams that do not exist.",
        )
        .row(31)
        .in_world(d, 1, Env { crash: true, zombie: true, people: &[Person::Abort], ..CALM }),
        Mutant::breaks(
            foreign("singularity-cancel-after-swap", singularity::cancel_after_the_swap),
            Rule::Destruction,
            "The load balancer has the new tasks and not the old ones, which still run. Somebody cancels during the acceptance: the new tasks are stopped, and nothing gives the old ones back to the load balancer.",
        )
        .closed(singularity::careful)
        .in_world(d, 1, Env { people: &[Person::Abort], ..CALM }),
    ]
}

fn containers() -> Vec<Mutant> {
    let foreign = Subject::foreign;
    let d = Flow::Direct;
    vec![
        Mutant::sticks(
            foreign("kamal-450", kamal::stale_container),
            Mode::Pass,
            "A deploy is interrupted after the proxy moved and before the old container stopped. Nothing is written down, so the next one does not know that container, and it runs for ever.",
        )
        .row(47)
        .in_world(d, 1, Env { crash: true, ..CALM }),
        Mutant::breaks(
            foreign("dokku-5435", dokku::proxy_comes_last),
            Rule::Destruction,
            "The new web processes are there; then another process type of the app fails to deploy. The proxy is not written any more, and the old web processes are stopped on schedule.",
        )
        .row(14)
        .in_world(d, 1, CALM),
        Mutant::breaks(
            foreign("banno-single-instance", banno::shrinks_production),
            Rule::Destruction,
            "Shares come from numbers of instances. Of a single instance the only share is a half; a person asks for more, and production itself is scaled down.",
        )
        .row(51)
        .in_world(Flow::Kept, 1, Env { people: &[Person::Weight(7_500)], ..CALM }),
    ]
}
