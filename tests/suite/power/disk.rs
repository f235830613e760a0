//! A disk in memory: objects, and the names that lead to them.

use std::collections::btree_map::Entry;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata, Permissions};
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rollup::names::RelPath;
use walkdir::WalkDir;

/// Index of an object.
pub(super) type ObjectId = usize;

/// The deployment itself.
pub(super) const ROOT: ObjectId = 0;

/// File that names the holder of the lock: it is written without an announcement, and recovery
/// never needs it.
const UNTRACED: &str = ".rollup/lock.owner";

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EntryName {
    pub(super) directory: ObjectId,
    pub(super) name: Arc<str>,
}

/// Permission bits and owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Attributes {
    mode: u32,
    owner: (u32, u32),
}

impl Attributes {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.mode() & 0o7777,
            owner: (metadata.uid(), metadata.gid()),
        }
    }
}

/// Contents of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) bytes: Vec<u8>,
    /// Equal for two files that are the same to a run.
    fingerprint: u64,
}

impl Contents {
    pub(super) fn new(bytes: Vec<u8>) -> Arc<Self> {
        let mut hasher = DefaultHasher::new();
        match is_journal(&bytes) {
            false => bytes.hash(&mut hasher),
            // The times of records, and with them the checksums, are never the same.
            true => String::from_utf8_lossy(&bytes)
                .split_inclusive('\n')
                .for_each(|line| {
                    let record = line.find("\"record\"").filter(|_| line.ends_with('\n'));
                    record.map_or("torn", |at| &line[at..]).hash(&mut hasher);
                }),
        }
        Arc::new(Self {
            bytes,
            fingerprint: hasher.finish(),
        })
    }
}

/// Returns true for the contents of a journal, as far as it is written.
pub(super) fn is_journal(bytes: &[u8]) -> bool {
    bytes.starts_with(b"1 ")
}

/// Directory, or file with its contents. The disk has its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiskObject {
    /// `None` for a directory.
    pub(super) contents: Option<Arc<Contents>>,
    pub(super) attributes: Attributes,
    pub(super) modified: SystemTime,
}

impl DiskObject {
    /// Reads the object at a path of the real disk.
    pub(super) fn of(at: &Path) -> Self {
        let metadata = fs::symlink_metadata(at).expect("it exists");
        let modified = metadata.modified().expect("everything has a time");
        let contents = metadata
            .is_file()
            .then(|| Contents::new(fs::read(at).expect("a file can be read")));
        Self {
            contents,
            attributes: Attributes::of(&metadata),
            modified,
        }
    }
}

/// Every object that ever existed, and the current names.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) objects: Vec<DiskObject>,
    pub(super) names: BTreeMap<EntryName, ObjectId>,
}

impl Disk {
    /// Reads a directory. A file under two names is one object.
    pub(super) fn read(directory: &Path) -> Self {
        let mut disk = Self {
            objects: vec![DiskObject::of(directory)],
            names: BTreeMap::new(),
        };
        let mut known = HashMap::new();
        let mut directories = HashMap::from([(directory.to_owned(), ROOT)]);
        for entry in WalkDir::new(directory).min_depth(1).sort_by_file_name() {
            let entry = entry.expect("the directory can be listed");
            if entry.path() == directory.join(UNTRACED) {
                continue;
            }
            let inode = entry.metadata().expect("it was just listed").ino();
            let id = *known.entry(inode).or_insert_with(|| {
                disk.objects.push(DiskObject::of(entry.path()));
                disk.objects.len() - 1
            });
            let parent = directories[entry.path().parent().expect("it has a parent")];
            let name = entry.file_name().to_str().expect("a plain name").into();
            disk.names.insert(
                EntryName {
                    directory: parent,
                    name,
                },
                id,
            );
            directories.insert(entry.path().to_owned(), id);
        }
        disk
    }

    /// Returns the last part of a path, with the directory of the others.
    pub(super) fn name(&self, path: &RelPath) -> EntryName {
        let directory = match path.parent() {
            None => ROOT,
            Some(parent) => self.names[&self.name(&parent)],
        };
        EntryName {
            directory,
            name: path.name().into(),
        }
    }

    /// Returns the names in a directory.
    pub(super) fn names_in(
        &self,
        directory: ObjectId,
    ) -> impl Iterator<Item = (&EntryName, ObjectId)> {
        let first = EntryName {
            directory,
            name: "".into(),
        };
        self.names
            .range(first..)
            .take_while(move |(name, _)| name.directory == directory)
            .map(|(name, &id)| (name, id))
    }

    /// Returns every object that has a path, with its first one.
    pub(super) fn reachable(&self) -> BTreeMap<ObjectId, PathBuf> {
        let mut found = BTreeMap::from([(ROOT, PathBuf::new())]);
        self.reach(ROOT, &PathBuf::new(), &mut found);
        found
    }

    fn reach(&self, directory: ObjectId, at: &Path, found: &mut BTreeMap<ObjectId, PathBuf>) {
        for (name, id) in self.names_in(directory) {
            let at = at.join(&*name.name);
            if let Entry::Vacant(first) = found.entry(id) {
                first.insert(at.clone());
                self.reach(id, &at, found);
            }
        }
    }

    /// Returns a value that is equal for two disks that are the same to a run.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.fingerprint_below(ROOT, &mut HashMap::new(), &mut hasher);
        hasher.finish()
    }

    fn fingerprint_below(
        &self,
        directory: ObjectId,
        visited: &mut HashMap<ObjectId, usize>,
        hasher: &mut DefaultHasher,
    ) {
        for (name, id) in self.names_in(directory) {
            let next = visited.len();
            let first = *visited.entry(id).or_insert(next);
            let DiskObject {
                contents,
                attributes,
                ..
            } = &self.objects[id];
            let contents = contents.as_ref().map(|contents| contents.fingerprint);
            (&name.name, first, contents, attributes).hash(hasher);
            if contents.is_none() {
                self.fingerprint_below(id, visited, hasher);
            }
        }
        "end of directory".hash(hasher);
    }

    /// Writes this disk to a new directory.
    pub(super) fn write(&self, directory: &Path) {
        fs::create_dir(directory).expect("a new directory");
        self.write_below(ROOT, directory, &mut HashMap::new());
        self.finish(ROOT, directory);
    }

    fn write_below(
        &self,
        directory: ObjectId,
        at: &Path,
        written: &mut HashMap<ObjectId, PathBuf>,
    ) {
        for (name, id) in self.names_in(directory) {
            let at = at.join(&*name.name);
            match (&self.objects[id].contents, written.get(&id)) {
                (Some(_), Some(first)) => {
                    fs::hard_link(first, &at).expect("a file can have two names");
                    continue;
                }
                (Some(contents), None) => fs::write(&at, &contents.bytes).expect("a new file"),
                (None, None) => {
                    fs::create_dir(&at).expect("a new directory");
                    self.write_below(id, &at, written);
                }
                (None, Some(_)) => panic!("the directory `{}` has two names", at.display()),
            }
            self.finish(id, &at);
            written.insert(id, at);
        }
    }

    fn finish(&self, id: ObjectId, at: &Path) {
        let DiskObject {
            contents,
            attributes,
            modified,
        } = &self.objects[id];
        let now = Attributes::of(&fs::metadata(at).expect("it was just made"));
        if now.owner != attributes.owner {
            let (user, group) = attributes.owner;
            std::os::unix::fs::chown(at, Some(user), Some(group))
                .expect("the test could set this owner before");
        }
        if now.mode != attributes.mode || now.owner != attributes.owner {
            fs::set_permissions(at, Permissions::from_mode(attributes.mode))
                .expect("the test owns it");
        }
        if contents.is_some() {
            let file = fs::File::open(at).expect("it was just made");
            file.set_modified(*modified).expect("the test owns it");
        }
    }

    /// Returns everything that two disks are compared by: for each path its object, and the first
    /// path of the same object. The times of directories do not count.
    pub(super) fn listing(&self) -> BTreeMap<PathBuf, (PathBuf, DiskObject)> {
        let reachable = self.reachable();
        let mut listing = BTreeMap::new();
        for (name, id) in &self.names {
            let Some(directory) = reachable.get(&name.directory) else {
                continue;
            };
            let mut object = self.objects[*id].clone();
            if object.contents.is_none() {
                object.modified = SystemTime::UNIX_EPOCH;
            }
            listing.insert(directory.join(&*name.name), (reachable[id].clone(), object));
        }
        listing
    }
}
