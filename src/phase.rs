//! Phases of long work, as a display shows them. The work adds to a number and sets a name; it never waits
//! for the display, and a phase that is not shown costs an atomic addition for each chunk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Size in bytes of the smallest file that is named: the smaller ones would hide the large ones, which
/// other threads work on.
const SEEN_FROM: u64 = 65_536;

/// Unit in which a phase counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseUnit {
    Bytes,
    /// Items, with their noun in the plural.
    Items(&'static str),
}

/// Part of a command that may take long. It is over when it is dropped.
#[derive(Debug)]
pub struct Phase {
    /// Name, such as `staging`.
    pub name: String,
    pub unit: PhaseUnit,
    /// Work that follows once everything is counted, such as `syncing`.
    pub then: &'static str,
    total: AtomicU64,
    done: AtomicU64,
    current: Mutex<String>,
}

impl Phase {
    /// Creates a phase of so many bytes.
    pub fn bytes(name: &str, total: u64, then: &'static str) -> Self {
        Self::new(name, PhaseUnit::Bytes, total, then)
    }

    /// Creates a phase of so many items.
    pub fn items(name: &str, noun: &'static str, total: u64, then: &'static str) -> Self {
        Self::new(name, PhaseUnit::Items(noun), total, then)
    }

    /// Creates a phase of which only the name and the time are known.
    pub fn unmeasured(name: &str) -> Self {
        Self::bytes(name, 0, "")
    }

    /// Creates a phase for work that is not shown.
    pub fn hidden() -> Self {
        Self::unmeasured("")
    }

    fn new(name: &str, unit: PhaseUnit, total: u64, then: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            unit,
            then,
            total: total.into(),
            done: AtomicU64::new(0),
            current: Mutex::default(),
        }
    }

    /// Adds to the total, when a part of it becomes known.
    pub fn expect(&self, more: u64) {
        self.total.fetch_add(more, Ordering::Relaxed);
    }

    /// Adds to what is done.
    pub fn advance(&self, by: u64) {
        self.done.fetch_add(by, Ordering::Relaxed);
    }

    /// Sets the name of what is worked on.
    pub fn at(&self, current: &str) {
        current.clone_into(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Sets the name of a file as what is worked on, unless it is too small to be seen.
    pub fn at_file(&self, name: &str, size: u64) {
        if size >= SEEN_FROM {
            self.at(name);
        }
    }

    /// Returns the total; 0 if it is unknown.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Returns how much is done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Returns the name of what is worked on; empty if it has none.
    pub fn current(&self) -> String {
        let current = self.current.lock();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
