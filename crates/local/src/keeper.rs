//! Keeps what was asked for: the instances of both slots, and the proxy's table.
use crate::config::{Runnable, Settings};
use crate::confirmed::Confirmed;
use crate::layout::Layout;
use crate::member::{self, Badge, Member};
use crate::order::{Order, Orders};
use crate::proxy;
use crate::surplus::{Claim, may_stop};
use crate::table::{Content, InForce};
use crate::told::Told;
use serin_engine::{InstanceSeen, PortError, Revision, RouterSeen};
use serin_proxy::protocol::{Endpoint, Report};
use serin_proxy::{Client, ClientError};
use serin_rollout::{Pair, Route, RouteSeen, SetSeen, Slot};
use serin_supervisor::limits::Cgroups;
use serin_supervisor::{Found, Instance, scan};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the proxy may take to answer.
const PROXY_ANSWERS: Duration = Duration::from_secs(3);
/// After a failure to start an instance the next try comes this much later.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Looks after the instances and the proxy of one service.
#[derive(Debug)]
pub struct Keeper {
    layout: Layout,
    settings: Settings,
    epoch: u64,
    orders: Orders,
    members: BTreeMap<String, Member>,
    turn: u64,
    client: Client,
    report: Result<Report, String>,
    in_force: InForce,
    /// The route that was asked for last; `None` until then: what the proxy has from before is kept.
    asked: Option<Route>,
    lease_ms: u64,
    good: Slot,
    /// What the table holds that the proxy accepted from this keeper, and its version.
    applied: Option<(u64, Content)>,
    confirmed: Confirmed,
    trouble: Pair<Option<String>>,
    not_before: Pair<Option<Instant>>,
    runnable: Read,
    cgroups: Cgroups,
    told: Told,
}

/// Reads what a revision runs from its stored content.
pub type Read = fn(&serde_json::Value) -> Result<Runnable, String>;

/// Why a keeper cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What the slots were told cannot be read.
    #[error("{0}")]
    Orders(String),
    /// The proxy cannot be started.
    #[error("the proxy cannot be started: {0}")]
    Proxy(#[from] serin_supervisor::Error),
    /// The proxy runs and listens somewhere else.
    #[error(
        "the proxy listens on {has} and {wanted} is wanted: an address cannot be changed while the service runs; run `serin down` first, then `serin serve`"
    )]
    Moved {
        /// Where it listens.
        has: String,
        /// What the spec says.
        wanted: String,
    },
}

impl Keeper {
    /// Finds or starts the proxy, and finds the instances. Fences every controller before `epoch` at once: a machine has
    /// one controller at a time, whose epoch comes with the lock on its store.
    ///
    /// # Errors
    /// A proxy that cannot be started, or files that cannot be read.
    pub fn start(layout: Layout, settings: Settings, epoch: u64, runnable: Read) -> Result<Keeper, StartError> {
        let orders = Orders::open(&layout).map_err(StartError::Orders)?;
        let cgroups = Cgroups::claim(); // before any shim, so that it is where this process then is
        proxy::ensure(&layout, &settings)?;
        let has = proxy::addresses(&layout.proxy()).into_iter().find(|(name, _)| name == "main");
        if let Some((_, has)) = has
            && has != settings.listen
            && settings.listen.port() != 0
        {
            return Err(StartError::Moved { has: has.to_string(), wanted: settings.listen.to_string() });
        }
        let client = Client::new(&layout.proxy_socket(), PROXY_ANSWERS);
        let mut told = Told::new(layout.instance_facts(), epoch);
        if orders.is_taken_up() {
            told.taken_up();
        }
        Ok(Keeper {
            layout,
            settings,
            epoch,
            orders,
            members: BTreeMap::new(),
            turn: 0,
            client,
            report: Err("the proxy has not been asked yet".into()),
            in_force: InForce::default(),
            asked: None,
            lease_ms: 15_000,
            good: 0,
            applied: None,
            confirmed: Confirmed::default(),
            trouble: [None, None],
            not_before: [None, None],
            runnable,
            cgroups,
            told,
        })
    }

    /// Settings that do not need a restart of anything.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The tracks' own addresses go by this.
    pub(crate) fn orient(&mut self, good: Slot) {
        self.good = good;
    }

    /// Why this machine cannot run this, ever, as far as can be said without starting it.
    pub(crate) fn refuses(&self, content: &serde_json::Value) -> Option<String> {
        let limits = (self.runnable)(content).map(|runnable| runnable.limits);
        limits.and_then(|limits| member::holds(&limits, &self.cgroups)).err()
    }

    pub(crate) async fn claim(&mut self, epoch: u64) -> Result<(), PortError> {
        self.orders.claim(epoch)?;
        self.client.claim(epoch).await.map_err(|error| port_error(&error))?;
        self.epoch = epoch;
        Ok(())
    }

    /// One look at everything, and whatever follows from it: level-triggered, so that it does not matter what a
    /// controller before did or did not get done.
    pub(crate) async fn tick(&mut self) -> Result<(), PortError> {
        self.find_members().map_err(PortError::Failed)?;
        for slot in 0..2 {
            self.fill(slot);
        }
        proxy::ensure(&self.layout, &self.settings).map_err(|error| PortError::Failed(error.to_string()))?;
        self.ask_proxy().await?;
        self.bring_table().await?;
        self.note_unrouted();
        self.stop_surplus();
        Ok(())
    }

    /// Finds the living, buries the dead.
    fn find_members(&mut self) -> Result<(), String> {
        let found = scan(&self.layout.instances()).map_err(|error| error.to_string())?;
        let mut living = Vec::new();
        for found in found {
            match &found {
                Found::Alive(instance) => living.push(instance.clone()),
                Found::Dead { .. } | Found::NeverStarted(_) | Found::HalfCreated(_) => {
                    member::bury(&self.layout, &found)?;
                }
                Found::Unreadable { why, .. } => return Err(why.clone()),
            }
        }
        self.members.retain(|id, _| living.iter().any(|instance| instance.id() == *id));
        for instance in living {
            if !self.members.contains_key(&instance.id()) {
                let member = Member::adopt(instance)?;
                self.turn = self.turn.max(member.badge.turn);
                self.members.insert(member.id(), member);
            }
        }
        self.members.values_mut().for_each(Member::look);
        self.told.look(&self.members);
        Ok(())
    }

    /// Starts what is missing.
    fn fill(&mut self, slot: Slot) {
        if self.not_before[slot].is_some_and(|at| at > Instant::now()) {
            return;
        }
        let order = self.orders.of(slot).clone();
        let have = self.of_slot(slot).filter(|member| !member.stopping).count();
        for _ in have..usize::from(order.desired) {
            match self.start_one(slot, &order) {
                Ok(()) => (self.trouble[slot], self.not_before[slot]) = (None, None),
                Err(why) => {
                    self.trouble[slot] = Some(why);
                    self.not_before[slot] = Some(Instant::now() + TRY_AGAIN);
                    return;
                }
            }
        }
    }

    fn start_one(&mut self, slot: Slot, order: &Order) -> Result<(), String> {
        let rev = order.rev.ok_or("the slot has no revision")?;
        let runnable = (self.runnable)(&order.content)
            .map_err(|error| format!("revision {} cannot be understood: {error}", rev.0))?;
        self.turn += 1;
        let (hash, content) = (order.hash.clone(), order.content.clone());
        let badge = Badge { slot, rev, turn: self.turn, hash, content, runnable };
        let instance: Instance = member::create(&self.layout, &badge, &self.settings.service, &self.cgroups)?;
        let mut member = Member::begin(instance)?;
        member.look();
        self.told.started(&member);
        self.members.insert(member.id(), member);
        Ok(())
    }

    async fn ask_proxy(&mut self) -> Result<(), PortError> {
        match self.client.report().await {
            Ok(report) => {
                for member in self.members.values_mut() {
                    let id = member.id();
                    let open =
                        report.instances.iter().filter(|seen| seen.id == id).map(|seen| seen.open + seen.tunnels);
                    member.open = open.sum();
                }
                self.in_force.acknowledged(report.acknowledged);
                self.confirmed.acknowledged(report.acknowledged);
                self.report = Ok(report);
                Ok(())
            }
            Err(error) => {
                self.report = Err(error.to_string());
                self.applied = None; // it may come back with another table than the one that it had
                self.confirmed.forget();
                Err(port_error(&error))
            }
        }
    }

    /// The instances of a slot in the order in which they count. First come those that stay, ready before unready, then
    /// the oldest first: a `members` split takes them from the front. What is too many is at the end.
    fn ordered(&self, slot: Slot) -> Vec<&Member> {
        let desired = self.orders.of(slot).desired;
        let mut members: Vec<(Claim, &Member)> = self
            .of_slot(slot)
            .filter(|member| !member.stopping)
            .map(|member| {
                let (ready, named, busy) = (member.is_ready(), self.is_named(member), member.open > 0);
                (Claim { ready, named, routed: false, busy, turn: member.badge.turn }, member)
            })
            .collect();
        let place = |(claim, _): &(Claim, &Member)| (!claim.ready, claim.turn);
        members.sort_by_key(|known| (!known.0.named, place(known)));
        members.iter_mut().take(usize::from(self.routed(slot, desired))).for_each(|(claim, _)| claim.routed = true);
        members.sort_by_key(|(claim, _)| claim.rank());
        let kept = usize::from(desired).min(members.len());
        members[..kept].sort_by_key(place);
        members.into_iter().map(|(_, member)| member).collect()
    }

    /// Whether the table that the proxy accepted names it.
    fn is_named(&self, member: &Member) -> bool {
        let id = member.id();
        let named = |report: &Report| report.instances.iter().any(|seen| seen.id == id && seen.slot.is_some());
        self.report.as_ref().is_ok_and(named)
    }

    /// How many of `present` instances of a slot the splits in force reach; all, where nothing is known.
    fn routed(&self, slot: Slot, present: u16) -> u16 {
        let most = |seen: RouteSeen| seen.splits().map(|split| split.routed(slot, present)).max().unwrap_or(0);
        self.route_seen().map_or(u16::MAX, most)
    }

    fn of_slot(&self, slot: Slot) -> impl Iterator<Item = &Member> {
        self.members.values().filter(move |member| member.badge.slot == slot)
    }

    fn content(&self, route: Route) -> Content {
        let endpoints = [0, 1].map(|slot| {
            let kept = usize::from(self.orders.of(slot).desired);
            let members = self.ordered(slot).into_iter().take(kept);
            members
                .map(|member| Endpoint { id: member.id(), address: member.address, ready: member.is_ready() })
                .collect()
        });
        let (good, settings) = (self.good, self.settings.proxy);
        Content { route, lease_ms: self.lease_ms, good, endpoints, settings }
    }

    /// Some instance was found whose readiness is not known yet. The proxy's table, which somebody wrote who knew, stays
    /// as it is until then: to call everybody unready would stop the service.
    fn is_learning(&self) -> bool {
        self.members.values().any(|member| !member.is_known())
    }

    /// Tells the proxy who is there and who is ready. The route stays what was asked for last.
    async fn bring_table(&mut self) -> Result<(), PortError> {
        if self.is_learning() {
            return Ok(());
        }
        let Ok(report) = &self.report else { return Ok(()) };
        let (version, generation) = (report.version, report.generation);
        let route = self.asked.unwrap_or_else(|| self.in_force.seen(report, None).accepted);
        let content = self.content(route);
        let known = self.applied.as_ref().is_some_and(|(at, now)| *at == version && *now == content);
        let nothing_yet = version == 0 && content.endpoints.iter().all(Vec::is_empty);
        if known || nothing_yet {
            return Ok(());
        }
        self.apply(content, version + 1, generation).await
    }

    async fn apply(&mut self, content: Content, version: u64, generation: u64) -> Result<(), PortError> {
        let table = content.table(self.epoch, version, generation);
        self.client.apply(&table).await.map_err(|error| port_error(&error))?;
        self.in_force.accepted(version, content.route);
        let ready = content.endpoints.iter().flatten().filter(|endpoint| endpoint.ready);
        self.confirmed.accepted(version, ready.map(|endpoint| endpoint.id.clone()).collect());
        self.asked = Some(content.route);
        self.applied = Some((version, content));
        self.ask_proxy().await
    }

    /// Notes since when no split in force has reached each instance, as every worker of the proxy goes by it.
    fn note_unrouted(&mut self) {
        let (Ok(report), Some((version, content))) = (&self.report, &self.applied) else { return };
        let confirmed = report.acknowledged >= *version;
        for member in self.members.values_mut() {
            let (id, slot) = (member.id(), member.badge.slot);
            let endpoints = &content.endpoints[slot];
            let place = endpoints.iter().position(|endpoint| endpoint.id == id);
            let within =
                |place| content.route.splits().any(|s| place < usize::from(s.routed(slot, endpoints.len() as u16)));
            if place.is_some_and(within) {
                member.unrouted = None;
            } else if confirmed {
                member.unrouted.get_or_insert_with(Instant::now);
            }
        }
    }

    /// Stops what is too many, once the proxy has confirmed that it sends nothing there any more, and what is open there
    /// has ended or has had its time.
    fn stop_surplus(&mut self) {
        let (now, drain) = (Instant::now(), Duration::from_millis(self.settings.proxy.drain_ms));
        let Ok(report) = &self.report else { return };
        let confirmed = |(version, _): &&(u64, Content)| report.acknowledged >= *version;
        let Some((version, content)) = self.applied.as_ref().filter(confirmed) else { return };
        for slot in 0..2 {
            let desired = self.orders.of(slot).desired;
            let kept = usize::from(desired);
            let surplus: Vec<String> = self.ordered(slot).into_iter().skip(kept).map(Member::id).collect();
            for id in surplus {
                let named = content.endpoints.iter().flatten().any(|endpoint| endpoint.id == id);
                if let Some(member) = self.members.get_mut(&id)
                    && !named
                    && may_stop(member.open, member.unrouted, drain, now)
                {
                    match member.stop() {
                        Ok(()) => self.told.stopped(member, desired, *version),
                        Err(why) => self.trouble[slot] = Some(why),
                    }
                }
            }
        }
    }

    pub(crate) fn set_seen(&self, slot: Slot) -> SetSeen {
        let order = self.orders.of(slot);
        let least = Duration::from_millis(self.settings.min_healthy_ms);
        let ordered = self.ordered(slot);
        let ready = |member: &&&Member| member.is_ready() && self.confirmed.has(&member.id());
        let (total, kept) = (self.of_slot(slot).count(), usize::from(order.desired));
        let stay = ordered.iter().take(kept).filter(ready).count();
        let routed = self.routed(slot, order.desired);
        let unrouted = ordered.iter().skip(usize::from(routed)).filter(|member| member.open > 0).count();
        SetSeen {
            rev: order.rev,
            desired: order.desired,
            total: total as u16,
            // The core takes what is too many off what is ready, whoever that may be. Here it is known who goes, ready
            // or not, and perhaps told to stop already: they count on both sides, so that what stays is what is left.
            ready: (stay + total.saturating_sub(kept)) as u16,
            healthy: ordered.iter().filter(ready).filter(|member| member.is_healthy(least)).count() as u16,
            busy: unrouted as u16,
            pinned: order.pinned,
            fresh: !self.is_learning() && (total == 0 || self.confirmed.is_known()),
        }
    }

    pub(crate) fn route_seen(&self) -> Result<RouteSeen, PortError> {
        match &self.report {
            Ok(report) => Ok(self.in_force.seen(report, self.asked)),
            Err(why) => Err(PortError::Failed(why.clone())),
        }
    }

    pub(crate) fn resize(&mut self, slot: Slot, to: u16, revision: &Revision, pin: bool) -> Result<(), PortError> {
        let order = Order {
            rev: Some(revision.rev),
            hash: revision.hash.clone(),
            content: revision.content.clone(),
            desired: to,
            pinned: pin,
        };
        self.not_before[slot] = None;
        self.orders.put(slot, order)
    }

    pub(crate) async fn write_route(&mut self, route: Route, lease_ms: u64) -> Result<(), PortError> {
        let (version, generation) = match &self.report {
            Ok(report) => (report.version, report.generation),
            Err(why) => return Err(PortError::Failed(why.clone())),
        };
        self.lease_ms = lease_ms;
        self.apply(self.content(route), version + 1, generation + 1).await
    }

    pub(crate) async fn renew(&mut self) -> Result<(), PortError> {
        let Ok(report) = &self.report else { return Ok(()) };
        if self.is_learning() {
            return Ok(()); // a round without facts proves nothing
        }
        self.client.renew(self.epoch, report.version).await.map_err(|error| port_error(&error))
    }

    /// A connection to the proxy beside the keeper's own.
    pub(crate) fn another_client(&self) -> Client {
        Client::new(&self.layout.proxy_socket(), PROXY_ANSWERS)
    }

    pub(crate) fn instances(&self) -> Vec<InstanceSeen> {
        let least = Duration::from_millis(self.settings.min_healthy_ms);
        let mut seen: Vec<InstanceSeen> = self.members.values().map(|member| member.seen(least)).collect();
        seen.sort_by(|a, b| (a.slot, &a.id).cmp(&(b.slot, &b.id)));
        seen
    }

    pub(crate) fn router_seen(&self) -> RouterSeen {
        let addresses = proxy::addresses(&self.layout.proxy());
        let report = self.report.as_ref();
        let circuit = report.ok().and_then(|report| report.circuit.first()).map(|broken| {
            let slot = broken.slot;
            let text = format!(
                "the instances of slot {slot} refuse or reset; {} requests were answered by the other one",
                broken.requests
            );
            (slot, text)
        });
        RouterSeen {
            addresses: addresses.into_iter().map(|(name, address)| (name, address.to_string())).collect(),
            strength: "dataplane".to_owned(),
            falling_back: report.ok().and_then(|r| r.falling_back).map(|_| "the lease was not renewed".to_owned()),
            circuit,
            held: report.map_or(0, |report| report.held),
            unreachable: report.err().cloned(),
        }
    }

    /// Why instances could not be started or stopped, if so.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.trouble.iter().flatten().cloned().collect()
    }
}

fn port_error(error: &ClientError) -> PortError {
    use serin_proxy::protocol::Denial;
    match error {
        ClientError::Refused(Denial::StaleEpoch { .. } | Denial::WrongVersion { .. }) => {
            PortError::Conflict(error.to_string())
        }
        ClientError::Refused(_)
        | ClientError::Unreachable { .. }
        | ClientError::Late { .. }
        | ClientError::Strange { .. } => PortError::Failed(error.to_string()),
    }
}
