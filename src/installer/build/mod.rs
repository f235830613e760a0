//! Installers of a rehearsal: genuine packages with nothing of a vendor's in them.
//!
//! The same recipe always gives the same bytes, in every build and on every system, so that a
//! shipped manifest can pin their hashes. Two things would spoil that and are avoided: clock
//! times, and compression, whose bytes change with the version of the compressor; cabinets are
//! stored. A documented size is reached with one file of noise that takes up the slack.

mod cabinet;
mod compound;
mod noise;
mod plan;
mod program;
mod tables;

use std::io;

use crate::names::{Escaped, FileName, FileNameError, RelPath, Version};

pub use program::build_program;

use plan::PackagePlan;

/// The unit of a package's size: a sector of a compound file of version 3.
const SECTOR: u64 = 512;
/// The least noise in a package: smaller cabinets are stored in another way, with sizes in jumps.
const MIN_NOISE: u64 = 4096;
/// Number of times that the size is compared and the noise changed; two or three are enough.
const MAX_TRIES: usize = 8;

/// Recipe of a package.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The name of the package's file; its noise depends on it.
    pub name: FileName,
    /// The name of the product, which is also the name of its directory below `Program Files`.
    pub product: String,
    /// The version of the product; the noise depends on it too.
    pub version: Version,
    /// The exact size wanted, in bytes; a multiple of 512.
    pub size: Option<u64>,
    /// The files, their paths below the directory of the product.
    pub files: Vec<(RelPath, Vec<u8>)>,
    /// Time of modification of the files, in seconds since 1970; cabinets keep even seconds only.
    pub modified: i64,
}

/// Reason why a package or a program cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The package cannot have this size.
    #[error(
        "`{name}` cannot have {wanted} bytes; its size is a multiple of 512, {smallest} at least"
    )]
    PackageSize {
        /// The file.
        name: FileName,
        /// The size asked for.
        wanted: u64,
        /// The smallest possible.
        smallest: u64,
    },
    /// The program cannot have this size.
    #[error(
        "`{name}` cannot have {wanted} bytes; a program has at least {smallest} and less than 2 GiB"
    )]
    ProgramSize {
        /// The file.
        name: FileName,
        /// The size asked for.
        wanted: u64,
        /// The smallest possible.
        smallest: u64,
    },
    /// A name that Windows would not accept.
    #[error("`{}` cannot be in a package", Escaped(.name))]
    Name {
        /// The name.
        name: String,
        /// Fault of the name.
        source: FileNameError,
    },
    /// A text with characters that packages of code page 1252 cannot have.
    #[error("`{}` has characters outside code page 1252", Escaped(.0))]
    Characters(String),
    /// Two files with one path, or two names that differ only in case.
    #[error("`{}` is there twice, or in two spellings, or is both a file and a directory", Escaped(.0.as_str()))]
    Twice(RelPath),
    /// A time that cabinets cannot store.
    #[error("cabinets cannot tell the time {0} s after 1970, only those of the years 1980 to 2107")]
    Modified(i64),
    /// More files, or larger ones, than one package takes.
    #[error("`{0}` would have more files, or more bytes, than a package takes")]
    TooMuch(FileName),
    /// The library that writes packages refused.
    #[error("cannot write `{name}`")]
    Write {
        /// The file.
        name: FileName,
        /// The library's reason.
        source: io::Error,
    },
}

/// Makes a Windows Installer package, of exactly the size wanted if there is one.
///
/// A package without a size has no noise, unless it would be empty otherwise.
pub fn build_package(recipe: &Recipe) -> Result<Vec<u8>, BuildError> {
    let mut plan = PackagePlan::of(recipe)?;
    let Some(wanted) = recipe.size else {
        if recipe.files.is_empty() {
            plan.set_noise(recipe, MIN_NOISE)?;
        }
        return assemble(&plan);
    };
    plan.set_noise(recipe, MIN_NOISE)?;
    let mut package = assemble(&plan)?;
    let smallest = package.len() as u64;
    let refused = || BuildError::PackageSize {
        name: recipe.name.clone(),
        wanted,
        smallest,
    };
    if wanted < smallest || !wanted.is_multiple_of(SECTOR) {
        return Err(refused());
    }
    let mut noise = MIN_NOISE;
    for _ in 0..MAX_TRIES {
        let size = package.len() as u64;
        if size == wanted {
            return Ok(package);
        }
        if size + SECTOR == wanted
            && let Some(package) = compound::with_spare_sector(&package)
        {
            return Ok(package);
        }
        noise = (noise + wanted).saturating_sub(size).max(MIN_NOISE);
        plan.set_noise(recipe, noise)?;
        package = assemble(&plan)?;
    }
    Err(refused())
}

fn assemble(plan: &PackagePlan<'_>) -> Result<Vec<u8>, BuildError> {
    let cabinet = cabinet::stored(plan)?;
    let write = |source| BuildError::Write {
        name: plan.name.clone(),
        source,
    };
    let database = tables::database(plan, &cabinet).map_err(write)?;
    compound::version_3(database).map_err(write)
}
