//! What a disk may hold after the power was cut.
//!
//! What was done since the last sync may be missing in any combination, except that changes of
//! one name, or of one object, keep their order. A rename is whole, or a file stands under both
//! names. The last write of a file may be torn. What was synced of a file is there, if the file is.

use std::collections::{BTreeSet, HashMap};

use super::disk::{Contents, Disk, Id};
use super::trace::{Effect, Event, Touched, Trace};

/// Random numbers that are the same every time (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
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

/// The power is cut when this many changes are complete.
pub(super) struct Cut<'a> {
    events: &'a [Event],
    /// How many of them the last sync brought to disk, and the disk then.
    since: usize,
    base: Disk,
    followed: &'a [BTreeSet<usize>],
    /// What may be missing, oldest first.
    pending: Vec<usize>,
}

/// One way in which a disk survives a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Survivor {
    /// For each change, whether it is on disk.
    kept: Vec<bool>,
    /// Renames that are half done.
    halves: BTreeSet<usize>,
    /// A write of which only the beginning is there.
    torn: Option<usize>,
}

impl<'a> Cut<'a> {
    pub(super) fn new(trace: &'a Trace, at: usize) -> Self {
        let events = &trace.events[..at];
        let sync = events
            .iter()
            .rposition(|event| matches!(event.effect, Effect::Sync));
        let changes = |effect: &Effect| {
            !matches!(
                effect,
                Effect::Sync | Effect::SyncFile { .. } | Effect::Told
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
            .filter(|&at| changes(&events[at].effect) && !is_synced(at))
            .collect();
        let mut base = trace.base.clone();
        events[..since]
            .iter()
            .for_each(|event| event.effect.apply(&mut base));
        Self {
            events,
            since,
            base,
            followed: &trace.followed,
            pending,
        }
    }

    /// What may be missing, oldest first.
    pub(super) fn pending(&self) -> &[usize] {
        &self.pending
    }

    /// The extremes: everything survives, nothing, only the last change; each change missing alone,
    /// and each there alone, with what must go with it. And of these, every rename that can be half
    /// done.
    pub(super) fn extremes(&self) -> Vec<Survivor> {
        let mut survivors = vec![self.of(|_| true), self.of(|_| false)];
        for &change in &self.pending {
            survivors.push(self.of(|other| self.follows(change, other)));
            survivors.push(self.of(|other| !self.follows(other, change)));
        }
        let halves: Vec<Survivor> = survivors
            .iter()
            .flat_map(|survivor| self.halves(survivor))
            .collect();
        survivors.extend(halves);
        survivors.extend(self.torn(&self.of(|_| true)));
        survivors
    }

    /// A random combination that keeps the order.
    pub(super) fn random(&self, random: &mut Random) -> Survivor {
        let likely = 1 + random.below(9);
        let drawn: BTreeSet<usize> = self
            .pending
            .iter()
            .copied()
            .filter(|_| random.below(10) < likely)
            .collect();
        let mut survivor = match random.below(2) {
            // With what they must follow, or without those that must follow what is missing.
            0 => self.of(|other| drawn.iter().any(|&change| self.follows(change, other))),
            _ => self.of(|other| {
                self.pending
                    .iter()
                    .all(|at| drawn.contains(at) || !self.follows(other, *at))
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

    /// Everything that was brought to disk, and of the rest what is chosen.
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

    /// Whether `change` can only be there where `other` is, itself included.
    fn follows(&self, change: usize, other: usize) -> bool {
        change == other || self.followed[change].contains(&other)
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

    /// Renames of files behind which nothing that touches the same is on disk.
    fn can_be_half(&self, survivor: &Survivor) -> Vec<usize> {
        let mut halves = Vec::new();
        let mut touched_later: BTreeSet<Touched> = BTreeSet::new();
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

    /// The last surviving write of each file, torn.
    fn torn(&self, survivor: &Survivor) -> Vec<Survivor> {
        let mut last: HashMap<Id, usize> = HashMap::new();
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

    /// The disk as it survives.
    pub(super) fn disk(&self, survivor: &Survivor) -> Disk {
        let mut disk = self.base.clone();
        let kept = self
            .events
            .iter()
            .enumerate()
            .skip(self.since)
            .filter(|(at, _)| survivor.kept[*at]);
        for (at, Event { effect, .. }) in kept {
            match effect {
                Effect::Rename { to, object, .. } if survivor.halves.contains(&at) => {
                    disk.names.insert(to.clone(), *object);
                }
                Effect::Write {
                    object, contents, ..
                } if survivor.torn == Some(at) => {
                    let was = disk.objects[*object]
                        .contents
                        .as_ref()
                        .map_or(0, |was| was.bytes.len());
                    let length =
                        contents.bytes.len() - contents.bytes.len().saturating_sub(was).div_ceil(2);
                    effect.apply(&mut disk);
                    disk.objects[*object].contents =
                        Some(Contents::new(contents.bytes[..length].to_vec()));
                }
                _ => effect.apply(&mut disk),
            }
        }
        disk
    }

    /// The last change of which a trace is on disk, but for those of one object.
    pub(super) fn last_but_of(&self, survivor: &Survivor, object: Option<Id>) -> Option<usize> {
        let is_of = |effect: &Effect| matches!(effect, Effect::Write { object: other, .. } if Some(*other) == object);
        let mut pending = self.pending.iter().rev();
        pending
            .find(|&&at| survivor.kept[at] && !is_of(&self.events[at].effect))
            .copied()
    }

    /// For messages.
    pub(super) fn told(&self, survivor: &Survivor) -> String {
        let told = |wanted: &dyn Fn(usize) -> bool| -> Vec<&str> {
            self.pending
                .iter()
                .filter(|&&at| wanted(at))
                .map(|&at| self.events[at].told.as_str())
                .collect()
        };
        format!(
            "power cut after {} changes; missing: {:#?}; half done: {:#?}; torn: {:?}; there: {:#?}",
            self.events.len(),
            told(&|at| !survivor.kept[at]),
            told(&|at| survivor.halves.contains(&at)),
            told(&|at| survivor.torn == Some(at)),
            told(&|at| survivor.kept[at]),
        )
    }
}
