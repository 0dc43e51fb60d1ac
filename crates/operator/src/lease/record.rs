//! What stands in a Lease object.

use serde_json::{Value, json};

/// So many bits of an epoch count the holders of one Lease object; the seconds at which it was made stand above them.
const BITS: u32 = 20;

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Record {
    /// Who holds it; empty for nobody.
    pub holder: String,
    /// How often it got another holder. 0: nobody ever held it.
    pub transitions: u64,
    /// When the holder says it renewed it last; only ever compared with itself.
    pub renewed: String,
    /// How long the holder wants it to be respected, in seconds.
    pub duration_secs: u64,
    /// The object's identity.
    pub uid: String,
    /// The object's resource version.
    pub version: String,
    /// When the API server made the object, in seconds since the Unix epoch, by its own clock.
    pub created_secs: u64,
}

/// The epoch of the holder after `transitions` changes of holder of the Lease that was made at `created_secs`.
///
/// Within one object `leaseTransitions` grows by one for each new holder, also after a release. When the object is deleted
/// and made again it begins at 0, so the time at which the API server made the object stands above it. Two objects that
/// both had a holder were made at least one lease duration apart ([`super`] says why), which is longer than the second
/// that this time is rounded to. What remains is an API server whose clock is put back by longer than that *and* a Lease
/// that is deleted meanwhile.
///
/// `None` after a million changes: the number would not be greater any more. Below 2^53 until the year 2242, so that it
/// survives programs that know no integers.
pub fn epoch(created_secs: u64, transitions: u64) -> Option<u64> {
    (transitions < 1 << BITS && created_secs < 1 << 33).then_some((created_secs << BITS) | transitions)
}

impl Record {
    /// Reads a Lease object.
    ///
    /// # Errors
    /// What it lacks.
    pub(crate) fn read(lease: &Value) -> Result<Record, String> {
        let text = |pointer: &str| lease.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |pointer: &str| lease.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        let created = text("/metadata/creationTimestamp");
        let created: jiff::Timestamp =
            created.parse().map_err(|_| format!("the Lease has no creationTimestamp that is a time: {created:?}"))?;
        let (uid, version) = (text("/metadata/uid"), text("/metadata/resourceVersion"));
        if uid.is_empty() || version.is_empty() {
            return Err("the Lease has no uid or no resourceVersion".to_owned());
        }
        Ok(Record {
            holder: text("/spec/holderIdentity"),
            transitions: number("/spec/leaseTransitions"),
            renewed: text("/spec/renewTime"),
            duration_secs: number("/spec/leaseDurationSeconds"),
            uid,
            version,
            created_secs: u64::try_from(created.as_second()).unwrap_or_default(),
        })
    }

    /// Whether somebody did something with it in between: what counts as a sign of life.
    pub(crate) fn same_life(&self, other: &Record) -> bool {
        let life = |r: &Record| (r.uid.clone(), r.holder.clone(), r.transitions, r.renewed.clone());
        life(self) == life(other)
    }
}

/// A Lease that nobody holds and nobody ever held.
pub(crate) fn newborn(namespace: &str, name: &str, duration_secs: u64) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"holderIdentity": "", "leaseTransitions": 0, "leaseDurationSeconds": duration_secs},
    })
}

/// What a holder changes, on the version that it read. A merge patch keeps what others wrote into the object.
pub(crate) fn change(seen: &Record, holder: &str, transitions: u64, duration_secs: u64) -> Value {
    let now = format!("{:.6}", jiff::Timestamp::now());
    let mut spec = json!({
        "holderIdentity": holder,
        "leaseTransitions": transitions,
        "leaseDurationSeconds": duration_secs,
        "renewTime": now,
    });
    if transitions != seen.transitions {
        spec["acquireTime"] = Value::String(now);
    }
    json!({"metadata": {"resourceVersion": seen.version}, "spec": spec})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Value {
        json!({
            "metadata": {"uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"holderIdentity": "a", "leaseTransitions": 3, "leaseDurationSeconds": 15,
                     "renewTime": "2026-01-01T00:00:01.000001Z"},
        })
    }

    #[test]
    fn a_lease_is_read() {
        let record = Record::read(&lease()).expect("a lease");
        assert_eq!((record.holder.as_str(), record.transitions, record.duration_secs), ("a", 3, 15));
        assert_eq!(record.created_secs, 1_767_225_600);
        let mut bare = lease();
        bare["spec"] = json!({});
        assert_eq!(Record::read(&bare).expect("a lease").holder, "");
        bare["metadata"]["creationTimestamp"] = json!("yesterday");
        assert!(Record::read(&bare).is_err());
    }

    #[test]
    fn an_epoch_is_greater_after_every_change_and_after_a_new_object() {
        let at = |created, transitions| epoch(created, transitions).expect("in range");
        assert!(at(100, 2) > at(100, 1));
        assert!(at(101, 1) > at(100, (1 << BITS) - 1));
        assert_eq!(epoch(100, 1 << BITS), None);
        assert!(at(8_000_000_000, 5) < 1 << 53);
    }

    #[test]
    fn a_label_is_no_sign_of_life() {
        let before = Record::read(&lease()).expect("a lease");
        let labelled = Record { version: "8".into(), ..before.clone() };
        assert!(before.same_life(&labelled));
        assert!(!before.same_life(&Record { renewed: "later".into(), ..before.clone() }));
        assert!(!before.same_life(&Record { uid: "v".into(), ..before.clone() }));
    }

    #[test]
    fn a_renewal_keeps_the_time_of_taking() {
        let seen = Record::read(&lease()).expect("a lease");
        assert_eq!(change(&seen, "a", 3, 15)["spec"].get("acquireTime"), None);
        let taken = change(&seen, "b", 4, 15);
        assert_eq!(taken["spec"]["acquireTime"], taken["spec"]["renewTime"]);
        assert_eq!(taken["metadata"]["resourceVersion"], "7");
        let time = taken["spec"]["renewTime"].as_str().expect("a text");
        assert_eq!(time.len(), "2026-01-01T00:00:01.000001Z".len(), "{time}: the API wants microseconds");
    }
}
