//! The guards of the core, each of which can be taken away by a type parameter. Production is [`Sound`]; everything
//! else is a mutant, which the model checker must catch.

/// Which guards are on. Every constant is one sentence of the safety argument.
pub trait Guards {
    /// Fence the service's objects before the first write of an incarnation.
    const CLAIM: bool = true;
    /// Wait until every data plane has confirmed the route.
    const ACK: bool = true;
    /// A view older than the own last write counts as nothing.
    const FRESH: bool = true;
    /// Keep others from lowering a set that carries or will carry traffic.
    const PIN: bool = true;
    /// Send traffic forward only to a set that can carry it.
    const READY_FORWARD: bool = true;
    /// Send traffic back only to a set that can carry it.
    const READY_BACK: bool = true;
    /// Retire a set only while the other one carries everything.
    const SURVIVOR: bool = true;
    /// Before a set is retired, write the route again without it.
    const CLEAN_ROUTE: bool = true;
    /// Wait for open requests before stopping.
    const DRAIN: bool = true;
    /// Only an explicit pass is a pass.
    const VERDICT: bool = true;
    /// A verdict, approval or command counts only for the step and attempt that it names.
    const KEYED: bool = true;
    /// A failure counts in every phase in which the canary gets traffic.
    const FAIL_ANYWHERE: bool = true;
    /// A newer revision ends the rollout of the older one.
    const SUPERSEDE: bool = true;
    /// While the old set is warm, return to it when the new one cannot serve.
    const FLIP_BACK: bool = true;
    /// When the good slot cannot serve, let the traffic go to what can.
    const RESCUE: bool = true;
    /// While the good slot serves anything, the canary gets no more than its step allows.
    const CAP: bool = true;
    /// Never change the revision of a set that exists.
    const IMMUTABLE: bool = true;
    /// The second key is asked before every write.
    const PERMIT: bool = true;
    /// The second key counts what stays when the surplus goes, not what is ready now.
    const SURPLUS: bool = true;
    /// The second key takes a set of which nothing new is known for one that serves nothing.
    const KEY_FRESH: bool = true;
    /// The second key lets traffic go only to sets that nobody else lowers and that are not shrinking.
    const KEY_PINNED: bool = true;
    /// The second key lets traffic go only where it is carried, or where no less of it is served than before.
    const KEY_CAPACITY: bool = true;
    /// The second key gives no other revision to a set that exists, unless that is rewritten as a whole.
    const KEY_OCCUPIED: bool = true;
    /// The second key lets nothing go before every data plane has confirmed the route.
    const KEY_ACKED: bool = true;
    /// The second key keeps instances that may get requests.
    const KEY_ROUTED: bool = true;
    /// The second key keeps instances with open requests until they ended or their deadline passed.
    const KEY_BUSY: bool = true;
    /// The second key keeps what every split in force needs.
    const KEY_NEEDED: bool = true;
    /// The second key keeps as many ready instances as the service must have.
    const KEY_FLOOR: bool = true;
    /// The second key lets a set be rewritten only while the other one is whole.
    const KEY_WHOLE: bool = true;
}

/// Every guard is on: what runs in production.
#[derive(Clone, Copy, Debug)]
pub struct Sound;

impl Guards for Sound {}
