//! One copy of the deployment, and the processes that work on it one after another.

use std::fs;
use std::path::{Path, PathBuf};

use super::start_state::StartState;
use super::{COMMANDS_RUN, CrashError, CrashRehearsal, FIRST_FAILURE, command_failed};
use crate::deployment::deletion::remove_path;
use crate::deployment::run_dir::RollupDir;
use crate::rehearse::child::{ChildFault, FinishedCommand};
use crate::rehearse::copy::{copy_tree, copy_with_run};
use crate::rehearse::lab_writer::LabWriter;
use crate::rehearse::{ChildCommand, LabError, TreeSnapshot, disk};

/// Returns the name of a worker's directory.
pub(super) fn name(number: usize) -> String {
    format!("worker-{number}")
}

/// Copy of the deployment on which one process after another is run.
pub(super) struct Worker<'a> {
    rehearsal: CrashRehearsal<'a>,
    directory: PathBuf,
    /// True if the copy is in the state before, except for its `.rollup`.
    pub(super) is_before: bool,
    /// Commands that were run since the copy was made.
    commands: Vec<FinishedCommand>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(rehearsal: CrashRehearsal<'a>, number: usize) -> Self {
        let directory = rehearsal.directory.join(name(number));
        Self {
            rehearsal,
            directory,
            is_before: false,
            commands: Vec::new(),
        }
    }

    pub(super) fn deployment(&self) -> PathBuf {
        self.directory.join("deployment")
    }

    /// Runs one command, and keeps its output.
    pub(super) fn run(
        &mut self,
        command: ChildCommand,
        fault: ChildFault,
    ) -> Result<FinishedCommand, LabError> {
        let ran = self
            .rehearsal
            .program
            .run(command, &self.deployment(), fault)?;
        self.commands.push(ran.clone());
        Ok(ran)
    }

    /// Returns the tree after an `apply` that is not killed.
    pub(super) fn applied(&mut self) -> Result<TreeSnapshot, CrashError> {
        self.set(StartState::Before)?;
        let ran = self.run(ChildCommand::Apply, ChildFault::None)?;
        match ran.code() {
            Some(0) => Ok(TreeSnapshot::of(&self.deployment())?),
            _ => Err(command_failed(ran)),
        }
    }

    /// Makes the copy for a start state: of the state before, or of the deployment that an earlier
    /// process left.
    pub(super) fn set(&mut self, start_state: StartState) -> Result<(), LabError> {
        let deployment = self.deployment();
        self.commands.clear();
        if start_state == StartState::Before && self.is_before {
            self.is_before = false;
            return Ok(remove_path(&deployment.join(RollupDir::NAME))?);
        }
        self.is_before = false;
        remove_path(&deployment)?;
        fs::create_dir_all(&self.directory)
            .map_err(disk("create the directory", &self.directory))?;
        let (writer, to) = (LabWriter::at(&self.directory)?, Path::new("deployment"));
        match start_state {
            StartState::Before => copy_tree(self.rehearsal.deployment, None, &writer, to),
            _ => copy_with_run(&self.rehearsal.start_state(), &writer, to),
        }
    }

    /// Makes the deployment from which the copies of a start state are made, by one `apply`.
    pub(super) fn prepare(&mut self, start_state: StartState) -> Result<(), CrashError> {
        let Some(fault) = start_state.earlier_apply() else {
            return Ok(());
        };
        self.set(StartState::Before)?;
        let ran = self.run(ChildCommand::Apply, fault)?;
        if !ran.was_killed() && ran.code() != Some(0) {
            return Err(command_failed(ran));
        }
        let prepared = self.rehearsal.start_state();
        remove_path(&prepared).map_err(LabError::from)?;
        Ok(fs::rename(self.deployment(), &prepared).map_err(disk("rename", &self.directory))?)
    }

    /// Keeps the copy as it is under [`FIRST_FAILURE`], with the commands that were run there.
    pub(super) fn keep(&mut self) -> Result<PathBuf, LabError> {
        let kept = self.rehearsal.directory.join(FIRST_FAILURE);
        fs::rename(&self.directory, &kept).map_err(disk("rename", &self.directory))?;
        self.is_before = false;
        let file = kept.join(COMMANDS_RUN);
        let text: String = self.commands.iter().map(|ran| format!("{ran}\n")).collect();
        fs::write(&file, text).map_err(disk("write", &file))?;
        Ok(kept)
    }

    /// Removes the copy, and the deployment that it may have been made from.
    pub(super) fn remove_copies(&self) -> Result<(), LabError> {
        remove_path(&self.directory)?;
        Ok(remove_path(&self.rehearsal.start_state())?)
    }
}
