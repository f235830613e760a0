//! Format of any file, by its signature, for the message about a file that is not a package.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use rollup_names::Escaped;

use super::cabinet::Cabinet;
use super::code_page::CodePage;
use super::database::{StreamKind, encode_stream_name};
use super::program::{WindowsProgram, program};
use super::read_limit::LimitedReader;

/// Format of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFormat {
    /// Nothing at all.
    Empty,
    /// Windows Installer package.
    Package,
    /// Merge module, `.msm`.
    MergeModule,
    /// Patch of an installed package, `.msp`.
    Patch,
    /// Transform of a package, `.mst`.
    Transform,
    /// Compound file of another program, such as an old document of Office.
    OtherCompound,
    /// Program for Windows.
    WindowsProgram(WindowsProgram),
    /// Cabinet, `.cab`.
    Cabinet,
    /// Update of Windows, `.msu`.
    WindowsUpdate,
    /// ZIP archive, also that of an `.appx`, `.vsix` or `.docx`.
    Zip,
    /// 7z archive.
    SevenZip,
    /// Web page.
    Html,
    /// Pointer that Git LFS left in place of the file.
    GitLfsPointer,
    /// PDF document.
    Pdf,
    /// Anything else.
    Unknown,
}

/// Class of the compound file of a patch.
pub(super) const PATCH_CLASS: u128 = 0x000c1086_0000_0000_c000_000000000046;

/// Number of bytes that are looked at.
const LOOKED_AT: u64 = 1024;

/// Signatures at the beginning of a file.
const SIGNATURES: [(&[u8], FileFormat); 6] = [
    (b"PK\x03\x04", FileFormat::Zip),
    (b"PK\x05\x06", FileFormat::Zip),
    (b"7z\xbc\xaf\x27\x1c", FileFormat::SevenZip),
    (b"version https://git-lfs", FileFormat::GitLfsPointer),
    (b"%PDF-", FileFormat::Pdf),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        FileFormat::OtherCompound,
    ),
];

impl FileFormat {
    /// Finds the format of a file. One that is too damaged for its format is of the one that it seems.
    pub fn of<R: Read + Seek>(file: &mut R) -> io::Result<Self> {
        let format = Self::of_signature(file)?;
        if format != Self::OtherCompound {
            return Ok(format);
        }
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let (file, _limit) = LimitedReader::new(file, length);
        let compound = cfb::CompoundFile::open(file);
        Ok(compound.map_or(Self::Package, |compound| Self::of_compound(&compound)))
    }

    /// Finds the format of a file by its beginning; any compound file is an `OtherCompound`.
    pub(super) fn of_signature<R: Read + Seek>(file: &mut R) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let mut start = Vec::new();
        file.by_ref().take(LOOKED_AT).read_to_end(&mut start)?;
        if start.is_empty() {
            return Ok(Self::Empty);
        }
        if start.starts_with(b"MZ") {
            return Ok(Self::WindowsProgram(program(file)?));
        }
        if start.starts_with(b"MSCF") {
            return format_of_cabinet(file);
        }
        let mut signatures = SIGNATURES.iter();
        Ok(
            match signatures.find(|(signature, _)| start.starts_with(signature)) {
                Some((_, format)) => format.clone(),
                None if is_html(&start) => Self::Html,
                None => Self::Unknown,
            },
        )
    }

    /// Finds the format of a compound file by its class and its tables.
    pub(super) fn of_compound<R>(compound: &cfb::CompoundFile<R>) -> Self {
        const PACKAGE: u128 = 0x000c1084_0000_0000_c000_000000000046;
        const TRANSFORM: u128 = 0x000c1082_0000_0000_c000_000000000046;
        let has_table =
            |table: &str| compound.is_stream(encode_stream_name(table, StreamKind::Table));
        match compound.root_entry().clsid().as_u128() {
            PACKAGE if has_table("ModuleSignature") && !has_table("Media") => Self::MergeModule,
            PACKAGE => Self::Package,
            TRANSFORM => Self::Transform,
            PATCH_CLASS => Self::Patch,
            _ => Self::OtherCompound,
        }
    }

    /// Returns advice for a file that should be a package.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Empty => "the download was interrupted: get the file again",
            Self::Package => "`rollup inspect FILE` shows the details",
            Self::MergeModule => {
                "a merge module is part of packages: use the package that contains it"
            }
            Self::Patch | Self::WindowsProgram(_) | Self::WindowsUpdate => {
                "nothing is executed here; a `run` step stores the file with its arguments, and a manual step can say how to run it"
            }
            Self::Transform => "a transform only changes another package: use that package",
            Self::Cabinet => "a cabinet is beside its package: name the `.msi`",
            Self::Zip | Self::SevenZip => "unpack the archive, and use the package in it",
            Self::Html => {
                "the download gave a web page: get the file again, maybe after logging in"
            }
            Self::GitLfsPointer => "run `git lfs pull` to get the file",
            Self::OtherCompound | Self::Pdf | Self::Unknown => "check that it is the vendor's file",
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::Package => "a Windows Installer package",
            Self::MergeModule => "a merge module (.msm)",
            Self::Patch => "a patch (.msp)",
            Self::Transform => "a transform (.mst)",
            Self::OtherCompound => "a compound file of another program",
            Self::WindowsProgram(program) => return fmt::Display::fmt(program, f),
            Self::Cabinet => "a cabinet (.cab)",
            Self::WindowsUpdate => "an update of Windows (.msu)",
            Self::Zip => "a ZIP archive",
            Self::SevenZip => "a 7z archive",
            Self::Html => "an HTML page",
            Self::GitLfsPointer => "a pointer of Git LFS",
            Self::Pdf => "a PDF document",
            Self::Unknown => "a file of an unknown kind",
        })
    }
}

impl fmt::Display for WindowsProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.bundle {
            None => "a program (PE)",
            Some(bundle) => bundle,
        })?;
        if let Some(product) = &self.product {
            write!(f, " `{}`", Escaped(product))?;
        }
        match &self.version {
            Some(version) => write!(f, " {version}"),
            None => Ok(()),
        }
    }
}

fn is_html(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<head")
}

/// An update of Windows is a cabinet with a cabinet of this name for the update service.
fn format_of_cabinet<R: Read + Seek>(file: &mut R) -> io::Result<FileFormat> {
    file.seek(SeekFrom::Start(0))?;
    let code_page = CodePage::from_number(1252);
    let cabinet = Cabinet::open(file, String::new(), code_page);
    let is_scan = |name: &str| name.eq_ignore_ascii_case("WSUSSCAN.cab");
    let is_update =
        cabinet.is_ok_and(|cabinet| cabinet.entries.iter().any(|entry| is_scan(&entry.name)));
    Ok(if is_update {
        FileFormat::WindowsUpdate
    } else {
        FileFormat::Cabinet
    })
}
