//! From the core's route and the instances to the proxy's table, and back.
use serin_proxy::protocol::{self, Endpoint, Report, SlotTable, Table, Track};
use serin_rollout::{Pair, Route, RouteSeen, Slot, Split};

/// What goes into a table besides its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub route: Route,
    pub lease_ms: u64,
    pub good: Slot,
    pub endpoints: Pair<Vec<Endpoint>>,
    pub settings: protocol::Settings,
}

impl Content {
    /// The table with these numbers. A `members` split never names more endpoints than there are: the proxy would refuse
    /// the whole table, while an instance that has just gone is gone whatever is written.
    pub fn table(&self, epoch: u64, version: u64, generation: u64) -> Table {
        let count = [self.endpoints[0].len(), self.endpoints[1].len()];
        let track = |slot: Slot| if slot == self.good { Track::Stable } else { Track::Canary };
        let slot = |slot: Slot| SlotTable { track: track(slot), endpoints: self.endpoints[slot].clone() };
        Table {
            epoch,
            version,
            generation,
            split: to_proxy(self.route.split, count),
            fallback: self.route.fallback.map(|split| to_proxy(split, count)),
            lease_ms: self.route.lease.then_some(self.lease_ms.max(1)),
            slots: [slot(0), slot(1)],
            settings: self.settings,
        }
    }
}

fn to_proxy(split: Split, count: Pair<usize>) -> protocol::Split {
    match split {
        Split::Weighted(shares) => protocol::Split::Weighted(shares.map(u32::from)),
        Split::Members(members) => {
            protocol::Split::Members([0, 1].map(|slot: Slot| usize::from(members[slot]).min(count[slot])))
        }
    }
}

fn from_proxy(split: protocol::Split) -> Split {
    match split {
        protocol::Split::Weighted(shares) => Split::Weighted(shares.map(|share| share as u16)),
        protocol::Split::Members(members) => Split::Members(members.map(|count| count as u16)),
    }
}

/// The routes of versions that some worker may still go by, oldest first; the last is the accepted one.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    routes: Vec<(u64, Route)>,
}

impl InForce {
    /// A version was accepted.
    pub fn accepted(&mut self, version: u64, route: Route) {
        self.routes.push((version, route));
    }

    /// Forgets what no worker goes by any more.
    pub fn acknowledged(&mut self, version: u64) {
        let last = self.routes.iter().rposition(|(known, _)| *known <= version);
        if let Some(last) = last {
            self.routes.drain(..last);
        }
    }

    /// The accepted route and all that may be in force. What the proxy accepted from an earlier controller is read from
    /// its report.
    pub fn seen(&self, report: &Report, asked: Option<Route>) -> RouteSeen {
        let reported = Route {
            split: report.split.map_or(Route::NOWHERE.split, from_proxy),
            fallback: report.fallback.map(from_proxy),
            lease: report.lease_left_ms.is_some(),
        };
        let own = self.routes.last().filter(|(version, _)| *version == report.version);
        let accepted = match (own, asked) {
            (Some(_), Some(asked)) => asked,
            _ => reported,
        };
        let in_force = self.routes.iter().flat_map(|(_, route)| route.splits()).chain(reported.splits()).collect();
        RouteSeen { accepted, acked: report.acknowledged == report.version, in_force }
    }
}
