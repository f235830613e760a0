//! Builder of packages and cabinets that may be malformed.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use msi::{CodePage, Column, Insert, Package, PackageType, Value};

use crate::blocks::checksum;

/// Package under construction. It starts as a valid one with the file `Program Files/a.txt`.
pub(super) struct Forge {
    pub(super) kind: PackageType,
    pub(super) code_page: CodePage,
    pub(super) properties: BTreeMap<&'static str, String>,
    /// Key, parent, `DefaultDir`.
    pub(super) directories: Vec<(String, Option<String>, String)>,
    /// Key, directory.
    pub(super) components: Vec<(String, String)>,
    /// Conditions of components, by their keys.
    pub(super) conditions: BTreeMap<&'static str, &'static str>,
    /// Key, parent, level. A package without features has none of their tables.
    pub(super) features: Vec<(&'static str, Option<&'static str>, i32)>,
    /// Feature, component.
    pub(super) feature_components: Vec<(&'static str, &'static str)>,
    /// Property `Word Count` of the summary.
    pub(super) word_count: Option<i32>,
    pub(super) files: Vec<ForgedFile>,
    /// Last sequence, cabinet.
    pub(super) media: Vec<(i32, Option<String>)>,
    /// Key, and the four parts of the hash.
    pub(super) hashes: Vec<(String, [i32; 4])>,
    pub(super) streams: Vec<(String, Vec<u8>)>,
    pub(super) more_tables: Vec<&'static str>,
}

#[derive(Clone)]
pub(super) struct ForgedFile {
    pub(super) key: String,
    pub(super) component: String,
    pub(super) name: String,
    pub(super) size: i32,
    pub(super) version: Option<&'static str>,
    pub(super) attributes: i32,
    pub(super) sequence: i32,
}

/// Returns a file `key` of `size` bytes in the component `c`.
pub(super) fn file(key: &str, name: &str, size: i32, sequence: i32) -> ForgedFile {
    ForgedFile {
        key: key.into(),
        component: "c".into(),
        name: name.into(),
        size,
        version: None,
        attributes: 0,
        sequence,
    }
}

impl Forge {
    pub(super) fn valid() -> Self {
        let code = "{00000000-0000-3000-8000-000000000000}".to_owned();
        let properties = [
            ("ProductName", "Example".to_owned()),
            ("ProductVersion", "1.2.3".to_owned()),
        ];
        let directory = |key: &str, parent: Option<&str>, name: &str| {
            (key.into(), parent.map(str::to_owned), name.into())
        };
        Self {
            kind: PackageType::Installer,
            code_page: CodePage::Windows1252,
            properties: properties
                .into_iter()
                .chain([("ProductCode", code)])
                .collect(),
            directories: vec![
                directory("TARGETDIR", None, "SourceDir"),
                directory(
                    "ProgramFilesFolder",
                    Some("TARGETDIR"),
                    "PFiles|Program Files",
                ),
            ],
            components: vec![("c".into(), "ProgramFilesFolder".into())],
            conditions: BTreeMap::new(),
            features: vec![],
            feature_components: vec![],
            word_count: None,
            files: vec![file("f", "a.txt", 5, 1)],
            media: vec![(1, Some("#cab".into()))],
            hashes: vec![],
            streams: vec![("cab".into(), stored(&[("f", b"hello")]))],
            more_tables: vec![],
        }
    }

    /// Returns a valid package with other files, all in one uncompressed cabinet.
    pub(super) fn with_files(files: &[(&str, &[u8])]) -> Self {
        let keys: Vec<String> = (1..=files.len())
            .map(|number| format!("f{number}"))
            .collect();
        let rows = files.iter().zip(&keys).zip(1..);
        let bytes: Vec<_> = keys
            .iter()
            .zip(files)
            .map(|(key, (_, bytes))| (key.as_str(), *bytes))
            .collect();
        Self {
            files: rows
                .map(|(((name, bytes), key), at)| file(key, name, bytes.len() as i32, at))
                .collect(),
            media: vec![(files.len() as i32, Some("#cab".into()))],
            streams: vec![("cab".into(), stored(&bytes))],
            ..Self::valid()
        }
    }

    pub(super) fn add_directory(&mut self, key: &str, parent: &str, name: &str) {
        self.directories
            .push((key.into(), Some(parent.into()), name.into()));
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let mut package = Package::create(self.kind, Cursor::new(Vec::new())).expect("a package");
        package.set_database_codepage(self.code_page);
        let texts = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| Value::from(*text))
                .collect::<Vec<_>>()
        };
        let properties = self
            .properties
            .iter()
            .map(|(name, value)| texts(&[name, value]))
            .collect();
        write_table(
            &mut package,
            "Property",
            &["*Property", "Value"],
            properties,
        );
        let nullable = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
        let directories = self.directories.iter().map(|(key, parent_key, name)| {
            vec![
                Value::from(key.as_str()),
                nullable(parent_key),
                Value::from(name.as_str()),
            ]
        });
        write_table(
            &mut package,
            "Directory",
            &["*Directory", "Directory_Parent", "DefaultDir"],
            directories.collect(),
        );
        let components = self.components.iter().map(|(key, directory)| {
            let mut row = texts(&[key, directory]);
            let condition = self.conditions.get(key.as_str());
            row.push(condition.map_or(Value::Null, |condition| Value::from(*condition)));
            row
        });
        write_table(
            &mut package,
            "Component",
            &["*Component", "Directory_", "Condition"],
            components.collect(),
        );
        if !self.features.is_empty() {
            self.write_features(&mut package);
        }
        if let Some(word_count) = self.word_count {
            package.summary_info_mut().set_word_count(word_count);
        }
        let columns = [
            "*File",
            "Component_",
            "FileName",
            "#FileSize",
            "Version",
            "#Attributes",
            "#Sequence",
        ];
        let files = self.files.iter().map(|file| {
            let mut row = texts(&[&file.key, &file.component, &file.name]);
            row.push(Value::Int(file.size));
            row.push(file.version.map_or(Value::Null, Value::from));
            row.extend([file.attributes, file.sequence].map(Value::Int));
            row
        });
        write_table(&mut package, "File", &columns, files.collect());
        let media = self.media.iter().zip(1..).map(|((last, cabinet), disk)| {
            vec![Value::Int(disk), Value::Int(*last), nullable(cabinet)]
        });
        write_table(
            &mut package,
            "Media",
            &["*#DiskId", "#LastSequence", "Cabinet"],
            media.collect(),
        );
        let hashes = self.hashes.iter().map(|(key, parts)| {
            [Value::from(key.as_str()), Value::Int(0)]
                .into_iter()
                .chain(parts.map(Value::Int))
                .collect()
        });
        let columns = [
            "*File_",
            "#Options",
            "#HashPart1",
            "#HashPart2",
            "#HashPart3",
            "#HashPart4",
        ];
        write_table(&mut package, "MsiFileHash", &columns, hashes.collect());
        for table in &self.more_tables {
            write_table(&mut package, table, &["*Key"], vec![texts(&["x"])]);
        }
        for (name, bytes) in &self.streams {
            package
                .write_stream(name)
                .expect("a stream")
                .write_all(bytes)
                .expect("written");
        }
        package.into_inner().expect("written").into_inner()
    }

    fn write_features(&self, package: &mut Package<Cursor<Vec<u8>>>) {
        let rows = self.features.iter().map(|(name, parent, level)| {
            let parent = parent.map_or(Value::Null, Value::from);
            vec![Value::from(*name), parent, Value::Int(*level)]
        });
        let columns = ["*Feature", "Feature_Parent", "#Level"];
        write_table(package, "Feature", &columns, rows.collect());
        let rows = self.feature_components.iter();
        let rows =
            rows.map(|(feature, component)| vec![Value::from(*feature), Value::from(*component)]);
        let columns = ["*Feature_", "*Component_"];
        write_table(package, "FeatureComponents", &columns, rows.collect());
    }
}

/// Writes a table. The name of a column begins with `#` for numbers and with `*` for a key.
fn write_table(
    package: &mut Package<Cursor<Vec<u8>>>,
    table: &str,
    columns: &[&str],
    rows: Vec<Vec<Value>>,
) {
    let column = |name: &&str| {
        let plain = name.trim_start_matches(['*', '#']);
        let column = Column::build(plain);
        let column = if name.starts_with('*') {
            column.primary_key()
        } else {
            column.nullable()
        };
        if name.contains('#') {
            column.int32()
        } else {
            column.string(255)
        }
    };
    package
        .create_table(table, columns.iter().map(column).collect())
        .expect("a table");
    if !rows.is_empty() {
        package
            .insert_rows(Insert::into(table).rows(rows))
            .expect("rows");
    }
}

/// Returns a package with changed streams. `change` gets the name of each in the compound file.
pub(super) fn rewrite_streams(
    package: &[u8],
    mut change: impl FnMut(&str, &mut Vec<u8>),
) -> Vec<u8> {
    use std::io::Read;
    let mut from = cfb::CompoundFile::open(Cursor::new(package)).expect("a compound file");
    let mut to = cfb::CompoundFile::create_with_version(cfb::Version::V3, Cursor::new(Vec::new()))
        .expect("a compound file");
    to.set_storage_clsid("/", *from.root_entry().clsid())
        .expect("the kind");
    let names: Vec<String> = from
        .read_root_storage()
        .map(|entry| entry.name().to_owned())
        .collect();
    for name in names {
        let mut bytes = Vec::new();
        from.open_stream(&name)
            .expect("a stream")
            .read_to_end(&mut bytes)
            .expect("read");
        change(&name, &mut bytes);
        to.create_stream(&name)
            .expect("a stream")
            .write_all(&bytes)
            .expect("written");
    }
    to.flush().expect("written");
    to.into_inner().into_inner()
}

/// Block group of a forged cabinet.
#[derive(Clone)]
pub(super) struct ForgedBlockGroup {
    pub(super) compression: u16,
    /// Packed blocks, with their unpacked sizes.
    pub(super) blocks: Vec<(Vec<u8>, u16)>,
}

/// File of a forged cabinet.
#[derive(Clone)]
pub(super) struct ForgedEntry {
    pub(super) name: &'static str,
    pub(super) group: u16,
    pub(super) start: u32,
    pub(super) size: u32,
}

pub(super) fn cabinet(groups: &[ForgedBlockGroup], entries: &[ForgedEntry]) -> Vec<u8> {
    cabinet_of_set(groups, entries, [None, None])
}

/// Returns a cabinet of a set, with the names of the previous and the next one.
pub(super) fn cabinet_of_set(
    groups: &[ForgedBlockGroup],
    entries: &[ForgedEntry],
    adjacent: [Option<&str>; 2],
) -> Vec<u8> {
    let names: usize = entries.iter().map(|entry| 17 + entry.name.len()).sum();
    // Each name is followed by that of its disk, which is empty.
    let adjacent_names = adjacent.iter().flatten();
    let adjacent_names: Vec<u8> = adjacent_names
        .flat_map(|name| name.bytes().chain([0, 0]))
        .collect();
    let flags = u16::from(adjacent[0].is_some()) | u16::from(adjacent[1].is_some()) << 1;
    let files_at = (36 + adjacent_names.len() + 8 * groups.len()) as u32;
    let mut at = files_at as usize + names;
    let mut bytes = Vec::from(*b"MSCF");
    [0, 0, 0, files_at, 0]
        .iter()
        .for_each(|number: &u32| bytes.extend(number.to_le_bytes()));
    let counts = [
        0x0103,
        groups.len() as u16,
        entries.len() as u16,
        flags,
        0,
        0,
    ];
    counts
        .iter()
        .for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.extend(adjacent_names);
    for group in groups {
        bytes.extend((at as u32).to_le_bytes());
        bytes.extend((group.blocks.len() as u16).to_le_bytes());
        bytes.extend(group.compression.to_le_bytes());
        at += group
            .blocks
            .iter()
            .map(|(packed, _)| 8 + packed.len())
            .sum::<usize>();
    }
    for entry in entries {
        bytes.extend(entry.size.to_le_bytes());
        bytes.extend(entry.start.to_le_bytes());
        bytes.extend(entry.group.to_le_bytes());
        // 2008-03-31 18:32
        bytes.extend((28_u16 << 9 | 3 << 5 | 31).to_le_bytes());
        bytes.extend((18_u16 << 11 | 32 << 5).to_le_bytes());
        bytes.extend(0x20_u16.to_le_bytes());
        bytes.extend(entry.name.bytes().chain([0]));
    }
    for (packed, unpacked) in groups.iter().flat_map(|group| &group.blocks) {
        let sizes = [(packed.len() as u16).to_le_bytes(), unpacked.to_le_bytes()].concat();
        bytes.extend((checksum(packed) ^ checksum(&sizes)).to_le_bytes());
        bytes.extend(sizes);
        bytes.extend(packed);
    }
    let size = bytes.len() as u32;
    bytes[8..12].copy_from_slice(&size.to_le_bytes());
    bytes
}

/// Returns a cabinet with one uncompressed block group, made by the library `cab`.
pub(super) fn stored(files: &[(&str, &[u8])]) -> Vec<u8> {
    packed(cab::CompressionType::None, &[files])
}

/// Returns a cabinet made by the library `cab`, with the files of each group.
pub(super) fn packed(compression: cab::CompressionType, groups: &[&[(&str, &[u8])]]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    for files in groups {
        let group = builder.add_folder(compression);
        for (name, _) in *files {
            group.add_file(*name);
        }
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).expect("a cabinet");
    for (_, bytes) in groups.iter().flat_map(|files| files.iter()) {
        let mut file = writer.next_file().expect("a file").expect("one more file");
        file.write_all(bytes).expect("written");
    }
    writer.finish().expect("a cabinet").into_inner()
}

/// Writer of LZX, as far as the tests need it: no available library writes it.
///
/// The main tree has all literals and one match: eight bytes from the last offset.
#[derive(Default)]
pub(super) struct LzxWriter {
    bytes: Vec<u8>,
    word: u16,
    filled: u32,
}

/// Compression of a group: LZX with a window of 32 KiB.
pub(super) const LZX_32_KIB: u16 = 15 << 8 | 3;

impl LzxWriter {
    /// Begins a group, without translation of addresses.
    pub(super) fn begin() -> Self {
        let mut lzx = Self::default();
        lzx.bits(0, 1);
        lzx
    }

    pub(super) fn block(&mut self, kind: u32, size: usize) {
        self.bits(kind, 3);
        self.bits(size as u32, 24);
    }

    /// Writes a block of uncompressed bytes, with the offsets that later matches may repeat.
    pub(super) fn plain(&mut self, offsets: [u32; 3], bytes: &[u8], size: usize) {
        self.block(3, size);
        self.align();
        offsets
            .iter()
            .for_each(|offset| self.bytes.extend(offset.to_le_bytes()));
        self.bytes.extend(bytes);
    }

    /// Writes the trees of a block of literals and matches.
    pub(super) fn trees(&mut self) {
        // Each tree is encoded with a smaller one of twenty codes: 17 and 18 are runs of zeros.
        self.pretree(&[(8, 1), (9, 1)]);
        (0..255).for_each(|_| self.bits(1, 1));
        self.bits(0, 1);
        self.pretree(&[(8, 1), (17, 2), (18, 2)]);
        self.bits(0b10, 2);
        self.bits(6 - 4, 4);
        self.bits(0, 1);
        for run in [51, 51, 51, 51, 29] {
            self.bits(0b11, 2);
            self.bits(run - 20, 5);
        }
        self.pretree(&[(17, 1), (18, 1)]);
        for run in [51, 51, 51, 51, 45] {
            self.bits(1, 1);
            self.bits(run - 20, 5);
        }
    }

    pub(super) fn literal(&mut self, byte: u8) {
        match byte {
            255 => self.bits(0b1_1111_1110, 9),
            _ => self.bits(u32::from(byte), 8),
        }
    }

    /// Writes a match of eight bytes at the last offset: one byte, unless a block has set another.
    pub(super) fn repeat_eight(&mut self) {
        self.bits(0b1_1111_1111, 9);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }

    fn pretree(&mut self, lengths: &[(usize, u32)]) {
        let length = |code| {
            lengths
                .iter()
                .find(|(known, _)| *known == code)
                .map_or(0, |(_, length)| *length)
        };
        (0..20).for_each(|code| self.bits(length(code), 4));
    }

    /// Writes bits, the highest first, in little-endian words of sixteen bits.
    fn bits(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.word = self.word << 1 | (value >> bit & 1) as u16;
            self.filled += 1;
            if self.filled == 16 {
                self.bytes.extend(self.word.to_le_bytes());
                (self.word, self.filled) = (0, 0);
            }
        }
    }

    pub(super) fn align(&mut self) {
        while self.filled != 0 {
            self.bits(0, 1);
        }
    }
}
