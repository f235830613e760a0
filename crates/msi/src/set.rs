//! Sets of cabinets: those that are read together, because a block group spans them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use rollup_names::{Escaped, RelPath};

use super::blocks::Segment;
use super::cabinet::{Cabinet, CabinetEntry, EntryGroup};
use super::code_page::CodePage;
use super::media::CabinetLocation;
use super::{InstallerError, ReadSeek, SiblingFiles};

/// Maximum number of files in all cabinets of a set: their directories are in memory together.
const MAX_ENTRIES: usize = 200_000;

/// Cabinets of a set, or a single one.
pub(super) struct CabinetSet<'a> {
    pub(super) cabinets: Vec<Cabinet<Box<dyn ReadSeek + 'a>>>,
    /// Groups, each with the segments that its bytes are in, in the order in which they are read.
    pub(super) groups: Vec<Vec<Segment>>,
    /// Files, with the index of their group.
    pub(super) entries: Vec<(usize, CabinetEntry)>,
    /// Keys of the cabinets.
    pub(super) keys: BTreeSet<String>,
}

/// Opens cabinets of a package.
pub(super) struct CabinetOpener<'a, R> {
    pub(super) compound: &'a mut cfb::CompoundFile<R>,
    pub(super) siblings: &'a mut dyn SiblingFiles,
    pub(super) code_page: CodePage,
}

impl<'a, R: Read + Seek + 'a> CabinetOpener<'_, R> {
    /// Opens a cabinet, and those that its groups span.
    pub(super) fn open_set(
        &mut self,
        location: &CabinetLocation,
    ) -> Result<CabinetSet<'a>, InstallerError> {
        let mut keys = BTreeSet::from([location.key()]);
        let mut cabinets = vec![self.open(location)?];
        let mut entries = cabinets[0].entries.len();
        while cabinets[0].is_begun_before() {
            let name = cabinets[0].previous.clone();
            let previous = self.adjacent(location, name, &cabinets[0].label, &mut keys)?;
            entries += previous.entries.len();
            check_entries(entries)?;
            cabinets.insert(0, previous);
        }
        while let Some(last) = cabinets.last()
            && last.goes_on()
        {
            let next = self.adjacent(location, last.next.clone(), &last.label, &mut keys)?;
            entries += next.entries.len();
            check_entries(entries)?;
            cabinets.push(next);
        }
        Ok(CabinetSet::of(cabinets, keys))
    }

    /// Opens the cabinet of a set that another one names.
    fn adjacent(
        &mut self,
        first: &CabinetLocation,
        name: Option<String>,
        label: &str,
        keys: &mut BTreeSet<String>,
    ) -> Result<Cabinet<Box<dyn ReadSeek + 'a>>, InstallerError> {
        let unnamed = || {
            InstallerError::damaged(
                label,
                "it is part of a set, and does not name the next part",
            )
        };
        let name = name.ok_or_else(unnamed)?;
        let location = match first {
            CabinetLocation::Embedded { .. } => CabinetLocation::embedded(&name)?,
            CabinetLocation::External(_) => CabinetLocation::external(&name)?,
        };
        if !keys.insert(location.key()) {
            let reason = format!("it is part of a set in which `{}` is twice", Escaped(&name));
            return Err(InstallerError::damaged(label, reason));
        }
        self.open(&location)
    }

    fn open(
        &mut self,
        location: &CabinetLocation,
    ) -> Result<Cabinet<Box<dyn ReadSeek + 'a>>, InstallerError> {
        let label = location.label();
        let reader: Box<dyn ReadSeek + 'a> = match location {
            CabinetLocation::Embedded { stream, .. } => {
                if !self.compound.is_stream(stream) {
                    let reason = "it is missing from the package";
                    return Err(InstallerError::damaged(label, reason));
                }
                let stream = self.compound.open_stream(stream);
                Box::new(stream.map_err(|error| InstallerError::reading(&label, error))?)
            }
            CabinetLocation::External(path) => open_sibling(self.siblings, path, &label)?,
        };
        Cabinet::open(reader, label, self.code_page)
    }
}

fn check_entries(entries: usize) -> Result<(), InstallerError> {
    if entries > MAX_ENTRIES {
        let what = format!("a set of cabinets with {entries} files");
        return Err(InstallerError::Unsupported(what));
    }
    Ok(())
}

/// Opens a file in the directory of the package.
pub(super) fn open_sibling(
    siblings: &mut dyn SiblingFiles,
    path: &RelPath,
    label: &str,
) -> Result<Box<dyn ReadSeek>, InstallerError> {
    match siblings.open(path) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(InstallerError::Missing(vec![path.clone()])),
        Err(source) => Err(InstallerError::Io {
            action: format!("open {label}"),
            source,
        }),
    }
}

impl<'a> CabinetSet<'a> {
    fn of(mut cabinets: Vec<Cabinet<Box<dyn ReadSeek + 'a>>>, keys: BTreeSet<String>) -> Self {
        let mut groups: Vec<Vec<Segment>> = Vec::new();
        let mut entries = Vec::new();
        for (number, cabinet) in cabinets.iter_mut().enumerate() {
            let is_continued = number > 0;
            let mut own = BTreeMap::new();
            for (at, group) in cabinet.groups.iter().enumerate() {
                let segment = Segment {
                    cabinet: number,
                    group: *group,
                };
                match groups.last_mut() {
                    Some(last) if is_continued && at == 0 => last.push(segment),
                    _ => groups.push(vec![segment]),
                }
                own.insert(at, groups.len() - 1);
            }
            for entry in std::mem::take(&mut cabinet.entries) {
                // The cabinet that begins a file has an entry for it, too.
                if is_continued && entry.group.is_begun_before() {
                    continue;
                }
                let group = match entry.group {
                    EntryGroup::Own(at) => own[&at],
                    EntryGroup::FromPrevious | EntryGroup::FromPreviousToNext => own[&0],
                    EntryGroup::ToNext => own[&(cabinet.groups.len() - 1)],
                };
                entries.push((group, entry));
            }
        }
        Self {
            cabinets,
            groups,
            entries,
            keys,
        }
    }
}
