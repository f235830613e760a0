//! Fuzz target that puts any bytes in the place of one of rollup's own files: a journal, a plan, the
//! attributes, the events, the lock's owner or the format. It reads the runs as `status`, `history`,
//! `report` and `undo` do, none of which may panic or hang, and reads saved plans.
//!
//! The first byte chooses a stored deployment of `fixtures/runs`, the second one the file. From the
//! repository's root:
//!
//! ```text
//! mkdir -p fuzz/corpus/runs
//! RUSTC_BOOTSTRAP=1 cargo fuzz run runs fuzz/corpus/runs -- -max_len=65536
//! ```

#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rollup::deployment::lock::{check_rollup_directory, holder};
use rollup::deployment::tree::Tree;
use rollup::events::{self, Records, RunSummary};
use rollup::journal::runs;
use rollup::plan::parse;
use rollup::run::{examine, load_plan, undo_answers};

/// Contents of a deployment by path; `None` is a directory.
type StoredTree = BTreeMap<PathBuf, Option<String>>;

const STORED: [&str; 4] = [
    include_str!("../../fixtures/runs/1/between.json"),
    include_str!("../../fixtures/runs/1/waiting.json"),
    include_str!("../../fixtures/runs/1/turned.json"),
    include_str!("../../fixtures/runs/1/finished.json"),
];

/// Deployment on disk, with its own files and their contents.
struct Deployment {
    tree: Tree,
    own: Vec<(PathBuf, String)>,
}

static DEPLOYMENTS: LazyLock<Vec<Deployment>> = LazyLock::new(|| {
    let process = std::process::id();
    let at = |number: usize| std::env::temp_dir().join(format!("rollup-fuzz-{process}-{number}"));
    let stored = STORED.iter().enumerate();
    stored.map(|(number, text)| write(text, &at(number))).collect()
});

fn write(text: &str, at: &Path) -> Deployment {
    let stored: StoredTree = serde_json::from_str(text).expect("a stored tree");
    fs::create_dir_all(at).expect("made");
    let mut own = Vec::new();
    for (path, content) in stored {
        let path = at.join(path);
        let Some(content) = content else {
            fs::create_dir_all(&path).expect("made");
            continue;
        };
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, &content).expect("written");
        let is_own = path.starts_with(at.join(".rollup"));
        if is_own && !path.components().any(|part| part.as_os_str() == "slots") {
            own.push((path, content));
        }
    }
    Deployment {
        tree: Tree::open(at).expect("a directory"),
        own,
    }
}

/// Reads everything that the commands read which only read.
fn read_all(tree: &Tree) {
    // An error is a result like any other.
    let _ = check_rollup_directory(tree);
    let _ = holder(tree);
    let Ok(runs) = runs(tree) else { return };
    for run in &runs {
        let plan = load_plan(tree, &run.directory).ok();
        let records = Records {
            run: Some(run),
            plan: plan.as_ref(),
        };
        let _ = RunSummary::of(run.name(), &events::read(tree, run.name()), &records);
        if let Some(plan) = &plan {
            let _ = examine(tree, &run.directory, plan);
        }
    }
    let _ = undo_answers(tree, &runs, None);
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [deployment, file, bytes @ ..] = bytes else {
        return;
    };
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(plan) = parse(text)
    {
        let again = parse(&plan.to_json()).expect("what is written can be read");
        assert_eq!(again.digest, plan.digest);
    }
    let deployment = &DEPLOYMENTS[usize::from(*deployment) % STORED.len()];
    let (path, content) = &deployment.own[usize::from(*file) % deployment.own.len()];
    fs::write(path, bytes).expect("written");
    read_all(&deployment.tree);
    fs::write(path, content).expect("written");
});
