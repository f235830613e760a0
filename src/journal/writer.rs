//! Writing of records, one line each, so that a failure leaves a readable journal.

use std::io;

use super::{Journal, JournalEntry, JournalError, Record, checksum};
use crate::deployment::attributes::OwnAccess;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::open_file::OpenFile;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::DiskError;
use crate::names::RelPath;

/// Journal that is open for writing.
pub struct JournalWriter {
    at: RelPath,
    file: OpenFile,
    journal: Journal,
    /// Path of the reserve file, which is truncated when the disk is full.
    reserve: RelPath,
}

/// Bytes reserved so that the journal can be ended on a full disk.
pub const RESERVE: usize = 64 * 1024;

impl JournalWriter {
    /// Begins the journal of a new run.
    pub fn begin(disk: &LockedDeployment, run: &RunDir) -> Result<Self, DiskError> {
        let (at, reserve) = (run.journal(), run.reserve());
        disk.write_own(&reserve, &[0; RESERVE])?;
        let file = disk.create_own(&at, OwnAccess::Shared)?;
        Ok(Self {
            at,
            file,
            journal: Journal::default(),
            reserve,
        })
    }

    /// Replaces the journal of a run by one with these records. The old one, if there is one, is kept
    /// under another name; there is a journal at every moment.
    ///
    /// # Errors
    ///
    /// A failed disk operation. The old journal is in place then, or the whole new one.
    pub fn replace(
        disk: &LockedDeployment,
        run: &RunDir,
        records: Vec<Record>,
    ) -> Result<(), DiskError> {
        let (at, new) = (run.journal(), run.new_journal());
        // A process may have died while it wrote it.
        if disk.tree().metadata(&new)?.is_some() {
            disk.remove_file(&new)?;
        }
        let mut writer = Self {
            file: disk.create_own(&new, OwnAccess::Shared)?,
            at: new.clone(),
            journal: Journal::default(),
            reserve: run.reserve(),
        };
        for record in records {
            writer.write(disk, record)?;
        }
        if disk.tree().metadata(&at)?.is_none() {
            disk.rename(&new, &at)?;
            return disk.sync();
        }
        disk.exchange(&new, &at)?;
        disk.sync()?;
        let mut number = 1;
        while disk
            .tree()
            .metadata(&run.damaged_journal(number))?
            .is_some()
        {
            number += 1;
        }
        disk.rename(&new, &run.damaged_journal(number))
    }

    /// Continues an existing journal; the first record that is written cuts off a torn line.
    pub fn resume(disk: &LockedDeployment, run: &RunDir) -> Result<Self, JournalError> {
        let (at, reserve) = (run.journal(), run.reserve());
        let journal = Journal::read(disk.tree(), &at)?;
        let file = disk.reopen(&at)?;
        Ok(Self {
            at,
            file,
            journal,
            reserve,
        })
    }

    /// Returns the journal so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Writes a record and syncs it to disk, except `opened`, which the sync of staging brings to
    /// disk.
    pub fn write(&mut self, disk: &LockedDeployment, record: Record) -> Result<(), DiskError> {
        let synced = !matches!(record, Record::Opened(_));
        let at = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            .to_string();
        let entry = JournalEntry { at, record };
        let json = serde_json::to_string(&entry).map_err(|e| {
            DiskError::new(
                "write",
                disk.tree().shown(Some(&self.at)),
                io::Error::other(e),
            )
        })?;
        let number = self.journal.entries.len() + 1;
        let sum = checksum(&self.journal.last, number, &json);
        let line = format!("{number} {sum} {json}\n");
        self.append(disk, line.as_bytes())?;
        if synced {
            self.file.sync()?;
        }
        self.journal.good += line.len() as u64;
        self.journal.entries.push(entry);
        self.journal.last = sum;
        Ok(())
    }

    /// Writes after the last good line, regardless of what an earlier failure left there. On a full
    /// disk the reserve is freed, and the line is written again from its start.
    fn append(&mut self, disk: &LockedDeployment, line: &[u8]) -> Result<(), DiskError> {
        let good = self.journal.good;
        self.file.cut(good)?;
        match self.file.write_bytes(line) {
            Err(error) if is_full(&error) => {
                disk.reopen(&self.reserve)?.cut(0)?;
                self.file.cut(good)?;
                self.file.write_bytes(line)
            }
            written => written,
        }
    }
}

fn is_full(error: &DiskError) -> bool {
    matches!(
        error.source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
