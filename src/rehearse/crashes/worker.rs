//! One copy of the deployment, and the processes that work on it one after another.

use std::fs;
use std::path::{Path, PathBuf};

use super::scene::Scene;
use super::{CrashError, Crashes, FIRST_FAILURE, WHAT_HAPPENED, fails_by_itself};
use crate::deployment::deletion::remove_path;
use crate::rehearse::child::{Fate, Ran};
use crate::rehearse::copy::{copy_tree, copy_with_run};
use crate::rehearse::making::Making;
use crate::rehearse::{LabError, Picture, Verb, disk};

/// Returns the name of a worker's directory.
pub(super) fn name(number: usize) -> String {
    format!("worker-{number}")
}

/// One copy of the deployment, and the processes that work on it one after another.
pub(super) struct Worker<'a> {
    crashes: Crashes<'a>,
    directory: PathBuf,
    /// True if the copy is in the state before, except for what rollup keeps in it.
    pub(super) is_before: bool,
    /// Commands that were run since the last copy was ready.
    said: Vec<Ran>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(crashes: Crashes<'a>, number: usize) -> Self {
        let directory = crashes.directory.join(name(number));
        Self {
            crashes,
            directory,
            is_before: false,
            said: Vec::new(),
        }
    }

    pub(super) fn deployment(&self) -> PathBuf {
        self.directory.join("deployment")
    }

    /// Runs one command, and keeps its output.
    pub(super) fn run(&mut self, verb: Verb, fate: Fate) -> Result<Ran, LabError> {
        let ran = self.crashes.program.run(verb, &self.deployment(), fate)?;
        self.said.push(ran.clone());
        Ok(ran)
    }

    /// Returns the tree that an undisturbed apply leaves.
    pub(super) fn applied(&mut self) -> Result<Picture, CrashError> {
        self.set(Scene::Before)?;
        let ran = self.run(Verb::Apply, Fate::Lives)?;
        match ran.code() {
            Some(0) => Ok(Picture::of(&self.deployment())?),
            _ => Err(fails_by_itself(ran)),
        }
    }

    /// Sets up a scene: a copy in the state before, or a copy of what an earlier process left when
    /// it ended.
    pub(super) fn set(&mut self, scene: Scene) -> Result<(), LabError> {
        let deployment = self.deployment();
        self.said.clear();
        if scene == Scene::Before && self.is_before {
            self.is_before = false;
            return Ok(remove_path(&deployment.join(".rollup"))?);
        }
        self.is_before = false;
        remove_path(&deployment)?;
        fs::create_dir_all(&self.directory).map_err(disk("make the directory", &self.directory))?;
        let (making, to) = (Making::at(&self.directory)?, Path::new("deployment"));
        match scene {
            Scene::Before => copy_tree(self.crashes.deployment, &making, to),
            _ => copy_with_run(&self.crashes.scene(), &making, to),
        }
    }

    /// Makes the deployment from which the copies of a scene are made: lets `apply` run there once.
    pub(super) fn prepare(&mut self, scene: Scene) -> Result<(), CrashError> {
        let Some(fate) = scene.earlier_apply() else {
            return Ok(());
        };
        self.set(Scene::Before)?;
        let ran = self.run(Verb::Apply, fate)?;
        if !ran.was_killed() && ran.code() != Some(0) {
            return Err(fails_by_itself(ran));
        }
        let prepared = self.crashes.scene();
        remove_path(&prepared).map_err(LabError::from)?;
        Ok(fs::rename(self.deployment(), &prepared).map_err(disk("rename", &self.directory))?)
    }

    /// Keeps the copy as it is under [`FIRST_FAILURE`], with a record of what was done there.
    pub(super) fn keep(&mut self) -> Result<PathBuf, LabError> {
        let kept = self.crashes.directory.join(FIRST_FAILURE);
        fs::rename(&self.directory, &kept).map_err(disk("rename", &self.directory))?;
        self.is_before = false;
        let told = kept.join(WHAT_HAPPENED);
        let text: String = self.said.iter().map(|ran| format!("{ran}\n")).collect();
        fs::write(&told, text).map_err(disk("write", &told))?;
        Ok(kept)
    }

    /// Removes the copy, and the scene that it may have been made from.
    pub(super) fn clear_away(&self) -> Result<(), LabError> {
        remove_path(&self.directory)?;
        Ok(remove_path(&self.crashes.scene())?)
    }
}
