//! Who runs, out of `/proc`: nodes are found by their command line, so that no process id has to be kept, and none that
//! was given to a stranger meanwhile is hit.

use super::place::Place;

/// The word in the command line of a node's first process (and of the one that made its namespaces), before its
/// cluster's directory.
pub const NODE: &str = "serin-node";

/// A process that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: u32,
    /// Its parent's.
    pub parent: u32,
    /// Its command line.
    pub words: Vec<String>,
}

/// All processes.
pub fn all() -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| seen(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn seen(id: u32) -> Option<Seen> {
    let line = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    // proc(5): the state comes after the name, and then the parent. A dead process that nobody collected is gone.
    let (state, parent) = (rest.next()?, rest.next()?.parse().ok()?);
    (!matches!(state, "Z" | "X")).then(|| Seen { id, parent, words: words.filter(|word| !word.is_empty()).collect() })
}

/// The processes that hold the node of this cluster: the first one in it, and the one that made its namespaces.
pub fn holders(place: &Place) -> Vec<Seen> {
    let directory = place.directory().to_string_lossy().into_owned();
    all().into_iter().filter(|process| process.words.ends_with(&[NODE.to_owned(), directory.clone()])).collect()
}

/// The first process of this cluster's node.
pub fn first(place: &Place) -> Option<u32> {
    holders(place).into_iter().find(|process| process.words.len() == 3).map(|process| process.id)
}

/// The process namespace of a process, for comparison.
pub fn namespace(id: u32) -> Option<String> {
    let link = std::fs::read_link(format!("/proc/{id}/ns/pid")).ok()?;
    Some(link.to_string_lossy().into_owned())
}

/// The processes of the cluster in this directory that are seen without its node: those that hold the node, and those
/// whose program lies in the directory.
pub fn of(place: &Place) -> Vec<Seen> {
    let directory = place.directory();
    let name = directory.to_string_lossy().into_owned();
    let runs = |id: u32| std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe.starts_with(directory));
    let belongs = |process: &Seen| process.words.ends_with(&[NODE.to_owned(), name.clone()]) || runs(process.id);
    all().into_iter().filter(belongs).collect()
}

/// The processes in this process namespace, and those outside that brought one in.
pub fn inside(namespace: &str, first: u32) -> Vec<Seen> {
    let target = ["--target".to_owned(), first.to_string()];
    let brings = |p: &Seen| p.words.first().is_some_and(|w| w == "nsenter") && p.words.get(1..3) == Some(&target);
    let is_in = |p: &Seen| self::namespace(p.id).as_deref() == Some(namespace);
    all().into_iter().filter(|process| is_in(process) || brings(process)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn a_node_is_known_by_its_last_two_words() {
        let place = Place::new(Path::new("/nowhere/a cluster")).expect("a name");
        let mut child = Command::new("sh")
            .args(["-c", "read line", NODE, "/nowhere/a cluster"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("it starts");
        let found = loop {
            // Between fork and exec it is still this program.
            match holders(&place) {
                found if found.is_empty() => std::thread::yield_now(),
                found => break found,
            }
        };
        assert_eq!((found.len(), found[0].id, found[0].parent), (1, child.id(), std::process::id()));
        assert_eq!(first(&place), None, "only a program with exactly these words is a node's first process");
        assert_eq!(holders(&Place::new(Path::new("/nowhere/a")).expect("a name")), []);
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        assert_eq!(holders(&place), []);
    }
}
