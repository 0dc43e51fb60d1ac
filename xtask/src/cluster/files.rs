//! What only configures lies in `e2e/kubernetes/`, with words in braces where a cluster's addresses belong.

use super::net::Net;
use super::place::Place;
use crate::parts::golang::hash;
use crate::run::{Stop, fail};
use std::path::Path;

/// The files of `e2e/kubernetes/`, and where each goes in a cluster's directory.
const FILES: [(&str, &str); 9] = [
    ("containerd.toml", "conf/containerd.toml"),
    ("pods.conflist", "conf/cni/10-pods.conflist"),
    ("kubelet.yaml", "conf/kubelet.yaml"),
    ("audit.yaml", "conf/audit.yaml"),
    ("Corefile", "conf/Corefile"),
    ("prometheus.yaml", "conf/prometheus.yaml"),
    ("contour.yaml", "conf/contour.yaml"),
    ("gateway.yaml", "conf/gateway.yaml"),
    ("node.sh", "conf/node.sh"),
];

/// The cgroup below which all pods of the cluster in this directory are.
pub fn cgroup(place: &Place) -> String {
    format!("serin-{:016x}", hash(place.directory().as_os_str().as_encoded_bytes()))
}

/// Writes each file with the addresses of this cluster.
///
/// # Errors
/// When one cannot be read or written, or has a word in braces that nothing is known of.
pub fn write(place: &Place, source: &Path, net: Net) -> Result<(), Stop> {
    for (from, to) in FILES {
        let text = std::fs::read_to_string(source.join(from))?;
        std::fs::write(place.directory().join(to), filled(from, &text, place, net)?)?;
    }
    Ok(())
}

fn filled(name: &str, text: &str, place: &Place, net: Net) -> Result<String, Stop> {
    let words = [("{NODE}", net.node().to_string()), ("{PODS}", net.pods()), ("{CGROUP}", cgroup(place))];
    let text = words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value));
    let is_word = |rest: &str| {
        let end = rest.find('}').unwrap_or_default();
        end > 0 && rest[..end].chars().all(|c| c.is_ascii_uppercase())
    };
    match text.split('{').skip(1).find(|rest| is_word(rest)) {
        Some(rest) => fail(format!("{name}: nothing is known of {{{}", rest.split_inclusive('}').next().unwrap_or(""))),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_in_braces_is_known() {
        let (place, net) = (Place::new(Path::new("/x")).expect("a name"), Net { number: 200 });
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/kubernetes");
        for (from, _) in FILES {
            let text = std::fs::read_to_string(source.join(from)).expect("it is there");
            let full = filled(from, &text, &place, net).unwrap_or_else(|stop| panic!("{}", stop.why()));
            assert!(!full.contains("{NODE}") && !full.contains("{PODS}") && !full.contains("{CGROUP}"), "{from}");
        }
        assert_eq!(filled("a", "x {NODE} {a: b} {}", &place, net), Ok("x 10.200.255.2 {a: b} {}".to_owned()));
        assert!(filled("a", "x {NOBODY}", &place, net).is_err());
    }
}
