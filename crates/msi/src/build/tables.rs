//! Database of a package, with enough tables for an installer engine to install and remove it.

use std::io::{self, Cursor, Write};
use std::time::{Duration, SystemTime};

use md5::{Digest as _, Md5};
use msi::{CodePage, Column, Insert, LanguageId, Package, PackageType, Value};

use super::plan::{PRODUCT_DIRECTORY, PackagePlan};

type MsiDatabase = Package<Cursor<Vec<u8>>>;

/// Name of the stream with the cabinet.
const CABINET: &str = "files.cab";
const FEATURE: &str = "Complete";
/// Property that lists the older versions that an upgrade replaces.
const OLDER_VERSIONS: &str = "OLDERVERSIONS";
/// Windows Installer refuses databases in UTF-8, the library's default.
const CODE_PAGE: CodePage = CodePage::Windows1252;

/// Writes the database with its cabinet, as a compound file of version 4.
pub(super) fn build_database(plan: &PackagePlan<'_>, cabinet: &[u8]) -> io::Result<Vec<u8>> {
    let mut database = Package::create(PackageType::Installer, Cursor::new(Vec::new()))?;
    database.set_database_codepage(CODE_PAGE);
    write_summary(&mut database, plan);
    write_properties(&mut database, plan)?;
    write_directories(&mut database, plan)?;
    write_features(&mut database, plan)?;
    write_files(&mut database, plan)?;
    write_upgrade(&mut database, plan)?;
    for (table, actions) in SEQUENCES {
        write_sequence(&mut database, table, actions)?;
    }
    database.write_stream(CABINET)?.write_all(cabinet)?;
    Ok(database.into_inner()?.into_inner())
}

fn write_summary(database: &mut MsiDatabase, plan: &PackagePlan<'_>) {
    // The oldest version of the engine, and compressed files with long names.
    const ENGINE: i32 = 200;
    const COMPRESSED: i32 = 2;
    let modified = plan.modified.as_second().unsigned_abs();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(modified);
    let summary = database.summary_info_mut();
    summary.set_codepage(CODE_PAGE);
    summary.set_title("Installation Database");
    // The library measures this text in UTF-8 but writes it in the code page: after a character
    // that is not ASCII, the offsets would be wrong. Nothing reads the name of the product here.
    if plan.product.is_ascii() {
        summary.set_subject(plan.product);
    }
    summary.set_author(MANUFACTURER);
    summary.set_keywords(&["Installer".to_owned()]);
    summary.set_comments("Made for a rehearsal; it contains nothing of any product");
    summary.set_arch("Intel");
    summary.set_languages(&[LanguageId::from_id(1033)]);
    summary.set_uuid(plan.package_code);
    summary.set_creation_time(time);
    summary.set_last_save_time(time);
    summary.set_page_count(ENGINE);
    summary.set_word_count(COMPRESSED);
    summary.set_creating_application("rollup");
}

const MANUFACTURER: &str = "rollup rehearsal";

fn write_properties(database: &mut MsiDatabase, plan: &PackagePlan<'_>) -> io::Result<()> {
    let columns = vec![
        key("Property", 72),
        Column::build("Value").localizable().text_string(0),
    ];
    let values = [
        ("ALLUSERS", "1"),
        ("Manufacturer", MANUFACTURER),
        ("ProductCode", plan.product_code.as_str()),
        ("ProductLanguage", "1033"),
        ("ProductName", plan.product),
        ("ProductVersion", plan.version.as_str()),
        ("SecureCustomProperties", OLDER_VERSIONS),
        ("UpgradeCode", plan.upgrade_code.as_str()),
    ];
    let rows = values.map(|(name, value)| vec![Value::from(name), Value::from(value)]);
    write_table(database, "Property", columns, rows.into())
}

fn write_directories(database: &mut MsiDatabase, plan: &PackagePlan<'_>) -> io::Result<()> {
    let columns = vec![
        key("Directory", 72),
        Column::build("Directory_Parent").nullable().id_string(72),
        Column::build("DefaultDir").localizable().string(255),
    ];
    let mut rows = vec![
        vec![
            Value::from("TARGETDIR"),
            Value::Null,
            Value::from("SourceDir"),
        ],
        vec![
            Value::from("ProgramFilesFolder"),
            Value::from("TARGETDIR"),
            Value::from("PFiles|Program Files"),
        ],
    ];
    let texts = |texts: [&str; 3]| texts.map(Value::from).to_vec();
    rows.extend(
        plan.directories
            .iter()
            .map(|directory| texts([&directory.key, &directory.parent, &directory.name])),
    );
    write_table(database, "Directory", columns, rows)
}

/// Writes the components, one for each directory with files, and the features that contain them.
fn write_features(database: &mut MsiDatabase, plan: &PackagePlan<'_>) -> io::Result<()> {
    let mut components = Vec::new();
    let mut feature_components = Vec::new();
    for directory in &plan.directories {
        // The component counts as installed if its first file exists.
        let Some(first) = plan
            .all_files()
            .find(|file| file.component == directory.component)
        else {
            continue;
        };
        let [component, code, directory_key, file] = [
            &directory.component,
            &directory.component_code,
            &directory.key,
            &first.key,
        ];
        let [component, code, directory_key, file] =
            [component, code, directory_key, file].map(|text| Value::from(text.as_str()));
        let feature = plan.feature_of(directory).map_or(FEATURE, String::as_str);
        feature_components.push(vec![Value::from(feature), component.clone()]);
        components.push(vec![
            component,
            code,
            directory_key,
            Value::Int(0),
            Value::Null,
            file,
        ]);
    }
    let columns = vec![
        key("Component", 72),
        Column::build("ComponentId").nullable().string(38),
        Column::build("Directory_").id_string(72),
        Column::build("Attributes").int16(),
        Column::build("Condition").nullable().string(255),
        Column::build("KeyPath").nullable().id_string(72),
    ];
    write_table(database, "Component", columns, components)?;
    write_feature_rows(database, plan)?;
    write_table(
        database,
        "FeatureComponents",
        vec![key("Feature_", 38), key("Component_", 72)],
        feature_components,
    )
}

fn write_feature_rows(database: &mut MsiDatabase, plan: &PackagePlan<'_>) -> io::Result<()> {
    let columns = vec![
        key("Feature", 38),
        Column::build("Feature_Parent").nullable().id_string(38),
        Column::build("Title")
            .nullable()
            .localizable()
            .text_string(64),
        Column::build("Description")
            .nullable()
            .localizable()
            .text_string(255),
        Column::build("Display").nullable().int16(),
        Column::build("Level").int16(),
        Column::build("Directory_").nullable().id_string(72),
        Column::build("Attributes").int16(),
    ];
    // Features up to level 1 are installed by default.
    let row = |feature: &str, title: &str, level: i32| {
        vec![
            Value::from(feature),
            Value::Null,
            Value::from(title.chars().take(64).collect::<String>()),
            Value::Null,
            Value::Int(1),
            Value::Int(level),
            Value::from(PRODUCT_DIRECTORY),
            Value::Int(0),
        ]
    };
    let mut rows = vec![row(FEATURE, plan.product, 1)];
    rows.extend(plan.features.iter().map(|feature| row(feature, feature, 2)));
    write_table(database, "Feature", columns, rows)
}

fn write_files(database: &mut MsiDatabase, plan: &PackagePlan<'_>) -> io::Result<()> {
    let mut files = Vec::new();
    let mut hashes = Vec::new();
    for (file, sequence) in plan.all_files().zip(1..) {
        let [key, component, name] =
            [&file.key, &file.component, &file.name].map(|text| Value::from(text.as_str()));
        // Vital: without the file, the installation fails.
        let (size, vital) = (Value::Int(file.bytes.len() as i32), Value::Int(512));
        let sequence = Value::Int(sequence);
        files.push(vec![
            key.clone(),
            component,
            name,
            size,
            Value::Null,
            Value::Null,
            vital,
            sequence,
        ]);
        let parts = hash_parts(file.bytes).map(Value::Int);
        hashes.push([key, Value::Int(0)].into_iter().chain(parts).collect());
    }
    let last = Value::Int(i32::try_from(files.len()).unwrap_or(i32::MAX));
    let columns = vec![
        key("File", 72),
        Column::build("Component_").id_string(72),
        Column::build("FileName").localizable().string(255),
        Column::build("FileSize").int32(),
        Column::build("Version").nullable().string(72),
        Column::build("Language").nullable().string(20),
        Column::build("Attributes").nullable().int16(),
        Column::build("Sequence").int16(),
    ];
    write_table(database, "File", columns, files)?;
    let mut columns = vec![key("File_", 72), Column::build("Options").int16()];
    columns.extend((1..=4).map(|part| Column::build(format!("HashPart{part}")).int32()));
    write_table(database, "MsiFileHash", columns, hashes)?;
    write_media(database, last)
}

/// Writes the medium with all files: the cabinet up to the last sequence.
fn write_media(database: &mut MsiDatabase, last: Value) -> io::Result<()> {
    let columns = vec![
        Column::build("DiskId").primary_key().int16(),
        Column::build("LastSequence").int16(),
        Column::build("DiskPrompt")
            .nullable()
            .localizable()
            .text_string(64),
        Column::build("Cabinet").nullable().string(255),
        Column::build("VolumeLabel").nullable().string(32),
        Column::build("Source").nullable().id_string(72),
    ];
    let cabinet = Value::from(format!("#{CABINET}"));
    write_table(
        database,
        "Media",
        columns,
        vec![vec![
            Value::Int(1),
            last,
            Value::Null,
            cabinet,
            Value::Null,
            Value::Null,
        ]],
    )
}

/// Returns the MD5 of a file as the four numbers of a row.
fn hash_parts(bytes: &[u8]) -> [i32; 4] {
    let hash: [u8; 16] = Md5::digest(bytes).into();
    let mut parts = [0; 4];
    for (part, bytes) in parts.iter_mut().zip(hash.as_chunks().0) {
        *part = i32::from_le_bytes(*bytes);
    }
    parts
}

/// Writes the rule by which a newer version replaces the older ones.
fn write_upgrade(database: &mut MsiDatabase, plan: &PackagePlan<'_>) -> io::Result<()> {
    const INCLUDES_MINIMUM: i32 = 256;
    let columns = vec![
        Column::build("UpgradeCode").primary_key().string(38),
        Column::build("VersionMin")
            .primary_key()
            .nullable()
            .string(20),
        Column::build("VersionMax")
            .primary_key()
            .nullable()
            .string(20),
        Column::build("Language")
            .primary_key()
            .nullable()
            .string(255),
        Column::build("Attributes").primary_key().int32(),
        Column::build("Remove").nullable().string(255),
        Column::build("ActionProperty").id_string(72),
    ];
    let [code, first, version] =
        [&plan.upgrade_code, "0.0.0", plan.version.as_str()].map(Value::from);
    let row = vec![
        code,
        first,
        version,
        Value::Null,
        Value::Int(INCLUDES_MINIMUM),
        Value::Null,
        Value::from(OLDER_VERSIONS),
    ];
    write_table(database, "Upgrade", columns, vec![row])
}

fn write_sequence(
    database: &mut MsiDatabase,
    table: &str,
    actions: &[(&str, i32)],
) -> io::Result<()> {
    let columns = vec![
        key("Action", 72),
        Column::build("Condition").nullable().string(255),
        Column::build("Sequence").nullable().int16(),
    ];
    let rows = actions
        .iter()
        .map(|(action, at)| vec![Value::from(*action), Value::Null, Value::Int(*at)]);
    write_table(database, table, columns, rows.collect())
}

fn key(name: &str, length: usize) -> Column {
    Column::build(name).primary_key().id_string(length)
}

fn write_table(
    database: &mut MsiDatabase,
    table: &str,
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
) -> io::Result<()> {
    database.create_table(table, columns)?;
    database.insert_rows(Insert::into(table).rows(rows))
}

/// Standard actions of each sequence, in their order.
const SEQUENCES: [(&str, &[(&str, i32)]); 5] = [
    (
        "InstallExecuteSequence",
        &[
            ("FindRelatedProducts", 25),
            ("ValidateProductID", 700),
            ("CostInitialize", 800),
            ("FileCost", 900),
            ("CostFinalize", 1000),
            ("MigrateFeatureStates", 1200),
            ("InstallValidate", 1400),
            ("RemoveExistingProducts", 1450),
            ("InstallInitialize", 1500),
            ("ProcessComponents", 1600),
            ("UnpublishFeatures", 1800),
            ("RemoveFiles", 3500),
            ("InstallFiles", 4000),
            ("RegisterUser", 6000),
            ("RegisterProduct", 6100),
            ("PublishFeatures", 6300),
            ("PublishProduct", 6400),
            ("InstallFinalize", 6600),
        ],
    ),
    (
        "InstallUISequence",
        &[
            ("FindRelatedProducts", 25),
            ("ValidateProductID", 700),
            ("CostInitialize", 800),
            ("FileCost", 900),
            ("CostFinalize", 1000),
            ("MigrateFeatureStates", 1200),
            ("ExecuteAction", 1300),
        ],
    ),
    (
        "AdminExecuteSequence",
        &[
            ("CostInitialize", 800),
            ("FileCost", 900),
            ("CostFinalize", 1000),
            ("InstallValidate", 1400),
            ("InstallInitialize", 1500),
            ("InstallAdminPackage", 3900),
            ("InstallFiles", 4000),
            ("InstallFinalize", 6600),
        ],
    ),
    (
        "AdminUISequence",
        &[
            ("CostInitialize", 800),
            ("FileCost", 900),
            ("CostFinalize", 1000),
            ("ExecuteAction", 1300),
        ],
    ),
    (
        "AdvtExecuteSequence",
        &[
            ("CostInitialize", 800),
            ("CostFinalize", 1000),
            ("InstallValidate", 1400),
            ("InstallInitialize", 1500),
            ("PublishFeatures", 6300),
            ("PublishProduct", 6400),
            ("InstallFinalize", 6600),
        ],
    ),
];
