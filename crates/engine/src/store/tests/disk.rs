//! A disk in memory that loses what was not synced, stops at a chosen operation, fails on purpose, or is full.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, DatabaseError, StorageBackend};

use crate::store::medium::{Medium, builder};
use crate::store::{OpenError, Store};

const SECTOR: usize = 512;
const PAGE: u64 = 4096;

#[derive(Clone, Debug)]
enum Write {
    Bytes(u64, Vec<u8>),
    Length(u64),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    None,
    /// The power goes before operation n (writes, resizes and syncs count): it and all later ones reach nothing but this process's memory.
    PowerOffBefore(u64),
    /// Operation n fails, later ones work again.
    FailOnce(u64),
    /// Every write, resize and sync fails.
    FailAll,
    /// The disk has no room beyond so many bytes.
    Full(u64),
    /// The file may grow, but only so many of its pages that were never written can be: a sparse file on a full file system.
    NewPages(usize),
}

#[derive(Debug)]
struct Inner {
    /// What the process sees.
    seen: Vec<u8>,
    /// What is safely on the disk.
    durable: Vec<u8>,
    /// What was written since the last sync that counted.
    pending: Vec<Write>,
    operations: u64,
    fault: Fault,
    /// The pages that were ever written.
    written: BTreeSet<u64>,
}

/// The disk. Its clones are the same disk.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    pub(super) fn new(image: Vec<u8>) -> Self {
        let inner = Inner {
            written: (0..(image.len() as u64).div_ceil(PAGE)).collect(),
            seen: image.clone(),
            durable: image,
            pending: Vec::new(),
            operations: 0,
            fault: Fault::None,
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub(super) fn store(&self) -> Result<Store, OpenError> {
        Store::on(Box::new(self.clone()), "disk".into(), None)
    }

    /// Sets the fault and counts operations from here.
    pub(super) fn set(&self, fault: Fault) {
        let mut inner = self.inner();
        inner.fault = fault;
        inner.operations = 0;
    }

    pub(super) fn operations(&self) -> u64 {
        self.inner().operations
    }

    pub(super) fn len(&self) -> u64 {
        self.inner().seen.len() as u64
    }

    /// What is on the disk when the power goes now: everything synced, and of the rest any sectors, chosen by `seed` (0: none, 1: all).
    pub(super) fn after_power_off(&self, seed: u64) -> Vec<u8> {
        let inner = self.inner();
        let mut image = inner.durable.clone();
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut survives = || match seed {
            0 => false,
            1 => true,
            _ => {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random & 1 == 0
            }
        };
        for write in &inner.pending {
            match write {
                Write::Length(length) => {
                    if survives() {
                        image.resize(usize::try_from(*length).expect("fits"), 0);
                    }
                }
                Write::Bytes(offset, bytes) => {
                    for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                        if survives() {
                            put(&mut image, usize::try_from(*offset).expect("fits") + index * SECTOR, sector);
                        }
                    }
                }
            }
        }
        image
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if image.len() < offset + bytes.len() {
        image.resize(offset + bytes.len(), 0);
    }
    image[offset..offset + bytes.len()].copy_from_slice(bytes);
}

impl Inner {
    /// Counts an operation; says whether it reaches the disk.
    fn step(&mut self, end: u64) -> io::Result<bool> {
        let index = self.operations;
        self.operations += 1;
        match self.fault {
            Fault::PowerOffBefore(n) => Ok(index < n),
            Fault::FailOnce(n) if index == n => Err(io::Error::other("broken on purpose")),
            Fault::FailAll => Err(io::Error::other("broken on purpose")),
            Fault::Full(room) if end > room => Err(io::ErrorKind::StorageFull.into()),
            Fault::None | Fault::FailOnce(_) | Fault::Full(_) | Fault::NewPages(_) => Ok(true),
        }
    }

    /// Takes room for the pages of a write.
    fn allocate(&mut self, offset: u64, length: usize) -> io::Result<()> {
        for page in offset / PAGE..(offset + length as u64).div_ceil(PAGE) {
            let new = self.written.insert(page);
            if let Fault::NewPages(left) = &mut self.fault
                && new
            {
                if *left == 0 {
                    self.written.remove(&page);
                    return Err(io::ErrorKind::StorageFull.into());
                }
                *left -= 1;
            }
        }
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(Disk::len(self))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.inner();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = inner.seen.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.inner();
        let reaches = inner.step(len)?;
        inner.seen.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        if reaches {
            inner.pending.push(Write::Length(len));
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.step(0)? {
            inner.durable = inner.seen.clone();
            inner.pending.clear();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.inner();
        let reaches = inner.step(offset + data.len() as u64)?;
        inner.allocate(offset, data.len())?;
        put(&mut inner.seen, usize::try_from(offset).map_err(io::Error::other)?, data);
        if reaches {
            inner.pending.push(Write::Bytes(offset, data.to_vec()));
        }
        Ok(())
    }
}

impl Medium for Disk {
    fn make_if_missing(&self) -> Result<(), DatabaseError> {
        Ok(())
    }

    fn open(&self) -> Result<Database, DatabaseError> {
        builder().create_with_backend(self.clone())
    }
}
