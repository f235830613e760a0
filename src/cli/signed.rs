//! Signatures that a run needs: the approvals of its plan, and that of the author of its manifest.
//!
//! Both are checked under the lock, before the prompt, against the files of signers that
//! `deployment.toml` names. A run that is staged keeps its approvals, which are checked again before
//! its commit begins. From then on nothing depends on them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::args::ApprovalArgs;
use super::failure::Failure;
use super::inputs;
use crate::cli::terminal::out::{count_of, list, shell_quoted};
use crate::deployment::description::{Description, RequiredApprovals};
use crate::deployment::run_dir::{ROLLUP_DIR, RunDir};
use crate::deployment::tree::{FileKind, Tree};
use crate::journal::{Outcome, Record, RecordedApproval, Run, RunSignatures, Signer, runs};
use crate::names::{Digest, Escaped, RelPath, escaped_path};
use crate::plan::Plan;
use crate::run::{SignedFiles, SignedStatement};
use crate::signatures::{
    LARGEST_SIGNATURE, LARGEST_SIGNERS, Namespace, Signers, Statement, Verified,
};

/// Size of the largest statement that is read, in bytes.
const LARGEST_STATEMENT: u64 = 64 * 1024;

/// Largest number of approvals of a run that are read.
const MOST_APPROVALS: usize = 1000;

/// Reason that a rehearsal records in place of the approvals.
pub(super) const REHEARSAL: &str = "a rehearsal needs no approval";

/// Approvals that a command was given.
#[derive(Debug, Clone, Default)]
pub(super) struct GivenApprovals {
    approvals: Vec<GivenApproval>,
    /// Reason to go on without the required approvals.
    without: Option<String>,
    /// Saved plan that was typed, if it was one.
    saved_plan: Option<PathBuf>,
}

/// Approval, with the file that it was read from.
#[derive(Debug, Clone)]
struct GivenApproval {
    /// The file, as it is shown.
    shown: String,
    signed: SignedStatement,
}

/// Approvals that count.
#[derive(Debug, Clone, Default)]
pub(super) struct Authorization {
    pub(super) signatures: RunSignatures,
    pub(super) signed: SignedFiles,
}

impl GivenApprovals {
    /// Returns what a rehearsal has in place of approvals.
    pub(super) fn of_rehearsal() -> Self {
        Self {
            without: Some(REHEARSAL.to_owned()),
            ..Self::default()
        }
    }

    /// Reads the approvals that the command line names.
    ///
    /// # Errors
    ///
    /// A file cannot be read, the reason is blank, or the deployment requires no approval.
    pub(super) fn read(
        args: &ApprovalArgs,
        site: &Description,
        saved_plan: Option<&Path>,
    ) -> Result<Self, Failure> {
        let is_given = !args.approval.is_empty() || args.without_approval.is_some();
        if is_given && rules(site).is_none() {
            let name = Escaped(&site.name);
            let reason = format!("the deployment {name} requires no approval");
            let next = "leave out `--approval` and `--without-approval`, or add `[approval]` to \
                        `deployment.toml`";
            return Err(Failure::usage(reason).next(next));
        }
        if args
            .without_approval
            .as_ref()
            .is_some_and(|reason| reason.trim().is_empty())
        {
            return Err(Failure::usage("`--without-approval` needs a reason")
                .next("write why in words: `--without-approval REASON`"));
        }
        let approvals = args.approval.iter().map(|path| GivenApproval::read(path));
        Ok(Self {
            approvals: approvals.collect::<Result<_, _>>()?,
            without: args.without_approval.clone(),
            saved_plan: saved_plan.map(Path::to_owned),
        })
    }

    /// Returns what to do about approvals that are missing or do not count.
    fn advice(&self) -> Vec<String> {
        let approve = match &self.saved_plan {
            Some(plan) => format!(
                "`rollup approve {}` writes the statement of an approval",
                shell_quoted(plan)
            ),
            None => "`rollup plan --save FILE` saves the plan; `rollup approve FILE` writes the \
                     statement of an approval"
                .to_owned(),
        };
        let sign = "each signs a statement with `ssh-keygen -Y sign -n rollup-approval@1 -f KEY STATEMENT`";
        let apply = "then the same command with `--approval STATEMENT` for each of them";
        vec![approve, sign.to_owned(), apply.to_owned()]
    }
}

impl GivenApproval {
    fn read(path: &Path) -> Result<Self, Failure> {
        let statement = text_of(path, LARGEST_STATEMENT)?;
        if statement.starts_with("-----BEGIN") {
            return Err(
                Failure::usage(format!("`{}` is a signature", escaped_path(path)))
                    .next("name the statement: the same file without `.sig`"),
            );
        }
        let signature = signature_beside(path);
        if !signature.exists() {
            let reason = format!("the approval `{}` is not signed", escaped_path(path));
            return Err(Failure::no_input(reason).next(how_to_sign(Namespace::Approval, path)));
        }
        let signature = text_of(&signature, LARGEST_SIGNATURE)?;
        Ok(Self {
            shown: escaped_path(path),
            signed: SignedStatement {
                statement,
                signature,
            },
        })
    }
}

/// Returns the path of the signature that `ssh-keygen` writes beside a file.
pub(super) fn signature_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".sig");
    name.into()
}

/// Returns the command that signs a file.
pub(super) fn how_to_sign(namespace: Namespace, path: &Path) -> String {
    let (name, path) = (namespace.name(), shell_quoted(path));
    format!("sign it: `ssh-keygen -Y sign -n {name} -f ~/.ssh/id_ed25519 {path}`")
}

/// Reads a text named on the command line.
fn text_of(path: &Path, most: u64) -> Result<String, Failure> {
    let bytes = inputs::bytes(path, most + 1)?;
    let name = escaped_path(path);
    if bytes.len() as u64 > most {
        return Err(Failure::invalid(format!(
            "`{name}` is longer than {most} bytes"
        )));
    }
    String::from_utf8(bytes).map_err(|_| Failure::invalid(format!("`{name}` is not UTF-8 text")))
}

/// Returns whether a plan for the deployment needs approvals.
pub(super) fn requires_approvals(site: &Description) -> bool {
    rules(site).is_some()
}

/// Describes the approvals that a plan for the deployment needs; `None` if it needs none.
pub(super) fn describe_required(site: &Description) -> Option<String> {
    let required = describe_rules(rules(site)?);
    Some(format!(
        "`stage` and `apply` require the approval of {required}"
    ))
}

/// Describes how many people have to approve a plan, and the file that names them.
fn describe_rules(rules: &RequiredApprovals) -> String {
    let RequiredApprovals { required, signers } = rules;
    let people = count_of(*required, "person", "different people");
    format!("{people} of `{signers}`")
}

fn rules(site: &Description) -> Option<&RequiredApprovals> {
    site.approval.as_ref()?.plans.as_ref()
}

/// Manifest whose signature counts.
#[derive(Debug, Clone)]
pub(super) struct SignedManifest {
    pub(super) signature: String,
    pub(super) signer: Signer,
}

/// Reads the signature beside a manifest; `None` if there is none.
pub(super) fn signature_of_file(manifest: &Path) -> Result<Option<String>, Failure> {
    let path = signature_beside(manifest);
    if path.exists() {
        text_of(&path, LARGEST_SIGNATURE).map(Some)
    } else {
        Ok(None)
    }
}

/// Checks the signature of a manifest, if the deployment requires one.
///
/// # Errors
///
/// There is no signature, or it does not count: 15.
pub(super) fn check_manifest(
    tree: &Tree,
    site: &Description,
    document: &Path,
    text: &str,
    signature: impl FnOnce() -> Result<Option<String>, Failure>,
) -> Result<Option<SignedManifest>, Failure> {
    let rules = site.approval.as_ref();
    let Some(signers) = rules.and_then(|rules| rules.manifest_signers.as_ref()) else {
        return Ok(None);
    };
    let name = escaped_path(document);
    let Some(signature) = signature()? else {
        let reason =
            format!("the manifest `{name}` is not signed, and the deployment requires that");
        return Err(Failure::not_ready(reason).next(how_to_sign_manifest(document)));
    };
    let signers = read_signers(tree, signers)?;
    let now = Timestamp::now().as_second();
    let verified = signers.verify(Namespace::Manifest, text.as_bytes(), &signature, now);
    let verified = verified.map_err(|fault| {
        let reason = format!("the signature of the manifest `{name}` does not count: {fault}");
        Failure::not_ready(reason).next(how_to_sign_manifest(document))
    })?;
    Ok(Some(SignedManifest {
        signature,
        signer: signer(verified),
    }))
}

fn how_to_sign_manifest(document: &Path) -> String {
    let sign = how_to_sign(Namespace::Manifest, document);
    format!("its author has to {sign}; a saved plan carries the signature from then on")
}

/// Checks the approvals of a plan. For a run that is staged they are those that it keeps.
///
/// # Errors
///
/// An approval does not count, or fewer different people approved than the deployment requires: 15,
/// with the names of those who can.
pub(super) fn authorize(
    tree: &Tree,
    site: &Description,
    plan: &Plan,
    given: &GivenApprovals,
    staged: Option<&Run>,
) -> anyhow::Result<Authorization> {
    let Some(rules) = rules(site) else {
        return Ok(Authorization::default());
    };
    match staged {
        Some(run) => {
            refuse_others(tree, run, given)?;
            check_kept(tree, site, plan, run)?;
            Ok(Authorization::default())
        }
        None if given.without.is_some() => Ok(Authorization {
            signatures: RunSignatures {
                without_approval: given.without.clone(),
                ..RunSignatures::default()
            },
            signed: SignedFiles::default(),
        }),
        None => check(tree, rules, plan, &given.approvals, None, given.advice()),
    }
}

/// Checks again the approvals that a staged run keeps.
///
/// # Errors
///
/// As [`authorize`].
pub(super) fn check_kept(
    tree: &Tree,
    site: &Description,
    plan: &Plan,
    run: &Run,
) -> anyhow::Result<()> {
    let Some(rules) = rules(site) else {
        return Ok(());
    };
    let opened = run.journal.opened();
    if opened.is_some_and(|opened| opened.signatures.without_approval.is_some()) {
        return Ok(());
    }
    let kept = kept_approvals(tree, &run.directory)?;
    check(tree, rules, plan, &kept, Some(run), advice_if_staged()).map(drop)
}

/// Refuses approvals that a staged run does not have: nothing can be added to its records.
fn refuse_others(tree: &Tree, run: &Run, given: &GivenApprovals) -> anyhow::Result<()> {
    let kept = kept_approvals(tree, &run.directory)?;
    let opened = run.journal.opened();
    let without = opened.and_then(|opened| opened.signatures.without_approval.as_ref());
    if given
        .approvals
        .iter()
        .all(|one| kept.iter().any(|kept| kept.signed == one.signed))
        && (given.without.is_none() || without.is_some())
    {
        return Ok(());
    }
    let name = run.name();
    let reason = format!("run {name} is staged with other approvals, and takes no more");
    Err(Failure::not_ready(reason)
        .next("`rollup undo` discards it; then the same command again")
        .into())
}

/// Returns the approvals in the directory of a run.
fn kept_approvals(tree: &Tree, run: &RunDir) -> anyhow::Result<Vec<GivenApproval>> {
    let mut kept = Vec::new();
    for number in 1..=MOST_APPROVALS {
        let at = run.approval(number);
        let Some(statement) = tree.text(&at, LARGEST_STATEMENT)? else {
            break;
        };
        let signature = tree.text(&run.approval_signature(number), LARGEST_SIGNATURE)?;
        let signature = signature.unwrap_or_default();
        kept.push(GivenApproval {
            shown: Escaped(&tree.shown(Some(&at))).to_string(),
            signed: SignedStatement {
                statement,
                signature,
            },
        });
    }
    Ok(kept)
}

/// Checks approvals, and that they are enough.
fn check(
    tree: &Tree,
    rules: &RequiredApprovals,
    plan: &Plan,
    given: &[GivenApproval],
    own: Option<&Run>,
    advice: Vec<String>,
) -> anyhow::Result<Authorization> {
    let signers = read_signers(tree, &rules.signers)?;
    let now = Timestamp::now();
    let used = used_statements(tree, own)?;
    let mut authorization = Authorization::default();
    let mut people = BTreeSet::new();
    let mut faults = Vec::new();
    for one in given {
        match verify(one, &signers, plan, now, &used) {
            Ok((approval, person)) => {
                people.insert(person);
                authorization.signatures.approvals.push(approval);
                authorization.signed.approvals.push(one.signed.clone());
            }
            Err(fault) => faults.push(format!(
                "the approval `{}` does not count: {fault}",
                one.shown
            )),
        }
    }
    if people.len() < rules.required {
        faults.push(too_few(rules, &signers, &people, now));
    }
    if faults.is_empty() {
        return Ok(authorization);
    }
    let mut failure = Failure::not_ready(faults.remove(0));
    failure.reasons.extend(faults);
    failure.next = advice;
    Err(failure.into())
}

/// Advice about the approvals of a staged run.
fn advice_if_staged() -> Vec<String> {
    let next =
        "`rollup undo` discards the staged run; then `rollup apply` with approvals that count";
    vec![next.to_owned()]
}

/// Describes how many approvals are required, who gave one, and who else can.
fn too_few(
    rules: &RequiredApprovals,
    signers: &Signers,
    people: &BTreeSet<usize>,
    now: Timestamp,
) -> String {
    let able = signers.people_for(Namespace::Approval.name(), now.as_second());
    let [given, others] = [people, &(&able - people)].map(|people| {
        let people = people.iter().map(|&person| &signers.people()[person]);
        let names = list(people.map(|person| person.names.join(" alias ")));
        if names.is_empty() {
            "no one".to_owned()
        } else {
            Escaped(&names).to_string()
        }
    });
    let required = describe_rules(rules);
    format!(
        "the approval of {required} is required; given by {given}; others who can give it now: {others}"
    )
}

/// Checks one approval, and returns what is recorded of it, with the person.
fn verify(
    given: &GivenApproval,
    signers: &Signers,
    plan: &Plan,
    now: Timestamp,
    used: &BTreeMap<Digest, String>,
) -> Result<(RecordedApproval, usize), String> {
    let SignedStatement {
        statement: text,
        signature,
    } = &given.signed;
    let statement: Statement = text.parse().map_err(|fault| format!("{fault}"))?;
    let verified = signers
        .verify(
            Namespace::Approval,
            text.as_bytes(),
            signature,
            now.as_second(),
        )
        .map_err(|fault| fault.to_string())?;
    compare(&statement, plan)?;
    if let Some(until) = statement.until.filter(|_| !statement.is_valid_at(now)) {
        return Err(format!("it was valid until {until}"));
    }
    let digest = Digest::of(text.as_bytes());
    if let Some(run) = used.get(&digest) {
        return Err(format!(
            "it was used by run {run}; approve the plan again, with another `--until`"
        ));
    }
    let person = verified.person;
    let approval = RecordedApproval {
        signer: signer(verified),
        statement: digest,
        until: statement.until.map(|until| until.to_string()),
    };
    Ok((approval, person))
}

fn signer(verified: Verified) -> Signer {
    Signer {
        names: verified.names,
        key: verified.fingerprint,
        kind: verified.kind,
    }
}

/// Compares a statement with the plan that a run would carry out.
fn compare(statement: &Statement, plan: &Plan) -> Result<(), String> {
    if statement.deployment != plan.deployment {
        let (approved, here) = (Escaped(&statement.deployment), Escaped(&plan.deployment));
        return Err(format!(
            "it approves a plan for the deployment {approved}, and this one is {here}"
        ));
    }
    let approved = format!("{} revision {}", statement.rollup, statement.revision);
    let planned = plan
        .rollup()
        .map(|rollup| format!("{} revision {}", rollup.kb, rollup.revision))
        .unwrap_or_else(|| plan.subject.to_string());
    if approved != planned {
        return Err(format!(
            "it approves {approved}, and the plan is of {planned}"
        ));
    }
    if Some(statement.plan) != plan.digest {
        let now = plan.digest.map(|digest| digest.to_string());
        return Err(format!(
            "it approves the plan {}, and the plan now has the digest {}; the saved plan that was \
             approved names every difference: `rollup plan PLAN`",
            statement.plan,
            now.unwrap_or_default()
        ));
    }
    Ok(())
}

/// Reads a file of signers in a deployment.
///
/// # Errors
///
/// It does not exist, is no file, or has a line that is not understood: 15.
fn read_signers(tree: &Tree, path: &RelPath) -> Result<Signers, Failure> {
    let shown = tree.shown(Some(path));
    let shown = Escaped(&shown);
    let text = tree.text(path, LARGEST_SIGNERS).map_err(|error| {
        let failure = Failure::from(error);
        let reason = format!("the signers cannot be read: {failure}");
        Failure::not_ready(reason).next(format!("make `{shown}` a file that rollup can read"))
    })?;
    let Some(text) = text else {
        let reason = format!("the file of signers `{shown}` does not exist");
        let next = "write it as an `allowed_signers` file of OpenSSH, a line for each person: `NAME \
                    ssh-ed25519 …`";
        return Err(Failure::not_ready(reason).next(next));
    };
    Signers::parse(&text).map_err(|error| {
        let reason = format!("the file of signers `{shown}` cannot be used: {error}");
        Failure::not_ready(reason).next(format!("correct `{shown}`, then the same command again"))
    })
}

/// Reads a file of signers named on the command line.
///
/// # Errors
///
/// It cannot be read, or has a line that is not understood: 65.
pub(super) fn signers_of_file(path: &Path) -> Result<Signers, Failure> {
    let text = text_of(path, LARGEST_SIGNERS)?;
    Signers::parse(&text).map_err(|error| {
        let name = escaped_path(path);
        let reason = format!("the file of signers `{name}` cannot be used: {error}");
        Failure::invalid(reason).next(format!("correct `{name}`, then the same command again"))
    })
}

/// Returns the statements that finished runs have used up, each with the name of its run. A run that
/// was only rolled back used none; one whose records are damaged counts as finished.
fn used_statements(tree: &Tree, own: Option<&Run>) -> anyhow::Result<BTreeMap<Digest, String>> {
    if tree.metadata(&ROLLUP_DIR)?.is_none() {
        return Ok(BTreeMap::new());
    }
    let never_finished: BTreeSet<String> = runs(tree)?
        .iter()
        .filter(|run| !may_have_finished(run))
        .map(|run| run.name().to_owned())
        .collect();
    let mut used = BTreeMap::new();
    for (name, kind) in tree.names(&ROLLUP_DIR.runs())? {
        let is_own = own.is_some_and(|own| own.name() == name);
        if kind != FileKind::Directory || is_own || never_finished.contains(&name) {
            continue;
        }
        for kept in kept_approvals(tree, &ROLLUP_DIR.run(&name))? {
            let digest = Digest::of(kept.signed.statement.as_bytes());
            used.insert(digest, name.clone());
        }
    }
    Ok(used)
}

fn may_have_finished(run: &Run) -> bool {
    let mut records = run.journal.entries.iter().map(|entry| &entry.record);
    run.fault.is_some()
        || records.any(|record| {
            matches!(record, Record::Closed { outcome, .. } if *outcome != Outcome::Undone)
        })
}
