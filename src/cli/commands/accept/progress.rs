//! Progress of a run that is closed or quarantined.

use crate::cli::lines::labelled;
use crate::cli::state_now::operations_done;
use crate::cli::terminal::out::{self, BAD, WARN, count};
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::Tree;
use crate::names::Escaped;
use crate::plan::Plan;
use crate::run::{SwapState, emptied_paths, examine};

/// Shows how many operations are done, which swaps are between, which files conflict, and which paths
/// are empty now.
pub(super) fn show_progress(tree: &Tree, run: &RunDir, plan: &Plan) -> anyhow::Result<()> {
    let examined = examine(tree, run, plan)?;
    out::line(format_args!("  {}", operations_done(plan, &examined)));
    for swap in &plan.swaps {
        if examined.swaps.get(&swap.number) == Some(&SwapState::Between) {
            let kept = run.slot(swap.number);
            let (live, kept) = (Escaped(swap.live.as_str()), Escaped(kept.as_str()));
            out::line(format_args!(
                "  between: `{live}`; its objects are in `{kept}`"
            ));
        }
    }
    for problem in &examined.problems {
        labelled(BAD, "needs attention", Escaped(problem));
    }
    for empty in emptied_paths(tree, run, plan)? {
        let (live, kept) = (Escaped(empty.live.as_str()), Escaped(empty.kept.as_str()));
        let text = format!("`{live}`; its old object is kept as `{kept}`");
        labelled(WARN, "empty now", text);
    }
    Ok(())
}

/// Shows how many old objects the slots of a run hold whose plan cannot be read.
pub(super) fn show_slots(tree: &Tree, run: &RunDir) -> anyhow::Result<()> {
    let mut kept = 0;
    for (slot, _) in tree.names(&run.slots())? {
        let old = tree.metadata(&run.old_object(slot))?;
        kept += usize::from(old.is_some());
    }
    let objects = count(kept, "object");
    out::line(format_args!(
        "  its directory keeps {objects} that it replaced; without its plan their live paths are unknown"
    ));
    Ok(())
}
