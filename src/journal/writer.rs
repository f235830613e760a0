//! Writing records, one line each, so that a failure leaves nothing behind that cannot be read.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use super::{Entry, Journal, JournalFault, Record, checksum};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::DiskError;
use crate::names::RelPath;

/// A journal that is being written.
pub struct Writer {
    at: RelPath,
    file: File,
    journal: Journal,
    /// The path of the file that is given up when the disk is full.
    reserve: RelPath,
}

/// Bytes kept aside so that the journal can be ended on a full disk.
pub const RESERVE: usize = 64 * 1024;

impl Writer {
    /// Begins the journal of a new run.
    pub fn begin(disk: &LockedDeployment, run: &RelPath) -> Result<Self, DiskError> {
        let (at, reserve) = names(run);
        disk.write(&reserve, &[0; RESERVE], None)?;
        let file = disk.create(&at)?;
        Ok(Self { at, file, journal: Journal::default(), reserve })
    }

    /// Goes on with a journal that was read; the first record written cuts a torn line off.
    pub fn resume(disk: &LockedDeployment, run: &RelPath) -> Result<Self, JournalFault> {
        let (at, reserve) = names(run);
        let journal = Journal::read(disk.tree(), &at)?;
        let file = disk.reopen(&at)?;
        Ok(Self { at, file, journal, reserve })
    }

    /// What stands in the journal so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Writes a record and brings it to disk, but for `opened`, which the barrier of staging does.
    pub fn write(&mut self, disk: &LockedDeployment, record: Record) -> Result<(), DiskError> {
        let synced = !matches!(record, Record::Opened(_));
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let entry = Entry { at, record };
        let json = serde_json::to_string(&entry)
            .map_err(|e| DiskError::new("write", disk.tree().shown(Some(&self.at)), io::Error::other(e)))?;
        let number = self.journal.entries.len() + 1;
        let sum = checksum(&self.journal.last, number, &json);
        let line = format!("{number} {sum} {json}\n");
        self.append(disk, line.as_bytes())?;
        if synced {
            disk.sync(&self.at, &self.file)?;
        }
        self.journal.good += line.len() as u64;
        self.journal.entries.push(entry);
        self.journal.last = sum;
        Ok(())
    }

    /// Writes behind the last good line, whatever an earlier failure left there. A full disk gets back
    /// what was kept aside, and the line is written again from its start.
    fn append(&mut self, disk: &LockedDeployment, line: &[u8]) -> Result<(), DiskError> {
        self.rewind(disk)?;
        match disk.append(&self.at, &mut self.file, line) {
            Err(error) if is_full(&error) => {
                let reserve = disk.reopen(&self.reserve)?;
                reserve.set_len(0).map_err(|e| DiskError::new("write", disk.tree().shown(Some(&self.reserve)), e))?;
                self.rewind(disk)?;
                disk.append(&self.at, &mut self.file, line)
            }
            written => written,
        }
    }

    fn rewind(&mut self, disk: &LockedDeployment) -> Result<(), DiskError> {
        let good = self.journal.good;
        let cut = self.file.set_len(good).and_then(|()| self.file.seek(SeekFrom::Start(good)));
        cut.map(|_| ()).map_err(|e| DiskError::new("write", disk.tree().shown(Some(&self.at)), e))
    }
}

fn is_full(error: &DiskError) -> bool {
    matches!(error.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn names(run: &RelPath) -> (RelPath, RelPath) {
    let name = |name| run.join(name).expect("a plain name");
    (name("journal"), name("reserve"))
}
