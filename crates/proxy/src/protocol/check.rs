//! What a table must be, by itself.
use super::{Settings, Split, Table, WHOLE};
use std::collections::HashSet;

/// What is wrong with a table, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Table {
    /// Finds what contradicts itself.
    ///
    /// # Errors
    /// The first contradiction found.
    pub fn check(&self) -> Result<(), Invalid> {
        self.check_split("split", self.split)?;
        if let Some(fallback) = self.fallback {
            self.check_split("fallback", fallback)?;
        }
        if self.lease_ms == Some(0) {
            return Err(Invalid("lease_ms is 0: leave it out for no lease, or write some milliseconds".into()));
        }
        let (mut ids, mut addresses) = (HashSet::new(), HashSet::new());
        for (slot, endpoint) in self.slots.iter().enumerate().flat_map(|(n, s)| s.endpoints.iter().map(move |e| (n, e)))
        {
            if endpoint.id.is_empty() || endpoint.id.len() > 256 {
                return Err(Invalid(format!("slot {slot} has an endpoint whose id is not 1 to 256 bytes long")));
            }
            if !ids.insert(&endpoint.id) {
                return Err(Invalid(format!("slot {slot}: the id {} is there twice; ids are unique", endpoint.id)));
            }
            if !addresses.insert(endpoint.address) {
                let (id, address) = (&endpoint.id, endpoint.address);
                return Err(Invalid(format!("slot {slot}: {id} has the address {address} of another endpoint")));
            }
            if endpoint.address.port() == 0 {
                return Err(Invalid(format!("slot {slot}: the address of {} has port 0", endpoint.id)));
            }
        }
        self.settings.check()
    }

    fn check_split(&self, name: &str, split: Split) -> Result<(), Invalid> {
        match split {
            Split::Weighted([a, b]) if u64::from(a) + u64::from(b) == u64::from(WHOLE) => Ok(()),
            Split::Weighted([a, b]) => Err(Invalid(format!(
                "{name}: weights {a} and {b} sum to {}, not to 10000",
                u64::from(a) + u64::from(b)
            ))),
            Split::Members(members) => {
                for (slot, asked) in members.into_iter().enumerate() {
                    let there = self.slots[slot].endpoints.len();
                    if asked > there {
                        return Err(Invalid(format!(
                            "{name}: {asked} members of slot {slot}, which has {there} endpoints"
                        )));
                    }
                }
                Ok(())
            }
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), Invalid> {
        let t = &self.timeouts;
        let times = [
            ("timeouts.idle_ms", t.idle_ms),
            ("timeouts.head_ms", t.head_ms),
            ("timeouts.connect_ms", t.connect_ms),
            ("timeouts.response_ms", t.response_ms),
            ("timeouts.body_ms", t.body_ms),
            ("timeouts.linger_ms", t.linger_ms),
            ("timeouts.tunnel_ms", t.tunnel_ms),
            ("eject.back_off_ms", self.eject.back_off_ms),
            ("pool.idle_ms", self.pool.idle_ms),
        ];
        const WEEK: u64 = 7 * 24 * 3_600_000;
        for (name, ms) in times {
            if ms == 0 || ms > WEEK {
                return Err(Invalid(format!("settings.{name} is {ms}: write 1 to {WEEK} (a week)")));
            }
        }
        if self.drain_ms > WEEK {
            return Err(Invalid(format!("settings.drain_ms is {}: write at most {WEEK} (a week)", self.drain_ms)));
        }
        if self.hold.ms > 10_000 {
            return Err(Invalid(format!("settings.hold.ms is {}: requests are held for at most 10000", self.hold.ms)));
        }
        if self.eject.failures == 0 {
            return Err(Invalid("settings.eject.failures is 0: write at least 1".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, SlotTable, Track};
    use super::*;

    fn table() -> Table {
        let endpoint = |n: u16| Endpoint { id: format!("i{n}"), address: ([127, 0, 0, 1], n).into(), ready: true };
        Table {
            epoch: 1,
            version: 1,
            generation: 1,
            split: Split::Weighted([9_000, 1_000]),
            fallback: Some(Split::Weighted([10_000, 0])),
            lease_ms: Some(1000),
            slots: [
                SlotTable { track: Track::Stable, endpoints: vec![endpoint(1), endpoint(2)] },
                SlotTable { track: Track::Canary, endpoints: vec![endpoint(3)] },
            ],
            settings: Settings::default(),
        }
    }

    #[test]
    fn a_table_is_refused_for_each_contradiction() {
        assert_eq!(table().check(), Ok(()));
        type Change = fn(&mut Table);
        let wrong: [(&str, Change); 10] = [
            ("sum to 9999", |t| t.split = Split::Weighted([9_000, 999])),
            ("fallback: weights", |t| t.fallback = Some(Split::Weighted([u32::MAX, u32::MAX]))),
            ("2 members of slot 1", |t| t.split = Split::Members([0, 2])),
            ("twice", |t| t.slots[1].endpoints[0].id = "i1".into()),
            ("of another endpoint", |t| t.slots[1].endpoints[0].address.set_port(1)),
            ("port 0", |t| t.slots[1].endpoints[0].address.set_port(0)),
            ("1 to 256", |t| t.slots[0].endpoints[0].id.clear()),
            ("lease_ms is 0", |t| t.lease_ms = Some(0)),
            ("hold.ms", |t| t.settings.hold.ms = 10_001),
            ("head_ms is 0", |t| t.settings.timeouts.head_ms = 0),
        ];
        for (says, change) in wrong {
            let mut table = table();
            change(&mut table);
            let error = table.check().expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
        let mut holds = table();
        holds.split = Split::Members([0, 0]);
        assert_eq!(holds.check(), Ok(()));
    }

    #[test]
    fn the_json_is_what_the_protocol_says() {
        let text = r#"{"epoch":1,"version":1,"generation":2,"split":{"members":[1,0]},"slots":[{"track":"canary",
            "endpoints":[{"id":"a","address":"127.0.0.1:80","ready":false}]},{"track":"stable","endpoints":[]}]}"#;
        let table: Table = serde_json::from_str(text).expect("a table");
        assert_eq!((table.split, table.fallback, table.settings), (Split::Members([1, 0]), None, Settings::default()));
        assert_eq!(serde_json::from_str::<Table>(&serde_json::to_string(&table).expect("text")).expect("again"), table);
        let typo = text.replace("\"generation\"", "\"genration\"");
        assert!(serde_json::from_str::<Table>(&typo).expect_err("a typo").to_string().contains("genration"));
    }
}
