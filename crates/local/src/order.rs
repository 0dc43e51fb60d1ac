//! What each slot was told to have: a file that is replaced as a whole, and that a controller with a lower epoch cannot
//! replace any more.
use crate::layout::Layout;
use crate::member::{is_stopping, read_badge};
use serde::{Deserialize, Serialize};
use serin_engine::PortError;
use serin_rollout::{Pair, Rev, Slot};
use serin_supervisor::{Found, scan};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// The order for one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// The revision that its instances run; `None` where there never was one.
    pub rev: Option<Rev>,
    /// Its full hash.
    pub hash: String,
    /// Everything that it runs, so that an instance can be replaced without asking anybody.
    pub content: serde_json::Value,
    /// How many instances there are to be.
    pub desired: u16,
    /// Whether nobody else may lower the number.
    pub pinned: bool,
}

/// The orders for both slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    epoch: u64,
    slots: Pair<Order>,
}

/// The file with the orders.
#[derive(Debug)]
pub(crate) struct Orders {
    path: PathBuf,
    content: Content,
    taken_up: bool,
}

impl Orders {
    /// Reads them. Where there is no file, the slots have what runs: a file that is lost is no order to stop anything.
    pub fn open(layout: &Layout) -> Result<Orders, String> {
        let path = layout.orders();
        let (content, taken_up) = match std::fs::read(&path) {
            Ok(text) => {
                let read = serde_json::from_slice(&text).map_err(|error| {
                    format!(
                        "{} cannot be understood: {error}; move that file away, then what runs is taken up as it is",
                        path.display()
                    )
                })?;
                (read, false)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let living = of_living(layout)?;
                let some = living.slots.iter().any(|order| order.desired > 0);
                (living, some)
            }
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        };
        Ok(Orders { path, content, taken_up })
    }

    /// Whether the file was gone, and what runs was taken for what the slots were told.
    pub fn is_taken_up(&self) -> bool {
        self.taken_up
    }

    pub fn of(&self, slot: Slot) -> &Order {
        &self.content.slots[slot]
    }

    /// Fences lower epochs.
    pub fn claim(&mut self, epoch: u64) -> Result<(), PortError> {
        if epoch < self.content.epoch {
            let held = self.content.epoch;
            return Err(PortError::Conflict(format!("a controller with epoch {held} has claimed the instances")));
        }
        if epoch == self.content.epoch {
            return Ok(());
        }
        let slots = self.content.slots.clone();
        self.replace(Content { epoch, slots })
    }

    /// Replaces the order for one slot, durably.
    pub fn put(&mut self, slot: Slot, order: Order) -> Result<(), PortError> {
        if self.content.slots[slot] == order {
            return Ok(());
        }
        let mut content = self.content.clone();
        content.slots[slot] = order;
        self.replace(content)
    }

    fn replace(&mut self, content: Content) -> Result<(), PortError> {
        let failed =
            |error: std::io::Error| PortError::Failed(format!("{} cannot be written: {error}", self.path.display()));
        let text = serde_json::to_vec_pretty(&content).map_err(|error| failed(error.into()))?;
        let new = self.path.with_extension("json.new");
        // Only its owner may read it: a revision's variables may be secrets.
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&new).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&new, &self.path).map_err(failed)?;
        if let Some(dir) = self.path.parent() {
            std::fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        self.content = content;
        Ok(())
    }
}

/// The revisions, by id and hash, that the slots were told to have instances of.
///
/// # Errors
/// A sentence that says which file cannot be read, and what to do.
pub fn ordered(layout: &Layout) -> Result<Vec<(Rev, String)>, String> {
    let orders = Orders::open(layout)?.content.slots;
    let wanted = orders.into_iter().filter(|order| order.desired > 0);
    Ok(wanted.filter_map(|order| Some((order.rev?, order.hash))).collect())
}

/// The orders that the living instances were started by. Of several revisions in one slot the youngest one's.
fn of_living(layout: &Layout) -> Result<Content, String> {
    let mut badges = Vec::new();
    for found in scan(&layout.instances()).map_err(|error| error.to_string())? {
        match &found {
            Found::Alive(instance) if !is_stopping(instance.dir()) => badges.push(read_badge(instance.dir())?),
            Found::Alive(_) | Found::Dead { .. } | Found::NeverStarted(_) | Found::HalfCreated(_) => {}
            Found::Unreadable { why, .. } => return Err(why.clone()),
        }
    }
    badges.sort_by_key(|badge| badge.turn);
    let mut content = Content::default();
    for badge in badges {
        let order = &mut content.slots[badge.slot];
        let desired = order.desired + 1;
        *order = Order { rev: Some(badge.rev), hash: badge.hash, content: badge.content, desired, pinned: true };
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(desired: u16) -> Order {
        Order { rev: Some(Rev(1)), desired, ..Order::default() }
    }

    #[test]
    fn an_order_outlives_who_wrote_it() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path());
        let mut orders = Orders::open(&layout).unwrap();
        orders.claim(3).unwrap();
        orders.put(1, order(2)).unwrap();
        assert_eq!(Orders::open(&layout).unwrap().of(1), &order(2));
        assert_eq!(Orders::open(&layout).unwrap().of(0), &Order::default());
    }

    #[test]
    fn a_lower_epoch_is_fenced() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path());
        let mut orders = Orders::open(&layout).unwrap();
        orders.claim(3).unwrap();
        orders.claim(3).unwrap();
        assert!(matches!(orders.claim(2), Err(PortError::Conflict(_))));
    }

    #[test]
    fn a_file_that_is_no_order_is_never_taken_for_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path());
        std::fs::write(layout.orders(), "{").unwrap();
        assert!(Orders::open(&layout).unwrap_err().contains("cannot be understood"));
    }
}
