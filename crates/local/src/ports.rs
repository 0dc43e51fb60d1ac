//! The engine's ports, over one keeper. A driver asks the fleet first: that look is what the router answers from.
use crate::config::Settings;
use crate::keeper::Keeper;
use serin_analysis::{Histogram, Measurement, Sample};
use serin_engine::{Fleet, InstanceSeen, Look, MetricSource, PortError, Revision, Router, RouterSeen};
use serin_proxy::Client;
use serin_proxy::protocol::{Counts, Measures};
use serin_rollout::{Pair, Route, RouteSeen, SetSeen, Slot, StepKey};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The instances of one machine.
#[derive(Clone, Debug)]
pub struct LocalFleet(Arc<Mutex<Keeper>>);

/// The proxy of one machine.
#[derive(Clone, Debug)]
pub struct LocalRouter(Arc<Mutex<Keeper>>);

/// The proxy's counters. They are asked for by whoever looks at the service, too, over a connection of their own: nobody but
/// the driver holds the keeper, so that what it sees of its instances never depends on who else is looking.
#[derive(Clone, Debug)]
pub struct LocalMetrics(Arc<Mutex<Client>>);

/// The ports of a keeper.
pub fn ports(keeper: Keeper) -> (LocalFleet, LocalRouter, LocalMetrics) {
    let metrics = LocalMetrics(Arc::new(Mutex::new(keeper.another_client())));
    let keeper = Arc::new(Mutex::new(keeper));
    (LocalFleet(keeper.clone()), LocalRouter(keeper), metrics)
}

impl LocalFleet {
    /// Takes settings over that need no restart of anything.
    pub async fn set(&self, settings: Settings) {
        self.0.lock().await.set(settings);
    }
}

impl LocalMetrics {
    /// Everything that the proxy counted.
    ///
    /// # Errors
    /// Why it does not answer, in a sentence.
    pub async fn measures(&self) -> Result<Measures, String> {
        self.0.lock().await.measure().await.map_err(|error| error.to_string())
    }
}

impl Fleet for LocalFleet {
    async fn claim(&mut self, epoch: u64) -> Result<(), PortError> {
        self.0.lock().await.claim(epoch).await
    }

    /// Every look asks: this machine's instances are right here.
    async fn observe(&mut self, _: Look) -> Result<Pair<SetSeen>, PortError> {
        let mut keeper = self.0.lock().await;
        keeper.tick().await?;
        Ok([keeper.set_seen(0), keeper.set_seen(1)])
    }

    async fn resize(&mut self, slot: Slot, to: u16, revision: &Revision, pin: bool) -> Result<(), PortError> {
        self.0.lock().await.resize(slot, to, revision, pin)
    }

    /// Nothing on one machine is ever copied home, so nobody asks for it.
    async fn rewrite(&mut self, _: Slot, _: &Revision) -> Result<(), PortError> {
        Err(PortError::Failed("the sets of one machine are never rewritten".to_owned()))
    }

    async fn refuses(&self, content: &serde_json::Value) -> Option<String> {
        self.0.lock().await.refuses(content)
    }

    fn instances(&self) -> Vec<InstanceSeen> {
        self.0.try_lock().map(|keeper| keeper.instances()).unwrap_or_default()
    }

    fn troubles(&self) -> Vec<String> {
        self.0.try_lock().map(|keeper| keeper.troubles()).unwrap_or_default()
    }
}

impl Router for LocalRouter {
    async fn claim(&mut self, epoch: u64) -> Result<(), PortError> {
        self.0.lock().await.claim(epoch).await
    }

    async fn observe(&mut self, _: Look) -> Result<RouteSeen, PortError> {
        self.0.lock().await.route_seen()
    }

    async fn orient(&mut self, good: Slot) {
        self.0.lock().await.orient(good);
    }

    async fn write(&mut self, route: Route, lease_ms: u64) -> Result<(), PortError> {
        self.0.lock().await.write_route(route, lease_ms).await
    }

    async fn renew(&mut self) -> Result<(), PortError> {
        self.0.lock().await.renew().await
    }

    fn describe(&self) -> RouterSeen {
        self.0.try_lock().map(|keeper| keeper.router_seen()).unwrap_or_default()
    }
}

impl MetricSource for LocalMetrics {
    async fn read(&mut self, slot: Slot) -> Result<Sample, String> {
        let measures = self.measures().await?;
        Ok(sample(&measures.total[slot].counts))
    }

    /// On one machine the proxy's counters are all there is.
    async fn ask(&mut self, _: Slot, _: StepKey) -> Vec<Measurement> {
        Vec::new()
    }
}

/// Every attempt counts, also one that another instance made good for the user. What the client or the proxy itself
/// broke off says nothing about the instance.
fn sample(counts: &Counts) -> Sample {
    let void = counts.abandoned + counts.stale + counts.withdrawn;
    let finished = counts.finished.saturating_sub(void);
    let mut latency = Histogram::default();
    for (bucket, count) in &counts.latency {
        latency.add_to(usize::from(*bucket), *count);
    }
    Sample { finished, failed: (counts.failed + counts.status[5]).min(finished), latency }
}
