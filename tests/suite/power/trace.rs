//! What a process did to a disk, change by change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::names::RelPath;

use super::disk::{Attributes, Contents, Disk, Id, Name, Object};

/// One change, as it was when it was complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Make {
        at: Name,
        object: Id,
    },
    Write {
        object: Id,
        contents: Arc<Contents>,
        modified: SystemTime,
    },
    SetAttributes {
        object: Id,
        attributes: Attributes,
        modified: SystemTime,
    },
    Rename {
        from: Name,
        to: Name,
        object: Id,
    },
    Remove {
        at: Name,
        object: Id,
    },
    Sync,
    SyncFile {
        object: Id,
    },
    /// Nothing on disk: a person is told something, or asked.
    Told,
}

/// A change, and how it is told.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) effect: Effect,
    pub(super) told: String,
}

/// The disk before the first change, and all changes.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    /// Every object there ever was, as it was made; the names are those before the first change.
    pub(super) base: Disk,
    pub(super) events: Vec<Event>,
    /// For each change, those that must be on disk where it is.
    pub(super) followed: Vec<BTreeSet<usize>>,
}

/// Notes the changes that processes make in one directory, one after another. What a change did is
/// read from the disk when the next one is announced: by then it is complete.
pub(super) struct Recorder {
    directory: PathBuf,
    noted: Mutex<Noted>,
}

struct Noted {
    trace: Trace,
    /// The disk as it stands.
    now: Disk,
    begun: Option<Begun>,
    /// How much had happened when a change failed.
    failed: usize,
}

/// A change that was announced.
#[derive(Debug)]
enum Begun {
    Make(RelPath),
    Write(RelPath),
    SetAttributes(RelPath),
    Rename(RelPath, RelPath),
    Remove(RelPath),
    Sync,
    SyncFile(RelPath),
}

impl Recorder {
    /// Begins with the directory as it stands; all of that is on disk.
    pub(super) fn new(directory: &Path) -> Arc<Self> {
        let base = Disk::read(directory);
        let trace = Trace {
            base: base.clone(),
            events: Vec::new(),
            followed: Vec::new(),
        };
        let noted = Noted {
            trace,
            now: base,
            begun: None,
            failed: 0,
        };
        Arc::new(Self {
            directory: directory.to_owned(),
            noted: Mutex::new(noted),
        })
    }

    /// An injector for one process.
    pub(super) fn process(self: &Arc<Self>, fate: Fate) -> Arc<Process> {
        Arc::new(Process {
            recorder: Arc::clone(self),
            fate,
            seen: AtomicUsize::new(0),
        })
    }

    /// The disk as it stands.
    pub(super) fn now(&self) -> Disk {
        self.noted.lock().expect("nobody panicked").now.clone()
    }

    /// How much was noted so far.
    pub(super) fn length(&self) -> usize {
        let mut noted = self.noted.lock().expect("nobody panicked");
        noted.settle(&self.directory);
        noted.trace.events.len()
    }

    /// How much had happened when a change failed.
    pub(super) fn failed(&self) -> usize {
        self.noted.lock().expect("nobody panicked").failed
    }

    /// Notes that a person is told something.
    fn tell(&self, what: &str) {
        let mut noted = self.noted.lock().expect("nobody panicked");
        noted.settle(&self.directory);
        noted.trace.events.push(Event {
            effect: Effect::Told,
            told: what.to_owned(),
        });
    }

    /// Everything that was noted. Nothing may have changed unseen.
    pub(super) fn trace(&self) -> Trace {
        let mut noted = self.noted.lock().expect("nobody panicked");
        noted.settle(&self.directory);
        let (seen, real) = (noted.now.listing(), Disk::read(&self.directory).listing());
        let differs = |path: &&PathBuf| seen.get(*path) != real.get(*path);
        let unseen: Vec<_> = seen.keys().chain(real.keys()).filter(differs).collect();
        assert!(unseen.is_empty(), "changed unseen: {unseen:?}");
        Trace {
            followed: followed(&noted.trace.events),
            ..noted.trace.clone()
        }
    }
}

/// What becomes of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing disturbs it.
    Lives,
    /// It dies before it makes the change with this number.
    DiesAt(usize),
    /// The change with this number fails.
    FailsAt(usize),
    /// It fails, and nothing is put back.
    StaysAt(usize),
    /// Somebody wants it to stop when it has come to this change.
    StopsAt(usize),
}

/// One process, as the recorder sees it.
pub(super) struct Process {
    recorder: Arc<Recorder>,
    fate: Fate,
    seen: AtomicUsize,
}

impl Process {
    /// Tells the person in front of it something.
    pub(super) fn tell(&self, what: &str) {
        self.recorder.tell(what);
    }

    /// Whether somebody wants it to stop.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.fate, Fate::StopsAt(at) if self.seen.load(Ordering::SeqCst) + 1 >= at)
    }

    /// Whether a failure is put back.
    pub(super) fn stays(&self) -> bool {
        matches!(self.fate, Fate::StaysAt(_))
    }
}

impl FaultInjector for Process {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        let mut noted = self.recorder.noted.lock().expect("nobody panicked");
        noted.settle(&self.recorder.directory);
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fate {
            Fate::DiesAt(at) if number >= at => {
                return Err(io::Error::other("the process is dead"));
            }
            Fate::FailsAt(at) | Fate::StaysAt(at) if number == at => {
                noted.failed = noted.trace.events.len();
                return Err(io::Error::from_raw_os_error(5));
            }
            _ => {}
        }
        noted.begun = Some(match change {
            Change::MakeDirectory(at) | Change::MakeFile(at) => Begun::Make(at.clone()),
            Change::Write(at) => Begun::Write(at.clone()),
            Change::SetAttributes(at) => Begun::SetAttributes(at.clone()),
            Change::Rename(from, to) => Begun::Rename(from.clone(), to.clone()),
            Change::Remove(at) => Begun::Remove(at.clone()),
            Change::Sync => Begun::Sync,
            Change::SyncFile(at) => Begun::SyncFile(at.clone()),
        });
        Ok(())
    }
}

impl Noted {
    /// Takes in what the last change did.
    fn settle(&mut self, root: &Path) {
        let Some(begun) = self.begun.take() else {
            return;
        };
        let told = format!("{begun:?}");
        let object = |disk: &Disk, at: &RelPath| disk.names[&disk.name(at)];
        let effect = match &begun {
            Begun::Make(at) => {
                let made = Object::of(&root.join(at.to_path()));
                self.trace.base.objects.push(made.clone());
                self.now.objects.push(made);
                Effect::Make {
                    at: self.now.name(at),
                    object: self.now.objects.len() - 1,
                }
            }
            Begun::Write(at) => {
                let Object {
                    contents, modified, ..
                } = Object::of(&root.join(at.to_path()));
                let contents = contents.expect("only files are written to");
                Effect::Write {
                    object: object(&self.now, at),
                    contents,
                    modified,
                }
            }
            Begun::SetAttributes(at) => {
                let metadata =
                    std::fs::symlink_metadata(root.join(at.to_path())).expect("it is there");
                let modified = metadata.modified().expect("everything has a time");
                let attributes = Attributes::of(&metadata);
                Effect::SetAttributes {
                    object: object(&self.now, at),
                    attributes,
                    modified,
                }
            }
            Begun::Rename(from, to) => {
                assert!(root.join(to.to_path()).exists(), "{told} failed");
                let object = object(&self.now, from);
                Effect::Rename {
                    from: self.now.name(from),
                    to: self.now.name(to),
                    object,
                }
            }
            Begun::Remove(at) => {
                let at = self.gone(root, at);
                Effect::Remove {
                    object: self.now.names[&at],
                    at,
                }
            }
            Begun::Sync => Effect::Sync,
            Begun::SyncFile(at) => Effect::SyncFile {
                object: object(&self.now, at),
            },
        };
        effect.apply(&mut self.now);
        self.trace.events.push(Event { effect, told });
    }

    /// The one name at or below a path that is not there any more. Whoever empties a directory
    /// announces the directory.
    fn gone(&self, root: &Path, at: &RelPath) -> Name {
        let paths = self.now.reachable();
        let real = |name: &Name| root.join(&paths[&name.directory]).join(&*name.name);
        let top = self.now.name(at);
        let mut inside = vec![top.clone()];
        let mut at = 0;
        while let Some(name) = inside.get(at) {
            let below: Vec<Name> = self
                .now
                .names_in(self.now.names[name])
                .map(|(name, _)| name.clone())
                .collect();
            inside.extend(below);
            at += 1;
        }
        inside.retain(|name| real(name).symlink_metadata().is_err());
        assert_eq!(
            inside.len(),
            1,
            "one name at a time is taken away: {inside:?}"
        );
        inside.swap_remove(0)
    }
}

impl Effect {
    /// Does the change, whole.
    pub(super) fn apply(&self, disk: &mut Disk) {
        match self {
            Effect::Make { at, object } => {
                disk.names.insert(at.clone(), *object);
            }
            Effect::Write {
                object,
                contents,
                modified,
            } => {
                let object = &mut disk.objects[*object];
                object.contents = Some(Arc::clone(contents));
                object.modified = *modified;
            }
            Effect::SetAttributes {
                object,
                attributes,
                modified,
            } => {
                let object = &mut disk.objects[*object];
                object.attributes = *attributes;
                object.modified = *modified;
            }
            Effect::Rename { from, to, object } => {
                disk.names.remove(from);
                disk.names.insert(to.clone(), *object);
            }
            Effect::Remove { at, .. } => {
                disk.names.remove(at);
            }
            Effect::Sync | Effect::SyncFile { .. } | Effect::Told => {}
        }
    }

    /// What it touches. Changes that touch the same thing keep their order.
    pub(super) fn touches(&self) -> Vec<Touched> {
        match self {
            Effect::Make { at, object } | Effect::Remove { at, object } => {
                vec![Touched::Name(at.clone()), Touched::Place(*object)]
            }
            Effect::Write { object, .. } => vec![Touched::Contents(*object)],
            Effect::SetAttributes { object, .. } => vec![Touched::Attributes(*object)],
            Effect::Rename { from, to, object } => {
                vec![
                    Touched::Name(from.clone()),
                    Touched::Name(to.clone()),
                    Touched::Place(*object),
                ]
            }
            Effect::Sync | Effect::SyncFile { .. } | Effect::Told => Vec::new(),
        }
    }
}

/// What a change touches: a name, or one side of an object. Where a file stands, what is in it and
/// whose it is reach the disk on different ways; that they keep their order too is nothing to rely
/// on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Touched {
    Name(Name),
    Place(Id),
    Contents(Id),
    Attributes(Id),
}

/// For each change, those that must be on disk where it is: whatever touched the same before it.
fn followed(events: &[Event]) -> Vec<BTreeSet<usize>> {
    let mut last: BTreeMap<Touched, usize> = BTreeMap::new();
    let mut followed: Vec<BTreeSet<usize>> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let mut before = BTreeSet::new();
        for touched in event.effect.touches() {
            if let Some(earlier) = last.insert(touched, at) {
                before.insert(earlier);
                before.extend(&followed[earlier]);
            }
        }
        followed.push(before);
    }
    followed
}
