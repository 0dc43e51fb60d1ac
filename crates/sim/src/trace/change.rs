//! What may change from one look at the world to the next: a rule for each thing that is seen. What the simulated world
//! does not offer is not allowed here either, whoever did it.
use crate::trace::monitor::Monitor;
use crate::trace::read::Spot;
use serin_rollout::{Observation, Plan, Rev, Route, RouteSeen, Slot, Split, Status, Timer, Write};
use std::rc::Rc;

/// One observation, and what it was made for.
#[derive(Clone, Debug)]
pub struct Look {
    /// The line that holds it.
    pub spot: Spot,
    /// When that was written, in milliseconds since the machine was started.
    pub boot: u64,
    /// Everything before this moment had happened when it was seen.
    pub since: u64,
    /// The incarnation.
    pub run: u64,
    /// What was seen.
    pub seen: Observation,
    /// The saved status.
    pub status: Status,
    /// The plan.
    pub plan: Rc<Plan>,
}

/// A write that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The line that says so.
    pub spot: Spot,
    /// The write.
    pub write: Write,
    /// It took effect. Otherwise it may have, or may yet.
    pub done: bool,
}

/// Two looks that follow each other, and what is known of the time between.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The older look.
    pub before: &'a Look,
    /// The younger one.
    pub after: &'a Look,
    /// What was sent in between, and what was sent before and may still take effect.
    pub writes: &'a [Sent],
    /// The controller died in between.
    pub died: bool,
    /// In between nothing could be observed.
    pub blind: bool,
    /// The proxy accepted a table in between, or was started anew.
    pub table: bool,
    /// The controller that began in between found nothing that says what the sets were told, and took up what ran.
    pub taken_up: bool,
}

/// A rule: what is wrong with a change, if anything is.
pub type Check = fn(&Change<'_>) -> Option<String>;

/// Every rule about a change.
pub const CHECKS: [(Monitor, Check); 11] = [
    (Monitor::Counts, counts),
    (Monitor::Orders, orders),
    (Monitor::Created, created),
    (Monitor::Accepted, accepted),
    (Monitor::InForce, in_force),
    (Monitor::Acknowledged, acknowledged),
    (Monitor::Stale, stale),
    (Monitor::Busy, busy),
    (Monitor::Due, due),
    (Monitor::Verdict, verdict),
    (Monitor::Intent, intent),
];

impl Change<'_> {
    /// The routes that may be the accepted one now.
    pub fn routes(&self) -> Vec<Route> {
        let mut may = vec![self.before.seen.route.accepted];
        for sent in self.writes {
            if let Write::Route(route) = sent.write {
                may.retain(|_| !sent.done);
                may.push(route);
            }
        }
        may
    }

    /// What a set may have been told to have by now.
    pub fn told(&self, slot: Slot) -> Vec<Told> {
        let set = &self.before.seen.set[slot];
        let mut may = vec![Told { rev: set.rev, desired: set.desired, pinned: set.pinned }];
        for sent in self.writes {
            if let Write::Resize { slot: of, to, rev, pin } = sent.write
                && of == slot
            {
                may.retain(|_| !sent.done);
                may.push(Told { rev: Some(rev), desired: to, pinned: pin });
            }
        }
        if self.taken_up {
            may.push(Told { pinned: true, desired: set.total, ..may[0] });
            may.push(Told { rev: None, desired: 0, pinned: false });
        }
        may
    }

    fn writes_route(&self) -> bool {
        self.writes.iter().any(|sent| matches!(sent.write, Write::Route(_)))
    }

    fn writes_set(&self, slot: Slot) -> bool {
        self.writes.iter().any(|sent| matches!(sent.write, Write::Resize { slot: of, .. } if of == slot))
    }
}

/// What a set was told to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// The revision.
    pub rev: Option<Rev>,
    /// How many instances.
    pub desired: u16,
    /// Whether others keep off.
    pub pinned: bool,
}

/// Whether `split` is `whole`, or what is left of it when members are gone: a table names no more than there are.
pub fn is_part(split: Split, whole: Split) -> bool {
    match (split, whole) {
        (Split::Members(part), Split::Members(all)) => part[0] <= all[0] && part[1] <= all[1],
        (Split::Weighted(a), Split::Weighted(b)) => a == b,
        (Split::Members(_), Split::Weighted(_)) | (Split::Weighted(_), Split::Members(_)) => false,
    }
}

/// Whether `route` is `whole`, or what a data plane says of it when members are gone.
pub fn is_part_route(route: &Route, whole: &Route) -> bool {
    let fallback = match (route.fallback, whole.fallback) {
        (Some(part), Some(whole)) => is_part(part, whole),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    fallback && route.lease == whole.lease && is_part(route.split, whole.split)
}

/// The number of instances of `slot` that may get requests.
pub fn routed(route: &RouteSeen, slot: Slot, present: u16) -> u16 {
    route.splits().map(|split| split.routed(slot, present)).max().unwrap_or(0)
}

/// See [`Monitor::Counts`].
fn counts(change: &Change<'_>) -> Option<String> {
    let wrong = |set: &serin_rollout::SetSeen| set.healthy > set.ready || set.ready > set.total;
    change.after.seen.set.iter().find(|set| wrong(set)).map(|set| format!("{set:?}"))
}

/// See [`Monitor::Orders`]. The world offers others who lower a set that is not pinned, or give it another revision; on
/// one machine there are none.
fn orders(change: &Change<'_>) -> Option<String> {
    (0..2).find_map(|slot| {
        let set = &change.after.seen.set[slot];
        let now = Told { rev: set.rev, desired: set.desired, pinned: set.pinned };
        let may = change.told(slot);
        (!may.contains(&now)).then(|| format!("slot {slot} has {now:?}, and may have {may:?}"))
    })
}

/// See [`Monitor::Created`].
fn created(change: &Change<'_>) -> Option<String> {
    (0..2).find_map(|slot| {
        let (was, is) = (change.before.seen.set[slot].total, change.after.seen.set[slot].total);
        let asked = change.told(slot).iter().map(|told| told.desired).max().unwrap_or(0);
        let asked = asked.max(change.before.seen.set[slot].desired);
        (is > was.max(asked))
            .then(|| format!("slot {slot} had {was} instances, {asked} were asked for, and there are {is}"))
    })
}

/// See [`Monitor::Accepted`]. A controller that has just begun reads the route from the proxy, which names the members
/// that there are.
fn accepted(change: &Change<'_>) -> Option<String> {
    let (now, may) = (&change.after.seen.route.accepted, change.routes());
    let known = may.contains(now) || (change.died && may.iter().any(|route| is_part_route(now, route)));
    (!known).then(|| format!("the accepted route is {now:?}, and may be {may:?}"))
}

/// See [`Monitor::InForce`].
fn in_force(change: &Change<'_>) -> Option<String> {
    let before = change.before.seen.route.splits();
    let written = change.writes.iter().filter_map(|sent| match sent.write {
        Write::Route(route) => Some(route),
        Write::Claim | Write::Resize { .. } | Write::Rewrite { .. } => None,
    });
    let may: Vec<Split> = before.chain(written.flat_map(|route| route.splits())).collect();
    let stranger = |split: &Split| !may.iter().any(|known| is_part(*split, *known));
    let found = change.after.seen.route.splits().find(stranger)?;
    Some(format!("{found:?} is in force, and may be only one of {may:?}"))
}

/// See [`Monitor::Acknowledged`].
fn acknowledged(change: &Change<'_>) -> Option<String> {
    let lost = change.before.seen.route.acked && !change.after.seen.route.acked;
    let explained = change.writes_route() || change.table || change.died;
    (lost && !explained).then(|| "the route was confirmed, and is not any more".to_owned())
}

/// See [`Monitor::Stale`].
fn stale(change: &Change<'_>) -> Option<String> {
    (0..2).find_map(|slot| {
        let lost = change.before.seen.set[slot].fresh && !change.after.seen.set[slot].fresh;
        let explained = change.died || change.blind || change.writes_set(slot);
        (lost && !explained).then(|| format!("the view of slot {slot} was fresh, and is not any more"))
    })
}

/// See [`Monitor::Busy`].
fn busy(change: &Change<'_>) -> Option<String> {
    (0..2).find_map(|slot| {
        let (was, is) = (&change.before.seen.set[slot], &change.after.seen.set[slot]);
        let of = |look: &Look| routed(&look.seen.route, slot, look.seen.set[slot].present());
        let took = of(change.before) > of(change.after) || change.writes_route() || change.died;
        (was.busy == 0 && is.busy > 0 && !took)
            .then(|| format!("slot {slot} lost no traffic, and {} of its instances have open requests", is.busy))
    })
}

/// See [`Monitor::Due`].
fn due(change: &Change<'_>) -> Option<String> {
    let (was, is) = (&change.before.seen.due, &change.after.seen.due);
    Timer::ALL.into_iter().find_map(|timer| {
        let of = |due: &serin_rollout::Timers| match timer {
            Timer::Bake => due.bake,
            Timer::Healthy => due.healthy,
            Timer::Progress => due.progress,
            Timer::Drain => due.drain,
            Timer::Window => due.window,
        };
        let armed = change.after.status.timer(timer);
        if of(is) && armed.is_none() {
            return Some(format!("{timer:?} is due and not armed"));
        }
        let same = armed.is_some() && armed == change.before.status.timer(timer);
        (same && of(was) && !of(is)).then(|| format!("{timer:?} was due, and is not any more"))
    })
}

/// See [`Monitor::Verdict`].
fn verdict(change: &Change<'_>) -> Option<String> {
    let (key, _) = change.after.seen.verdict?;
    let now = change.after.status.rollout;
    (key.rollout != now).then(|| format!("the verdict is about {key:?}, and the present rollout is {now}"))
}

/// See [`Monitor::Intent`].
fn intent(change: &Change<'_>) -> Option<String> {
    let (intent, now) = (&change.after.seen.intent, change.after.status.rollout);
    let rollouts = [intent.retry, intent.abort, intent.rollback, intent.pause, intent.park, intent.retire];
    let keys = [intent.resume, intent.approved, intent.promote.map(|of| of.0), intent.weight.map(|of| of.0)];
    let all = rollouts.into_iter().chain(keys.map(|key| key.map(|key| key.rollout)));
    let late = all.flatten().find(|rollout| *rollout > now)?;
    Some(format!("rollout {late} is named, and the present one is {now}"))
}
