//! Named timers: durations in the plan, deadlines in the store, "due" in the observation.
use crate::ports::Clock;
use serde::{Deserialize, Serialize};
use serin_rollout::{Plan, Status, Timer, TimerKey, Timers};

/// An armed timer. Its deadline counts on the boot clock while the machine runs on, so that moving the wall clock
/// changes nothing, and on the wall clock after a restart of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// What it was armed for; another key is another timer.
    pub key: TimerKey,
    /// Which start of the machine `boot_ms` belongs to.
    pub boot_id: String,
    /// When it is due, on the boot clock.
    pub boot_ms: u64,
    /// When it is due, on the wall clock.
    pub wall_ms: u64,
}

impl Armed {
    /// Milliseconds until it is due; 0 when it is.
    pub fn left_ms(&self, clock: &impl Clock) -> u64 {
        if self.boot_id == clock.boot_id() {
            self.boot_ms.saturating_sub(clock.boot_ms())
        } else {
            self.wall_ms.saturating_sub(clock.wall_ms())
        }
    }
}

/// The timers that `status` arms: those that ran go on, new ones begin now.
pub fn rearm(old: &[Armed], status: &Status, plan: &Plan, clock: &impl Clock) -> Vec<Armed> {
    let keys = Timer::ALL.into_iter().filter_map(|timer| status.timer(timer));
    keys.map(|key| {
        old.iter().find(|armed| armed.key == key).cloned().unwrap_or_else(|| {
            let duration = duration_ms(plan, &key);
            Armed {
                key,
                boot_id: clock.boot_id(),
                boot_ms: clock.boot_ms().saturating_add(duration),
                wall_ms: clock.wall_ms().saturating_add(duration),
            }
        })
    })
    .collect()
}

/// Which of the armed timers are due.
pub fn due(armed: &[Armed], clock: &impl Clock) -> Timers {
    let mut due = Timers::default();
    for timer in armed.iter().filter(|armed| armed.left_ms(clock) == 0) {
        match timer.key.timer {
            Timer::Bake => due.bake = true,
            Timer::Healthy => due.healthy = true,
            Timer::Progress => due.progress = true,
            Timer::Drain => due.drain = true,
            Timer::Window => due.window = true,
        }
    }
    due
}

fn duration_ms(plan: &Plan, key: &TimerKey) -> u64 {
    let times = &plan.times;
    match key.timer {
        Timer::Bake => plan.steps.get(usize::from(key.key.step)).and_then(|step| step.accept.bake_ms).unwrap_or(0),
        Timer::Healthy => times.healthy_ms,
        Timer::Progress => times.progress_ms,
        Timer::Drain => times.drain_ms,
        Timer::Window => times.window_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serin_rollout::{InStep, Phase, Preset, Rev, WeightStep};
    use std::cell::{Cell, RefCell};

    struct Hands {
        boot: Cell<u64>,
        wall: Cell<u64>,
        id: RefCell<String>,
    }

    impl Clock for Hands {
        fn boot_ms(&self) -> u64 {
            self.boot.get()
        }
        fn boot_id(&self) -> String {
            self.id.borrow().clone()
        }
        fn wall_ms(&self) -> u64 {
            self.wall.get()
        }
    }

    fn baking(attempt: u16) -> (Plan, Status) {
        let accept = serin_rollout::Accept { bake_ms: Some(5_000), ..Default::default() };
        let plan = Plan::compile(&Preset::Weights(vec![WeightStep { weight: 500, accept }]), 1, 0, false).unwrap();
        let mut status = Status::first(Rev(1));
        status.phase = Phase::Step(InStep { reached: true, ..InStep::begin(0, attempt) });
        status.armed.bake = true;
        (plan, status)
    }

    fn hands() -> Hands {
        Hands { boot: Cell::new(1_000), wall: Cell::new(50_000), id: RefCell::new("first".into()) }
    }

    #[test]
    fn a_timer_keeps_its_deadline_until_its_key_changes() {
        let clock = hands();
        let (plan, status) = baking(0);
        let armed = rearm(&[], &status, &plan, &clock);
        clock.boot.set(3_000);
        assert_eq!(rearm(&armed, &status, &plan, &clock), armed);
        assert!(!due(&armed, &clock).bake);
        clock.boot.set(6_000);
        assert!(due(&armed, &clock).bake);
        let again = rearm(&armed, &baking(1).1, &plan, &clock);
        assert_eq!(again[0].left_ms(&clock), 5_000, "another attempt starts it anew");
    }

    #[test]
    fn moving_the_wall_clock_changes_nothing() {
        let clock = hands();
        let (plan, status) = baking(0);
        let armed = rearm(&[], &status, &plan, &clock);
        for wall in [0, 50_000_000] {
            clock.wall.set(wall);
            assert_eq!(armed[0].left_ms(&clock), 5_000);
        }
    }

    #[test]
    fn after_a_restart_of_the_machine_the_wall_clock_counts() {
        let clock = hands();
        let (plan, status) = baking(0);
        let armed = rearm(&[], &status, &plan, &clock);
        *clock.id.borrow_mut() = "second".into();
        clock.boot.set(0);
        clock.wall.set(54_000);
        assert_eq!(armed[0].left_ms(&clock), 1_000);
    }

    #[test]
    fn a_status_without_timers_has_none() {
        let clock = hands();
        let (plan, status) = baking(0);
        let armed = rearm(&[], &status, &plan, &clock);
        assert!(rearm(&armed, &Status::first(Rev(1)), &plan, &clock).is_empty());
    }
}
