//! Builder of the installers of a rehearsal: valid packages without files of any vendor.
//!
//! The same recipe always gives the same bytes, in every build and on every system, so that a
//! shipped manifest can pin their hashes. Therefore packages have no clock times, and cabinets are
//! not compressed: the bytes would change with the version of the compressor. A documented size is
//! reached with one file of noise of the missing length.

mod cabinet;
mod compound;
mod noise;
mod opaque;
mod plan;
mod program;
mod tables;

use std::io;

use rollup_names::{Escaped, FileName, FileNameError, RelPath, Version};

pub use opaque::{build_patch, build_update};
pub use program::build_program;

use plan::PackagePlan;

/// Unit of the size of a package: a sector of a compound file of version 3.
const SECTOR: u64 = 512;
/// Minimum length of the noise. A smaller cabinet could be stored in the small sectors of the
/// compound file, and then not every size could be reached.
const MIN_NOISE: u64 = 4096;
/// Maximum number of changes of the length of the noise; two or three are enough.
const MAX_TRIES: usize = 8;

/// Recipe of a package.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Name of the file of the package; the noise depends on it.
    pub name: FileName,
    /// Name of the product, and of its directory below `Program Files`.
    pub product: String,
    /// Version of the product; the noise depends on it, too.
    pub version: Version,
    /// Exact size of the package in bytes, a multiple of 512.
    pub size: Option<u64>,
    /// Files, with their paths below the directory of the product.
    pub files: Vec<(RelPath, Vec<u8>)>,
    /// Features that are off by default. The files of each are in the directory of its name.
    pub features: Vec<String>,
    /// Time of modification of the files, in seconds since 1970; cabinets keep even seconds only.
    pub modified: i64,
}

/// Reason why a package or a program cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The package cannot have this size.
    #[error(
        "`{name}` cannot have {requested} bytes; the size of a package is a multiple of 512, at least {smallest}"
    )]
    PackageSize {
        name: FileName,
        requested: u64,
        smallest: u64,
    },
    /// The program cannot have this size.
    #[error(
        "`{name}` cannot have {requested} bytes; a program has at least {smallest} and less than 2 GiB"
    )]
    ProgramSize {
        name: FileName,
        requested: u64,
        smallest: u64,
    },
    /// A name is not valid on Windows.
    #[error("a package cannot contain the name `{}`", Escaped(.name))]
    Name { name: String, source: FileNameError },
    /// A text has characters outside of code page 1252, the one of the package.
    #[error("`{}` has characters that are not in code page 1252", Escaped(.0))]
    NotEncodable(String),
    /// Two files have the same path, or two names differ only in case.
    #[error("`{}` is a duplicate, has two spellings, or is both a file and a directory", Escaped(.0.as_str()))]
    Conflict(RelPath),
    /// Cabinets cannot store the time.
    #[error(
        "a cabinet cannot store the time {0} s after 1970, only times of the years 1980 to 2107"
    )]
    Modified(i64),
    /// The files are too many or too large for one package.
    #[error("`{0}` would have too many files, or too many bytes, for one package")]
    TooLarge(FileName),
    /// The library that writes packages failed.
    #[error("cannot write `{name}`")]
    Write { name: FileName, source: io::Error },
}

/// Builds a Windows Installer package, of exactly the requested size if the recipe has one.
///
/// A package without a requested size has noise only if it would have no file otherwise.
pub fn build_package(recipe: &Recipe) -> Result<Vec<u8>, BuildError> {
    let mut plan = PackagePlan::new(recipe)?;
    let Some(requested) = recipe.size else {
        if recipe.files.is_empty() {
            plan.set_noise(recipe, MIN_NOISE)?;
        }
        return assemble(&plan);
    };
    of_size(&recipe.name, requested, |noise| {
        plan.set_noise(recipe, noise)?;
        assemble(&plan)
    })
}

/// Builds a compound file of exactly the requested size, by changing the length of its noise.
fn of_size(
    name: &FileName,
    requested: u64,
    mut with_noise: impl FnMut(u64) -> Result<Vec<u8>, BuildError>,
) -> Result<Vec<u8>, BuildError> {
    let mut package = with_noise(MIN_NOISE)?;
    let smallest = package.len() as u64;
    let size_error = || BuildError::PackageSize {
        name: name.clone(),
        requested,
        smallest,
    };
    if requested < smallest || !requested.is_multiple_of(SECTOR) {
        return Err(size_error());
    }
    let mut noise = MIN_NOISE;
    for _ in 0..MAX_TRIES {
        let size = package.len() as u64;
        if size == requested {
            return Ok(package);
        }
        if size + SECTOR == requested
            && let Some(package) = compound::with_spare_sector(&package)
        {
            return Ok(package);
        }
        noise = (noise + requested).saturating_sub(size).max(MIN_NOISE);
        package = with_noise(noise)?;
    }
    Err(size_error())
}

fn assemble(plan: &PackagePlan<'_>) -> Result<Vec<u8>, BuildError> {
    let cabinet = cabinet::stored_cabinet(plan)?;
    let write = |source| BuildError::Write {
        name: plan.name.clone(),
        source,
    };
    let database = tables::build_database(plan, &cabinet).map_err(write)?;
    compound::convert_to_version_3(database).map_err(write)
}
