//! Reading of the prerequisites.

use super::{exclude_keys, id, inapplicable_keys, report_duplicate, require_key};
use crate::document::{Case, Code, Reader, Rule, Table, ValueOrTable};
use crate::manifest::draft::PrerequisiteDraft;
use crate::manifest::*;

pub(super) fn prerequisite(reader: &mut Reader<'_>, table: &Table<'_>) -> PrerequisiteDraft {
    let case = case_of(reader, table, "prerequisite");
    PrerequisiteDraft {
        span: table.span(),
        condition: case.and_then(|case| condition(reader, table, case)),
    }
}

/// Returns the kind of a prerequisite or an alternative, which is its only key of those that name
/// kinds.
fn case_of(reader: &mut Reader<'_>, table: &Table<'_>, kind: &str) -> Option<&'static Case> {
    let shape = table.shape();
    let cases = shape.cases();
    let mut present = cases.iter().filter(|case| table.has(case.name));
    let Some(first) = present.next() else {
        // An unknown key may be the kind, and has its finding already.
        if table.keys().iter().any(|key| !shape.takes(key.value)) {
            return None;
        }
        let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
        let (last, others) = names.split_last()?;
        let names = format!("{}` or `{last}", others.join("`, `"));
        reader.missing(table, &names, "product = \"…\"");
        return None;
    };
    if let Some(Case { name, .. }) = present.next() {
        let span = table.key(name).unwrap_or_default();
        let message = format!(
            "one {kind} cannot ask for both `{}` and `{name}`",
            first.name
        );
        let help = match kind {
            "prerequisite" => "write two prerequisites, each below its own `[[prerequisites]]`",
            _ => "write two alternatives",
        };
        reader
            .report(Code::ExclusiveKeys, &span, message)
            .help(help);
        return None;
    }
    inapplicable_keys(reader, table, first, kind);
    for rule in first.rules {
        match *rule {
            Rule::Alone(key, others) => exclude_keys(reader, table, key, others),
            _ => require_key(reader, table, rule),
        }
    }
    Some(first)
}

fn condition(reader: &mut Reader<'_>, table: &Table<'_>, case: &Case) -> Option<Condition> {
    match case.name {
        "any" => any(reader, table),
        "confirm" => {
            let question = reader.plain_text(table, "confirm");
            Some(Condition::Confirm {
                id: id(reader, table)?,
                question: question?,
            })
        }
        _ => site_condition(reader, table, case).map(Condition::Site),
    }
}

fn any(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Condition> {
    let entries = reader.tables(table, "any");
    if let [_] = entries[..]
        && reader.list_length(table, "any") == Some(1)
    {
        let span = table.key("any").unwrap_or_default();
        reader
            .report(Code::SingleAlternative, &span, "`any` has one alternative")
            .help("add another one, or move its keys to the prerequisite");
    }
    let mut any = Vec::new();
    for entry in &entries {
        let case = case_of(reader, entry, "alternative");
        any.extend(case.and_then(|case| site_condition(reader, entry, case)));
    }
    (!any.is_empty()).then_some(Condition::Any { any })
}

fn site_condition(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    case: &Case,
) -> Option<SiteCondition> {
    let name = reader.text(table, case.name);
    let is_product = case.name == "product";
    let on = is_product.then(|| reader.text(table, "on")).flatten();
    let wanted = match reader.yes(table, "absent") {
        Some(absent) => WantedState::Absent { absent },
        None => WantedState::Present {
            service_pack: is_product.then(|| service_packs(reader, table)),
            version: version(reader, table, is_product),
        },
    };
    let subject = if is_product {
        ConditionSubject::Product {
            product: name?,
            on: on.map(|on| Name::new(on, reader.source)),
        }
    } else {
        ConditionSubject::Item {
            item: Name::new(name?, reader.source),
        }
    };
    Some(SiteCondition { subject, wanted })
}

/// Reads the service packs of a product; all if the key is missing or could not be read.
fn service_packs(reader: &mut Reader<'_>, table: &Table<'_>) -> ServicePacks {
    // At most nine digits, so they fit.
    let pack = |pack: Placed<u64>| pack.value as u32;
    match reader.number_or_table(table, "service_pack") {
        Some(ValueOrTable::Value(min)) => ServicePacks {
            min: pack(min),
            max: None,
        },
        Some(ValueOrTable::Table(range)) => {
            let (min, max) = (reader.number(&range, "min"), reader.number(&range, "max"));
            check_range(reader, &range, "min = 1", &min, &max);
            ServicePacks {
                min: min.map_or(0, pack),
                max: max.map(pack),
            }
        }
        None => ServicePacks::default(),
    }
}

fn version(reader: &mut Reader<'_>, table: &Table<'_>, is_product: bool) -> Option<WantedVersion> {
    let range = match reader.text_or_table(table, "version")? {
        ValueOrTable::Value(text) if is_product => return Some(WantedVersion::Exactly(text.value)),
        ValueOrTable::Value(text) => {
            let version = reader.parsed(text, Code::InvalidValue, str::parse::<Version>)?;
            return Some(WantedVersion::Exactly(version.value.to_string()));
        }
        ValueOrTable::Table(range) => range,
    };
    let min = reader.parse(&range, "min", Code::InvalidValue, str::parse::<Version>);
    let max = reader.parse(&range, "max", Code::InvalidValue, str::parse::<Version>);
    check_range(reader, &range, "min = \"1.0\"", &min, &max);
    Some(WantedVersion::Range {
        min: min.map(|min| min.value),
        max: max.map(|max| max.value),
    })
}

/// Reports a range without limits, and one that contains nothing.
fn check_range<T: Ord + std::fmt::Display>(
    reader: &mut Reader<'_>,
    range: &Table<'_>,
    example: &str,
    min: &Option<Placed<T>>,
    max: &Option<Placed<T>>,
) {
    // An unknown key has its finding already.
    if range.keys().is_empty() {
        reader.missing(range, "min` or `max", example);
    }
    if let (Some(min), Some(max)) = (min, max)
        && min.value > max.value
    {
        let message = format!("nothing is from {min} to {max}");
        reader
            .report(Code::NeverHolds, &max.span, message)
            .help("`min` is the lower limit, and `max` the higher one");
    }
}

/// Reports prerequisites that test the same thing, and those that contradict each other.
pub(super) fn unique(reader: &mut Reader<'_>, prerequisites: &[PrerequisiteDraft]) {
    let mut ids = BTreeSet::new();
    let mut choices = BTreeSet::new();
    let mut tests: BTreeMap<TestedThing, BTreeSet<TestKind>> = BTreeMap::new();
    for PrerequisiteDraft { condition, span } in prerequisites {
        match condition {
            Some(Condition::Site(condition)) => {
                let (thing, name, span) = tested(&condition.subject);
                let kind = thing.0;
                let earlier = tests.entry(thing).or_default();
                let own = kind_of(&condition.wanted);
                // An earlier condition about the same thing may decide it.
                if earlier.iter().any(|other| other.0 != own.0) {
                    let message = format!("`{name}` is required, and it must be absent");
                    reader
                        .report(Code::NeverHolds, span, message)
                        .help("remove one of the two");
                } else if earlier.iter().any(|other| overlap(other.1, own.1)) {
                    let message = format!("two prerequisites ask for the {kind} `{name}`");
                    reader
                        .report(Code::DuplicatePrerequisite, span, message)
                        .help("keep the stricter prerequisite, or write one with both limits");
                }
                earlier.insert(own);
            }
            Some(Condition::Any { any }) => {
                let alternatives = alternatives(reader, any);
                if !choices.insert(alternatives) {
                    let message = "two prerequisites have the same alternatives";
                    reader
                        .report(Code::DuplicatePrerequisite, span, message)
                        .help("remove one of them");
                }
            }
            Some(Condition::Confirm { id, .. }) if !ids.insert(CaseFolded::of(&id.value)) => {
                let message = format!("two prerequisites have the id `{id}`");
                report_duplicate(reader, &id.span, message);
            }
            Some(Condition::Confirm { .. }) | None => {}
        }
    }
}

/// Kind, name and role of a thing that a prerequisite tests.
type TestedThing = (&'static str, CaseFolded, Option<CaseFolded>);

/// Returns the thing that a condition is about, its name as it is written, and the place.
fn tested(subject: &ConditionSubject) -> (TestedThing, &str, &Span) {
    let (kind, name, span, on) = match subject {
        ConditionSubject::Product { product, on } => {
            let on = on.as_ref().map(|on| CaseFolded::of(&on.text));
            ("product", &product.value, &product.span, on)
        }
        ConditionSubject::Item { item } => ("item", &item.text, &item.span, None),
    };
    ((kind, CaseFolded::of(name), on), name, span)
}

/// Says whether a condition wants absence, and whether it tests service packs and the version.
type TestKind = (bool, [bool; 2]);

fn kind_of(wanted: &WantedState) -> TestKind {
    match wanted {
        WantedState::Absent { .. } => (true, [false, false]),
        WantedState::Present {
            service_pack,
            version,
        } => {
            let packs = service_pack.is_some_and(|packs| !packs.are_all());
            (false, [packs, version.is_some()])
        }
    }
}

/// Returns whether one of two conditions tests everything that the other one tests.
fn overlap(one: [bool; 2], other: [bool; 2]) -> bool {
    let is_within = |a: [bool; 2], b: [bool; 2]| a[0] <= b[0] && a[1] <= b[1];
    is_within(one, other) || is_within(other, one)
}

/// Returns the alternatives in one spelling and order; reports those that are listed twice.
fn alternatives(reader: &mut Reader<'_>, any: &[SiteCondition]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for condition in any {
        if !seen.insert(meaning::canonical_condition(condition)) {
            let (_, name, span) = tested(&condition.subject);
            let message = format!("two alternatives ask for the same of `{name}`");
            reader
                .report(Code::DuplicatePrerequisite, span, message)
                .help("remove one of them");
        }
    }
    seen
}
