//! A plan as Markdown, for the ticket in which it is approved.

use super::out::{count, number};
use super::preview::{change, grouped, target};
use super::way_back::{inverse, stands_again};
use crate::names::{Kb, Shown};
use crate::plan::{Operation, Plan, PlannedStep, Side, Subject};

/// The whole plan: what and where, what to look at first, the steps with their operations, the files old and new,
/// what is down meanwhile, and the way back.
pub(super) fn text(plan: &Plan) -> String {
    let mut page = Page::default();
    page.head(plan);
    page.first(plan);
    page.line("## Steps");
    for (at, step) in plan.steps.iter().enumerate() {
        page.step(at + 1, step);
    }
    page.files(plan);
    page.meanwhile(plan);
    page.way_back(plan);
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// A line, and an empty one behind it.
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push_str("\n\n");
    }

    fn table(&mut self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut row = |cells: &[String]| {
            self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
        };
        row(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
        row(&head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
        rows.into_iter().for_each(|cells| row(&cells));
        self.text.push('\n');
    }

    fn list(&mut self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.text.push_str(&format!("- {line}\n")));
        self.text.push('\n');
    }

    fn head(&mut self, plan: &Plan) {
        let title = match &plan.subject {
            Subject::Rollup(rollup) => format!("{} revision {}: {}", rollup.kb, rollup.revision, plain(&rollup.title)),
            Subject::Accept(acceptance) => format!("accept what lies on disk: {}", plain(&acceptance.reason)),
        };
        self.line(&format!("# {title}"));
        let digest = match &plan.digest {
            Some(digest) => format!("`{digest}`"),
            None => "none: a preview without a payload, so nobody can tell what will be written".to_owned(),
        };
        let operations = count(plan.operations().count(), "operation", "operations");
        let rows = [
            ("deployment", plain(&plan.deployment)),
            ("in force now", level(&plan.level.before)),
            ("in force afterwards", level(&plan.level.after)),
            ("plan", digest),
            ("size", format!("{operations} in {}", count(plan.steps.len(), "step", "steps"))),
            (
                "point of no return",
                plan.point_of_no_return().map_or("none".to_owned(), |step| format!("step {}", plain(&step.id))),
            ),
        ];
        self.table(&["", ""], rows.map(|(name, value)| vec![name.to_owned(), value]));
    }

    /// What has to be looked at or answered before anything else.
    fn first(&mut self, plan: &Plan) {
        if !plan.confirmations.is_empty() {
            self.line("## To be confirmed first");
            let asked = |asked: &crate::plan::Confirmation| format!("`{}`: {}", asked.id, plain(&asked.question));
            self.list(plan.confirmations.iter().map(asked));
        }
        let left_out = plan.steps.iter().filter(|step| !step.left_out.is_empty()).map(|step| {
            let names: Vec<_> = step.left_out.iter().map(|name| plain(name)).collect();
            format!("left out of step {}, as not installed here: {}", plain(&step.id), names.join(", "))
        });
        let warnings: Vec<String> = plan.warnings.iter().map(|warning| plain(warning)).chain(left_out).collect();
        if !warnings.is_empty() {
            self.line("## Warnings");
            self.list(warnings);
        }
    }

    fn step(&mut self, at: usize, step: &PlannedStep) {
        self.line(&format!("### {at}. {}: {}", plain(&step.id), plain(&step.title)));
        if let Some(gate) = &step.gate {
            let optional = if gate.optional { ", may be skipped" } else { "" };
            self.line(&format!("By hand{optional}; the run waits here: {}", plain(&gate.instructions)));
            let undo = gate.undo.as_deref().map_or("nobody says how: this is the point of no return".to_owned(), plain);
            self.line(&format!("Taken back: {undo}"));
        }
        if !step.operations.is_empty() {
            let row = |group: Vec<&Operation>| {
                let first = group[0];
                vec![first.kind.word().to_owned(), plain(&target(&group)), plain(&change(first)), plain(&first.seen)]
            };
            self.table(&["operation", "target", "change", "seen"], grouped(&step.operations).into_iter().map(row));
        }
        if !step.nothing.is_empty() {
            self.list(
                step.nothing.iter().map(|idle| format!("nothing: {}: {}", plain(&idle.target), plain(&idle.why))),
            );
        }
    }

    /// Every file that a step copies, old and new, with whole hashes.
    fn files(&mut self, plan: &Plan) {
        let side = |side: &Side| match side {
            Side::File { size, sha256 } => format!("{} bytes, `{sha256}`", number(*size)),
            _ => "nothing".to_owned(),
        };
        let copied = plan.operations().filter(|operation| matches!(operation.becomes, Side::File { .. }));
        let rows: Vec<_> = copied
            .map(|operation| vec![plain(operation.at.as_str()), side(&operation.was), side(&operation.becomes)])
            .collect();
        if !rows.is_empty() {
            self.line("## Files");
            self.table(&["file", "now", "afterwards"], rows);
        }
    }

    fn meanwhile(&mut self, plan: &Plan) {
        if plan.meanwhile.is_empty() {
            return;
        }
        self.line("## Meanwhile without something they require");
        let row = |lacking: &crate::plan::Lacking| {
            vec![plain(&lacking.instance), plain(&lacking.without), plain(&lacking.from), plain(&lacking.to)]
        };
        self.table(&["what", "is without", "from step", "to step"], plan.meanwhile.iter().map(row));
    }

    fn way_back(&mut self, plan: &Plan) {
        self.line("## The way back");
        for (at, step) in plan.steps.iter().enumerate().rev() {
            self.line(&format!("### {}. {}", at + 1, plain(&step.id)));
            if let Some(gate) = &step.gate {
                let undo = gate.undo.as_deref().map(plain);
                self.line(&undo.clone().unwrap_or_else(|| "Nobody says how this is taken back.".to_owned()));
                if undo.is_none() {
                    break;
                }
            }
            let row = |group: Vec<&Operation>| {
                let (_, word) = inverse(group[0]);
                vec![word.to_owned(), plain(&target(&group)), stands_again(&group[0].was)]
            };
            if !step.operations.is_empty() {
                self.table(&["", "target", "stands again"], grouped(&step.operations).into_iter().rev().map(row));
            }
        }
        let trimmed = self.text.trim_end().len();
        self.text.truncate(trimmed);
    }
}

fn level(kbs: &[Kb]) -> String {
    match kbs {
        [] => "nothing".to_owned(),
        kbs => kbs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// A text that means nothing to Markdown, on one line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '|' | '#') {
            plain.push('\\');
        }
        plain.push(c);
    }
    Shown(&plain).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendors_words_mean_nothing_to_markdown() {
        assert_eq!(plain("a|b\n`c` <d>"), "a\\|b \\`c\\` \\<d>");
        assert_eq!(plain("Exchange 2007 Provider"), "Exchange 2007 Provider");
    }
}
