//! All counters of the process, by generation, slot, instance and worker. Only the control thread has it.
use crate::counters::{Block, Front, Instance, OWN_STATUSES, SlotBlock};
use crate::protocol::{
    Counts, FrontMeasure, GenerationMeasure, InstanceMeasure, InstanceReport, Measures, SlotMeasure, Table,
};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// So many generations are kept apart; older ones are only in the total.
const GENERATIONS: usize = 8;

/// One worker's counters for a table.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) table: Arc<Table>,
    /// As the endpoints of each slot.
    pub(crate) endpoints: [Vec<(Arc<Instance>, Arc<Block>)>; 2],
    pub(crate) slots: [Arc<SlotBlock>; 2],
}

/// A slot of one generation: each worker's counters.
#[derive(Debug)]
struct SlotEntry {
    own: Vec<Arc<SlotBlock>>,
    /// By id; per worker.
    instances: BTreeMap<String, Vec<Arc<Block>>>,
}

#[derive(Debug)]
pub(crate) struct Registry {
    workers: usize,
    /// By id and address. Those that left stay while something counts on them.
    instances: HashMap<(String, SocketAddr), Arc<Instance>>,
    generations: BTreeMap<u64, [SlotEntry; 2]>,
    /// What generations counted that are forgotten; without their instances, of which there is no end.
    past: [SlotMeasure; 2],
}

impl Registry {
    pub(crate) fn new(workers: usize) -> Registry {
        Registry { workers, instances: HashMap::new(), generations: BTreeMap::new(), past: Default::default() }
    }

    /// Makes the counters that `table` needs, and says what each worker gets.
    pub(crate) fn plan(&mut self, table: &Arc<Table>) -> Vec<Plan> {
        let workers = self.workers;
        let fresh = || SlotEntry { own: (0..workers).map(|_| Arc::default()).collect(), instances: BTreeMap::new() };
        let slots = self.generations.entry(table.generation).or_insert_with(|| [fresh(), fresh()]);
        let mut plans: Vec<Plan> = (0..workers)
            .map(|w| Plan {
                table: table.clone(),
                endpoints: Default::default(),
                slots: [slots[0].own[w].clone(), slots[1].own[w].clone()],
            })
            .collect();
        for (number, slot) in table.slots.iter().enumerate() {
            for endpoint in &slot.endpoints {
                let instance = self
                    .instances
                    .entry((endpoint.id.clone(), endpoint.address))
                    .or_insert_with(|| Arc::new(Instance { id: endpoint.id.clone(), withdrawn: false.into() }));
                instance.withdrawn.store(false, Release);
                let blocks = slots[number]
                    .instances
                    .entry(endpoint.id.clone())
                    .or_insert_with(|| (0..workers).map(|_| Arc::default()).collect());
                for (plan, block) in plans.iter_mut().zip(blocks) {
                    plan.endpoints[number].push((instance.clone(), block.clone()));
                }
            }
        }
        self.forget();
        plans
    }

    /// A table was acknowledged: nothing may start on what is not in it.
    pub(crate) fn withdraw_others(&mut self, table: &Table) {
        let has = |(id, address): &(String, SocketAddr)| {
            table.slots.iter().flat_map(|s| &s.endpoints).any(|e| e.id == *id && e.address == *address)
        };
        self.instances.retain(|key, instance| {
            let stays = has(key);
            if !stays {
                instance.withdrawn.store(true, Release);
            }
            stays || Arc::strong_count(instance) > 1
        });
    }

    /// Adds the oldest generations to the past, unless something is open in them or a worker may still count there.
    fn forget(&mut self) {
        while self.generations.len() > GENERATIONS {
            let Some(oldest) = self.generations.first_entry() else { return };
            let blocks = || oldest.get().iter().flat_map(|s| s.instances.values().flatten());
            let slots = || oldest.get().iter().flat_map(|s| &s.own);
            let in_use = blocks().any(|b| Arc::strong_count(b) > 1 || !b.is_quiet())
                || slots().any(|b| Arc::strong_count(b) > 1);
            if in_use {
                return;
            }
            for (past, slot) in self.past.iter_mut().zip(oldest.remove()) {
                merge(past, SlotMeasure { instances: Vec::new(), ..slot.measure() });
            }
        }
    }

    /// Everything that was counted.
    pub(crate) fn measure(&mut self, fronts: &[Arc<Front>]) -> Measures {
        self.forget();
        let mut total = self.past.clone();
        let mut generations = Vec::new();
        for (generation, slots) in &self.generations {
            let slots = slots.each_ref().map(SlotEntry::measure);
            for (sum, slot) in total.iter_mut().zip(&slots) {
                merge(sum, slot.clone());
            }
            generations.push(GenerationMeasure { generation: *generation, slots });
        }
        let surplus = generations.len().saturating_sub(GENERATIONS);
        generations.drain(..surplus);
        Measures { generations, total, front: front(fronts) }
    }

    /// What is open on the table's instances, and on others that still have something open or were used wrongly.
    pub(crate) fn open(&self, table: Option<&Table>) -> Vec<InstanceReport> {
        let mut found: BTreeMap<&str, Counts> = BTreeMap::new();
        for slot in self.generations.values().flatten() {
            for (id, blocks) in &slot.instances {
                let sum = found.entry(id).or_default();
                for block in blocks {
                    sum.add(&Counts { latency: Vec::new(), ..block.read() });
                }
            }
        }
        let place = |id: &str| table.and_then(|t| t.slots.iter().position(|s| s.endpoints.iter().any(|e| e.id == id)));
        let reports = found.into_iter().map(|(id, counts)| InstanceReport {
            id: id.to_owned(),
            slot: place(id),
            open: counts.open(),
            tunnels: counts.tunnels[0].saturating_sub(counts.tunnels[1]),
            started_after_ack: counts.started_after_ack,
        });
        reports.filter(|r| r.slot.is_some() || r.open + r.tunnels + r.started_after_ack > 0).collect()
    }
}

impl SlotEntry {
    fn measure(&self) -> SlotMeasure {
        let mut slot = SlotMeasure::default();
        for own in &self.own {
            slot.diverted += own.diverted.load(Acquire);
            slot.chosen += own.chosen.load(Acquire);
        }
        for (id, blocks) in &self.instances {
            let mut counts = Counts::default();
            for block in blocks {
                counts.add(&block.read());
            }
            slot.counts.add(&counts);
            slot.instances.push(InstanceMeasure { id: id.clone(), counts });
        }
        slot
    }
}

fn merge(sum: &mut SlotMeasure, slot: SlotMeasure) {
    sum.chosen += slot.chosen;
    sum.diverted += slot.diverted;
    sum.counts.add(&slot.counts);
    for instance in slot.instances {
        match sum.instances.iter_mut().find(|i| i.id == instance.id) {
            Some(there) => there.counts.add(&instance.counts),
            None => sum.instances.push(instance),
        }
    }
}

fn front(fronts: &[Arc<Front>]) -> FrontMeasure {
    let mut sum = FrontMeasure::default();
    let mut refused = [0; OWN_STATUSES.len()];
    for front in fronts {
        let ended = front.connections[1].load(Acquire);
        let accepted = front.connections[0].load(Acquire);
        sum.accepted += accepted;
        sum.open += accepted.saturating_sub(ended);
        sum.requests += front.requests.load(Relaxed);
        sum.held += front.held[0].load(Relaxed);
        sum.retried += front.retried.load(Relaxed);
        for (sum, n) in refused.iter_mut().zip(&front.refused) {
            *sum += n.load(Relaxed);
        }
    }
    sum.refused = OWN_STATUSES.into_iter().zip(refused).filter(|r| r.1 > 0).collect();
    sum
}
