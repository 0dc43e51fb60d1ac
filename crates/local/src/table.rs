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
    /// its report. A worker that has fallen back to the fallback does not apply the split that was accepted: until all have
    /// returned to it, it is not confirmed. (A slot whose instances refuse is another thing: its requests are answered by
    /// the other one, and the split is in force.)
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
        let acked = report.acknowledged == report.version && report.falling_back.is_none();
        RouteSeen { accepted, acked, in_force }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serin_proxy::protocol::{Circuit, FallingBack};

    fn endpoints(slot: usize, count: usize) -> Vec<Endpoint> {
        let address = |n: usize| ([127, 0, 0, 1], (9_000 + 100 * slot + n) as u16).into();
        (0..count).map(|n| Endpoint { id: format!("{slot}-{n}"), address: address(n), ready: true }).collect()
    }

    fn content(route: Route, counts: Pair<usize>) -> Content {
        let endpoints = [endpoints(0, counts[0]), endpoints(1, counts[1])];
        Content { route, lease_ms: 2_000, good: 0, endpoints, settings: protocol::Settings::default() }
    }

    fn report(version: u64, acknowledged: u64, route: Route) -> Report {
        Report {
            epoch: 1,
            version,
            acknowledged,
            generation: 1,
            split: Some(to_proxy(route.split, [9, 9])),
            fallback: route.fallback.map(|split| to_proxy(split, [9, 9])),
            falling_back: None,
            lease_left_ms: route.lease.then_some(500),
            circuit: vec![],
            held: 0,
            instances: vec![],
            draining: false,
            workers: 1,
        }
    }

    fn leased(share: u16) -> Route {
        Route { split: Split::share_to(1, share), fallback: Some(Split::all(0, 2)), lease: true }
    }

    #[test]
    fn a_table_says_what_the_route_says_and_the_proxy_takes_it() {
        let table = content(leased(500), [2, 2]).table(3, 7, 4);
        assert_eq!((table.epoch, table.version, table.generation), (3, 7, 4));
        assert_eq!(table.split, protocol::Split::Weighted([9_500, 500]));
        assert_eq!(table.fallback, Some(protocol::Split::Members([2, 0])));
        assert_eq!(table.lease_ms, Some(2_000));
        assert_eq!([table.slots[0].track, table.slots[1].track], [Track::Stable, Track::Canary]);
        table.check().unwrap();
        let turned = Content { good: 1, ..content(leased(500), [2, 2]) }.table(3, 7, 4);
        assert_eq!(turned.slots[1].track, Track::Stable);
    }

    #[test]
    fn a_member_that_is_gone_does_not_make_the_table_unusable() {
        let table = content(Route::plain(Split::all(0, 2)), [1, 0]).table(1, 1, 1);
        assert_eq!(table.split, protocol::Split::Members([1, 0]));
        assert_eq!(table.lease_ms, None);
        table.check().unwrap();
    }

    #[test]
    fn what_a_worker_may_still_go_by_is_in_force() {
        let mut in_force = InForce::default();
        let (old, new) = (Route::plain(Split::all(0, 2)), leased(500));
        in_force.accepted(1, old);
        in_force.accepted(2, new);
        let seen = in_force.seen(&report(2, 1, new), Some(new));
        assert!(!seen.acked && seen.accepted == new);
        assert!(seen.in_force.contains(&old.split) && seen.in_force.contains(&new.split));
        in_force.acknowledged(2);
        let seen = in_force.seen(&report(2, 2, new), Some(new));
        assert!(seen.acked);
        assert!(seen.in_force.contains(&Split::all(0, 2)), "the fallback counts as in force");
        assert!(!seen.in_force.contains(&Split::share_to(1, 9_999)));
    }

    #[test]
    fn a_split_is_not_confirmed_while_the_proxy_falls_back() {
        let mut in_force = InForce::default();
        in_force.accepted(1, leased(500));
        in_force.acknowledged(1);
        let applied = report(1, 1, leased(500));
        let lapsed = Report { falling_back: Some(FallingBack::Lease), lease_left_ms: Some(0), ..applied.clone() };
        let seen = in_force.seen(&lapsed, Some(leased(500)));
        assert!(!seen.acked && seen.accepted == leased(500), "it is accepted still, and not applied");
        let next = in_force.seen(&lapsed, None);
        assert!(!next.acked && next.accepted == leased(500), "nor for the next controller");
        let broken = Report { circuit: vec![Circuit { slot: 1, since_ms: 1, requests: 9 }], ..applied.clone() };
        assert!(in_force.seen(&broken, Some(leased(500))).acked, "refusing instances are no other split");
        assert!(in_force.seen(&applied, Some(leased(500))).acked);
    }

    #[test]
    fn the_route_of_an_earlier_controller_is_read_from_the_proxy() {
        let in_force = InForce::default();
        assert_eq!(in_force.seen(&report(9, 9, leased(500)), None).accepted, leased(500));
        let nothing = Report { split: None, fallback: None, ..report(0, 0, Route::NOWHERE) };
        assert_eq!(in_force.seen(&nothing, None).accepted, Route::NOWHERE);
    }
}
