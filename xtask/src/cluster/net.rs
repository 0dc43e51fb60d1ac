//! A cluster's addresses. Each cluster has a /16 of its own, which its node's network namespace is the only way to; the
//! pair of interfaces that leads there is gone with the node, and so is every route and every rule.

use super::place::Place;
use crate::process::ask;
use crate::run::{Stop, fail};
use std::net::Ipv4Addr;
use std::process::Command;

/// The second bytes of the addresses that clusters may have.
const NUMBERS: std::ops::RangeInclusive<u8> = 200..=215;

/// The addresses of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    /// The second byte of all of them.
    pub number: u8,
}

impl Net {
    /// This machine's end of the link.
    pub fn host(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, 255, 1)
    }

    /// The node: API server, DNS, gateway and Prometheus listen here.
    pub fn node(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, 255, 2)
    }

    /// The bridge of the pods.
    pub fn bridge(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, 0, 1)
    }

    /// The range of the pods.
    pub fn pods(self) -> String {
        format!("10.{}.0.0/17", self.number)
    }

    /// The range of the Services.
    pub fn services(self) -> String {
        format!("10.{}.128.0/18", self.number)
    }

    /// The Service of the API server, which is always the first.
    pub fn first_service(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, 128, 1)
    }

    /// The interface on this machine.
    pub fn link(self) -> String {
        format!("serin{}", self.number)
    }

    /// Links a node to this machine, by the first addresses that nobody has. Whoever makes the interface has them.
    ///
    /// # Errors
    /// When all are taken, or a command fails.
    pub fn link_to(place: &Place, first: u32) -> Result<Net, Stop> {
        for net in NUMBERS.map(|number| Net { number }) {
            if !ip(&format!("-4 route show root 10.{}.0.0/16", net.number))?.trim().is_empty() {
                continue;
            }
            let pair = format!("link add {} type veth peer name machine netns {first}", net.link());
            match ip(&pair) {
                Ok(_) => {
                    net.set_up(place, first)?;
                    return Ok(net);
                }
                Err(e) if e.to_string().contains("File exists") => {}
                Err(e) => return Err(Stop::from(e)),
            }
        }
        fail(format!(
            "every network from 10.{}.0.0/16 to 10.{}.0.0/16 is in use: `ip route` shows by whom, and \
             `cargo xtask cluster down DIR` ends a cluster",
            NUMBERS.start(),
            NUMBERS.end()
        ))
    }

    fn set_up(self, place: &Place, first: u32) -> Result<(), Stop> {
        let (link, host, node) = (self.link(), self.host(), self.node());
        // A person who finds the interface learns from its alias whose it is.
        let alias: String = place.directory().to_string_lossy().chars().take(200).collect();
        ask(Command::new("ip").args(["link", "set", &link, "alias", &alias]))?;
        ip(&format!("addr add {host}/30 dev {link}"))?;
        ip(&format!("link set {link} up"))?;
        for range in [self.pods(), self.services()] {
            ip(&format!("route add {range} via {node} dev {link}"))?;
        }
        let inside = |words: &str| {
            let mut command = Command::new("nsenter");
            command.args(["--net", "--target", &first.to_string(), "--", "ip"]).args(words.split(' '));
            ask(&mut command)
        };
        inside(&format!("addr add {node}/30 dev machine"))?;
        inside("link set machine up")?;
        inside("link add pods type bridge")?;
        inside(&format!("addr add {}/17 dev pods", self.bridge()))?;
        inside("link set pods up")?;
        // A service address that kube-proxy does not know yet leads nowhere, and not back to this machine.
        inside(&format!("route add {} dev pods", self.services()))?;
        Ok(())
    }

    /// The interfaces of this directory's clusters that are there.
    pub fn links_of(place: &Place) -> Vec<String> {
        let directory = place.directory().to_string_lossy().chars().take(200).collect::<String>();
        let there = NUMBERS.map(|number| Net { number }.link()).filter(|link| {
            let alias = std::fs::read_to_string(format!("/sys/class/net/{link}/ifalias"));
            alias.is_ok_and(|alias| alias.trim_end_matches('\n') == directory)
        });
        there.collect()
    }
}

fn ip(words: &str) -> std::io::Result<String> {
    ask(Command::new("ip").args(words.split(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_of_a_cluster_do_not_meet() {
        let net = Net { number: 207 };
        let range = |text: &str| -> (u32, u32) {
            let (base, bits) = text.split_once('/').expect("a range");
            let base: Ipv4Addr = base.parse().expect("an address");
            let size = 1u32 << (32 - bits.parse::<u32>().expect("bits"));
            (base.to_bits(), base.to_bits() + (size - 1))
        };
        let (pods, services) = (range(&net.pods()), range(&net.services()));
        let link = range("10.207.255.0/30");
        assert!(pods.1 < services.0 && services.1 < link.0);
        assert!((pods.0..=pods.1).contains(&net.bridge().to_bits()));
        assert_eq!(net.first_service().to_bits(), services.0 + 1);
        for end in [net.host(), net.node()] {
            assert!((link.0..=link.1).contains(&end.to_bits()));
        }
        assert!(net.link().len() <= 15, "the kernel's limit for the name of an interface");
    }
}
