//! States of a disk after a power cut.
//!
//! Changes since the last sync may be missing in any combination, except that changes of one name,
//! or of one object, keep their order. A rename is complete, or a file has both names. The last
//! write of a file may be torn. The synced contents of a file are on disk if the file is.

use std::collections::{BTreeSet, HashMap};

use super::disk::{Contents, Disk, ObjectId};
use super::trace::{Effect, TouchedPart, Trace, TraceEvent};

/// Random numbers, the same in every run (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }

    fn one_of<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        (!among.is_empty()).then(|| among[self.below(among.len())])
    }
}

/// Power cut after a number of complete changes.
pub(super) struct Cut<'a> {
    events: &'a [TraceEvent],
    /// Number of events up to the last sync, and the disk after it.
    since: usize,
    base: Disk,
    dependencies: &'a [BTreeSet<usize>],
    /// Changes that may be missing, oldest first.
    pending: Vec<usize>,
}

/// One state in which a disk survives a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Survivor {
    /// For each change, true if it is on disk.
    kept: Vec<bool>,
    /// Renames that are half done.
    halves: BTreeSet<usize>,
    /// Write of which only the beginning is on disk.
    torn: Option<usize>,
}

impl<'a> Cut<'a> {
    pub(super) fn new(trace: &'a Trace, at: usize) -> Self {
        let events = &trace.events[..at];
        let sync = events
            .iter()
            .rposition(|event| matches!(event.effect, Effect::Sync));
        let is_change = |effect: &Effect| {
            !matches!(
                effect,
                Effect::Sync | Effect::SyncFile { .. } | Effect::Report
            )
        };
        let is_synced = |at: usize| {
            match events[at].effect {
            Effect::Write { object, .. } => events[at..].iter().any(
                |event| matches!(event.effect, Effect::SyncFile { object: other } if other == object),
            ),
            _ => false,
        }
        };
        let since = sync.map_or(0, |sync| sync + 1);
        let pending = (since..at)
            .filter(|&at| is_change(&events[at].effect) && !is_synced(at))
            .collect();
        let mut base = trace.base.clone();
        events[..since]
            .iter()
            .for_each(|event| event.effect.apply(&mut base));
        Self {
            events,
            since,
            base,
            dependencies: &trace.dependencies,
            pending,
        }
    }

    /// Returns the changes that may be missing, oldest first.
    pub(super) fn pending(&self) -> &[usize] {
        &self.pending
    }

    /// Returns the extremes: everything survives, nothing does, each change survives alone or is
    /// missing alone, with its dependencies; and each of these with each rename that can be half
    /// done.
    pub(super) fn extremes(&self) -> Vec<Survivor> {
        let mut survivors = vec![self.of(|_| true), self.of(|_| false)];
        for &change in &self.pending {
            survivors.push(self.of(|other| self.depends_on(change, other)));
            survivors.push(self.of(|other| !self.depends_on(other, change)));
        }
        let halves: Vec<Survivor> = survivors
            .iter()
            .flat_map(|survivor| self.halves(survivor))
            .collect();
        survivors.extend(halves);
        survivors.extend(self.torn(&self.of(|_| true)));
        survivors
    }

    /// Returns a random combination that keeps the order.
    pub(super) fn random(&self, random: &mut Random) -> Survivor {
        let likely = 1 + random.below(9);
        let drawn: BTreeSet<usize> = self
            .pending
            .iter()
            .copied()
            .filter(|_| random.below(10) < likely)
            .collect();
        let mut survivor = match random.below(2) {
            // With all dependencies, or without the changes that depend on a missing one.
            0 => self.of(|other| drawn.iter().any(|&change| self.depends_on(change, other))),
            _ => self.of(|other| {
                self.pending
                    .iter()
                    .all(|at| drawn.contains(at) || !self.depends_on(other, *at))
            }),
        };
        for half in self.can_be_half(&survivor) {
            if random.below(3) == 0 {
                survivor.halves.insert(half);
            }
        }
        if random.below(3) == 0 {
            let torn: Vec<usize> = self
                .torn(&survivor)
                .into_iter()
                .filter_map(|survivor| survivor.torn)
                .collect();
            survivor.torn = random.one_of(&torn);
        }
        survivor
    }

    /// Returns a survivor with everything that is synced, and with the chosen changes of the rest.
    fn of(&self, chosen: impl Fn(usize) -> bool) -> Survivor {
        let mut kept = vec![true; self.events.len()];
        for &at in self.pending.iter() {
            kept[at] = chosen(at);
        }
        Survivor {
            kept,
            halves: BTreeSet::new(),
            torn: None,
        }
    }

    /// Returns true if `change` is on disk only if `other` is. A change depends on itself.
    fn depends_on(&self, change: usize, other: usize) -> bool {
        change == other || self.dependencies[change].contains(&other)
    }

    fn halves(&self, survivor: &Survivor) -> Vec<Survivor> {
        let halves = self.can_be_half(survivor).into_iter();
        halves
            .map(|half| Survivor {
                halves: BTreeSet::from([half]),
                ..survivor.clone()
            })
            .collect()
    }

    /// Returns the renames of files without a later change of the same parts on disk.
    fn can_be_half(&self, survivor: &Survivor) -> Vec<usize> {
        let mut halves = Vec::new();
        let mut touched_later: BTreeSet<TouchedPart> = BTreeSet::new();
        for &at in self.pending.iter().rev().filter(|&&at| survivor.kept[at]) {
            let touches = self.events[at].effect.touches();
            if let Effect::Rename { object, .. } = self.events[at].effect
                && self.base.objects[object].contents.is_some()
                && !touches
                    .iter()
                    .any(|touched| touched_later.contains(touched))
            {
                halves.push(at);
            }
            touched_later.extend(touches);
        }
        halves
    }

    /// Returns a survivor for the last surviving write of each file, torn.
    fn torn(&self, survivor: &Survivor) -> Vec<Survivor> {
        let mut last: HashMap<ObjectId, usize> = HashMap::new();
        for &at in self.pending.iter().filter(|&&at| survivor.kept[at]) {
            if let Effect::Write { object, .. } = self.events[at].effect {
                last.insert(object, at);
            }
        }
        let mut last: Vec<usize> = last.into_values().collect();
        last.sort_unstable();
        last.into_iter()
            .map(|at| Survivor {
                torn: Some(at),
                ..survivor.clone()
            })
            .collect()
    }

    /// Returns the disk of a survivor.
    pub(super) fn disk(&self, survivor: &Survivor) -> Disk {
        let mut disk = self.base.clone();
        let kept = self
            .events
            .iter()
            .enumerate()
            .skip(self.since)
            .filter(|(at, _)| survivor.kept[*at]);
        for (at, TraceEvent { effect, .. }) in kept {
            match effect {
                Effect::Rename { to, object, .. } if survivor.halves.contains(&at) => {
                    disk.names.insert(to.clone(), *object);
                }
                Effect::Write {
                    object, contents, ..
                } if survivor.torn == Some(at) => {
                    let before = disk.objects[*object]
                        .contents
                        .as_ref()
                        .map_or(0, |before| before.bytes.len());
                    let added = contents.bytes.len().saturating_sub(before);
                    let length = contents.bytes.len() - added.div_ceil(2);
                    effect.apply(&mut disk);
                    disk.objects[*object].contents =
                        Some(Contents::new(contents.bytes[..length].to_vec()));
                }
                _ => effect.apply(&mut disk),
            }
        }
        disk
    }

    /// Returns the last change that is on disk, except for writes of one object.
    pub(super) fn last_but_of(
        &self,
        survivor: &Survivor,
        object: Option<ObjectId>,
    ) -> Option<usize> {
        let is_of = |effect: &Effect| matches!(effect, Effect::Write { object: other, .. } if Some(*other) == object);
        let mut pending = self.pending.iter().rev();
        pending
            .find(|&&at| survivor.kept[at] && !is_of(&self.events[at].effect))
            .copied()
    }

    /// Describes the survivor for messages.
    pub(super) fn describe(&self, survivor: &Survivor) -> String {
        let changes = |wanted: &dyn Fn(usize) -> bool| -> Vec<&str> {
            self.pending
                .iter()
                .filter(|&&at| wanted(at))
                .map(|&at| self.events[at].description.as_str())
                .collect()
        };
        format!(
            "power cut after {} changes; missing: {:#?}; half done: {:#?}; torn: {:?}; kept: {:#?}",
            self.events.len(),
            changes(&|at| !survivor.kept[at]),
            changes(&|at| survivor.halves.contains(&at)),
            changes(&|at| survivor.torn == Some(at)),
            changes(&|at| survivor.kept[at]),
        )
    }
}
