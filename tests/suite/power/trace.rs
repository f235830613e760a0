//! Record of the changes that processes make on a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::names::RelPath;

use super::disk::{Attributes, Contents, Disk, DiskObject, EntryName, ObjectId};

/// One change, as it is when it is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Make {
        at: EntryName,
        object: ObjectId,
    },
    Write {
        object: ObjectId,
        contents: Arc<Contents>,
        modified: SystemTime,
    },
    SetAttributes {
        object: ObjectId,
        attributes: Attributes,
        modified: SystemTime,
    },
    Rename {
        from: EntryName,
        to: EntryName,
        object: ObjectId,
    },
    Remove {
        at: EntryName,
        object: ObjectId,
    },
    Sync,
    SyncFile {
        object: ObjectId,
    },
    /// No change of the disk: a message or a question to the operator.
    Report,
}

/// Change with its description for messages.
#[derive(Debug, Clone)]
pub(super) struct TraceEvent {
    pub(super) effect: Effect,
    pub(super) description: String,
}

/// Disk before the first change, and all changes.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    /// Every object that ever existed, as it was made; the names are those before the first change.
    pub(super) base: Disk,
    pub(super) events: Vec<TraceEvent>,
    /// For each change, those that must be on disk if it is.
    pub(super) dependencies: Vec<BTreeSet<usize>>,
}

/// Recorder of the changes that processes make in one directory, one after another. The effect of a
/// change is read from the disk when the next one is announced: by then it is complete.
pub(super) struct Recorder {
    directory: PathBuf,
    recording: Mutex<Recording>,
}

struct Recording {
    trace: Trace,
    /// Current disk.
    now: Disk,
    announced: Option<AnnouncedChange>,
    /// Number of events before the failed change.
    failed: usize,
}

/// Change that is announced and not recorded yet.
#[derive(Debug)]
enum AnnouncedChange {
    Make(RelPath),
    Write(RelPath),
    SetAttributes(RelPath),
    Rename(RelPath, RelPath),
    Remove(RelPath),
    Sync,
    SyncFile(RelPath),
}

/// Reason why a lock cannot be poisoned.
const NO_PANIC: &str = "no other thread panics";

impl Recorder {
    /// Begins with the current directory; all of it counts as on disk.
    pub(super) fn new(directory: &Path) -> Arc<Self> {
        let base = Disk::read(directory);
        let trace = Trace {
            base: base.clone(),
            events: Vec::new(),
            dependencies: Vec::new(),
        };
        let recording = Recording {
            trace,
            now: base,
            announced: None,
            failed: 0,
        };
        Arc::new(Self {
            directory: directory.to_owned(),
            recording: Mutex::new(recording),
        })
    }

    /// Returns the fault injector of one process.
    pub(super) fn process(self: &Arc<Self>, fault: ProcessFault) -> Arc<Process> {
        Arc::new(Process {
            recorder: Arc::clone(self),
            fault,
            seen: AtomicUsize::new(0),
        })
    }

    /// Returns the current disk.
    pub(super) fn now(&self) -> Disk {
        self.recording.lock().expect(NO_PANIC).now.clone()
    }

    /// Returns the number of events so far.
    pub(super) fn length(&self) -> usize {
        let mut recording = self.recording.lock().expect(NO_PANIC);
        recording.settle(&self.directory);
        recording.trace.events.len()
    }

    /// Returns the number of events before the failed change.
    pub(super) fn failed(&self) -> usize {
        self.recording.lock().expect(NO_PANIC).failed
    }

    /// Records a message or a question to the operator.
    fn report(&self, description: &str) {
        let mut recording = self.recording.lock().expect(NO_PANIC);
        recording.settle(&self.directory);
        recording.trace.events.push(TraceEvent {
            effect: Effect::Report,
            description: description.to_owned(),
        });
    }

    /// Returns everything that was recorded. Panics if the disk changed without an announcement.
    pub(super) fn trace(&self) -> Trace {
        let mut recording = self.recording.lock().expect(NO_PANIC);
        recording.settle(&self.directory);
        let (traced, real) = (
            recording.now.listing(),
            Disk::read(&self.directory).listing(),
        );
        let differs = |path: &&PathBuf| traced.get(*path) != real.get(*path);
        let untraced: Vec<_> = traced.keys().chain(real.keys()).filter(differs).collect();
        assert!(
            untraced.is_empty(),
            "changed without an announcement: {untraced:?}"
        );
        Trace {
            dependencies: dependencies(&recording.trace.events),
            ..recording.trace.clone()
        }
    }
}

/// Fault that is injected into a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessFault {
    None,
    /// Crash before the change with this number.
    CrashAt(usize),
    /// Failure of the change with this number.
    FailAt(usize),
    /// The same, with `--on-failure stop`.
    FailAndStopAt(usize),
    /// Request to stop, from the change with this number on.
    StopAt(usize),
}

/// One process that the recorder watches.
pub(super) struct Process {
    recorder: Arc<Recorder>,
    fault: ProcessFault,
    seen: AtomicUsize,
}

impl Process {
    /// Records a message or a question to the operator.
    pub(super) fn report(&self, description: &str) {
        self.recorder.report(description);
    }

    /// Returns true if the process is requested to stop.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.fault, ProcessFault::StopAt(at) if self.seen.load(Ordering::SeqCst) + 1 >= at)
    }

    /// Returns true if a failing run stays open.
    pub(super) fn stops_on_failure(&self) -> bool {
        matches!(self.fault, ProcessFault::FailAndStopAt(_))
    }
}

impl FaultInjector for Process {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        let mut recording = self.recorder.recording.lock().expect(NO_PANIC);
        recording.settle(&self.recorder.directory);
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            ProcessFault::CrashAt(at) if number >= at => {
                return Err(io::Error::other("injected crash"));
            }
            ProcessFault::FailAt(at) | ProcessFault::FailAndStopAt(at) if number == at => {
                recording.failed = recording.trace.events.len();
                return Err(io::Error::from_raw_os_error(5));
            }
            _ => {}
        }
        recording.announced = Some(match change {
            Change::MakeDirectory(at) | Change::MakeFile(at) => AnnouncedChange::Make(at.clone()),
            Change::Write(at) => AnnouncedChange::Write(at.clone()),
            Change::SetAttributes(at) => AnnouncedChange::SetAttributes(at.clone()),
            Change::Rename(from, to) => AnnouncedChange::Rename(from.clone(), to.clone()),
            Change::Remove(at) => AnnouncedChange::Remove(at.clone()),
            Change::Sync => AnnouncedChange::Sync,
            Change::SyncFile(at) => AnnouncedChange::SyncFile(at.clone()),
        });
        Ok(())
    }
}

impl Recording {
    /// Records the effect of the last announced change.
    fn settle(&mut self, root: &Path) {
        let Some(announced) = self.announced.take() else {
            return;
        };
        let description = format!("{announced:?}");
        let object = |disk: &Disk, at: &RelPath| disk.names[&disk.name(at)];
        let effect = match &announced {
            AnnouncedChange::Make(at) => {
                let made = DiskObject::of(&root.join(at.to_path()));
                self.trace.base.objects.push(made.clone());
                self.now.objects.push(made);
                Effect::Make {
                    at: self.now.name(at),
                    object: self.now.objects.len() - 1,
                }
            }
            AnnouncedChange::Write(at) => {
                let DiskObject {
                    contents, modified, ..
                } = DiskObject::of(&root.join(at.to_path()));
                let contents = contents.expect("only files are written to");
                Effect::Write {
                    object: object(&self.now, at),
                    contents,
                    modified,
                }
            }
            AnnouncedChange::SetAttributes(at) => {
                let metadata =
                    std::fs::symlink_metadata(root.join(at.to_path())).expect("it exists");
                let modified = metadata.modified().expect("everything has a time");
                let attributes = Attributes::of(&metadata);
                Effect::SetAttributes {
                    object: object(&self.now, at),
                    attributes,
                    modified,
                }
            }
            AnnouncedChange::Rename(from, to) => {
                assert!(root.join(to.to_path()).exists(), "{description} failed");
                let object = object(&self.now, from);
                Effect::Rename {
                    from: self.now.name(from),
                    to: self.now.name(to),
                    object,
                }
            }
            AnnouncedChange::Remove(at) => {
                let at = self.removed_name(root, at);
                Effect::Remove {
                    object: self.now.names[&at],
                    at,
                }
            }
            AnnouncedChange::Sync => Effect::Sync,
            AnnouncedChange::SyncFile(at) => Effect::SyncFile {
                object: object(&self.now, at),
            },
        };
        effect.apply(&mut self.now);
        self.trace.events.push(TraceEvent {
            effect,
            description,
        });
    }

    /// Returns the one name at or below a path that no longer exists. The removal of a file from a
    /// directory may be announced with the directory only.
    fn removed_name(&self, root: &Path, at: &RelPath) -> EntryName {
        let paths = self.now.reachable();
        let real = |name: &EntryName| root.join(&paths[&name.directory]).join(&*name.name);
        let top = self.now.name(at);
        let mut inside = vec![top.clone()];
        let mut at = 0;
        while let Some(name) = inside.get(at) {
            let below: Vec<EntryName> = self
                .now
                .names_in(self.now.names[name])
                .map(|(name, _)| name.clone())
                .collect();
            inside.extend(below);
            at += 1;
        }
        inside.retain(|name| real(name).symlink_metadata().is_err());
        assert_eq!(inside.len(), 1, "one name at a time is removed: {inside:?}");
        inside.swap_remove(0)
    }
}

impl Effect {
    /// Makes the complete change.
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
            Effect::Sync | Effect::SyncFile { .. } | Effect::Report => {}
        }
    }

    /// Returns the parts that the change touches. Changes of the same part keep their order.
    pub(super) fn touches(&self) -> Vec<TouchedPart> {
        match self {
            Effect::Make { at, object } | Effect::Remove { at, object } => {
                vec![
                    TouchedPart::Name(at.clone()),
                    TouchedPart::Location(*object),
                ]
            }
            Effect::Write { object, .. } => vec![TouchedPart::Contents(*object)],
            Effect::SetAttributes { object, .. } => vec![TouchedPart::Attributes(*object)],
            Effect::Rename { from, to, object } => {
                vec![
                    TouchedPart::Name(from.clone()),
                    TouchedPart::Name(to.clone()),
                    TouchedPart::Location(*object),
                ]
            }
            Effect::Sync | Effect::SyncFile { .. } | Effect::Report => Vec::new(),
        }
    }
}

/// Name, or part of an object, that a change touches. The location, contents and attributes of a
/// file reach the disk separately; nothing guarantees an order among them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TouchedPart {
    Name(EntryName),
    Location(ObjectId),
    Contents(ObjectId),
    Attributes(ObjectId),
}

/// Returns for each change those that must be on disk if it is: earlier changes of the same parts.
fn dependencies(events: &[TraceEvent]) -> Vec<BTreeSet<usize>> {
    let mut last: BTreeMap<TouchedPart, usize> = BTreeMap::new();
    let mut dependencies: Vec<BTreeSet<usize>> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let mut before = BTreeSet::new();
        for touched in event.effect.touches() {
            if let Some(earlier) = last.insert(touched, at) {
                before.insert(earlier);
                before.extend(&dependencies[earlier]);
            }
        }
        dependencies.push(before);
    }
    dependencies
}
