//! Items that the command line names.

use std::collections::BTreeSet;

use crate::cli::failure::Failure;
use crate::deployment::description::{Description, Instance, ItemId, ServerId};
use crate::document::nearest;
use crate::names::Escaped;

/// Returns the named instances, or `None` if none is named. Reports all mistakes at once.
pub(super) fn instances(
    site: &Description,
    named: &[String],
) -> Result<Option<BTreeSet<Instance>>, Failure> {
    if named.is_empty() {
        return Ok(None);
    }
    let mut chosen = BTreeSet::new();
    let mut failures = Vec::new();
    for name in named {
        match instances_named(site, name) {
            Ok(instances) => chosen.extend(instances),
            Err(failure) => failures.push(failure),
        }
    }
    match failures.into_iter().reduce(Failure::and) {
        None => Ok(Some(chosen)),
        Some(failure) => Err(failure),
    }
}

/// Returns the instances that a name refers to: all of them, or those on the server after an `@`.
fn instances_named(site: &Description, named: &str) -> Result<Vec<Instance>, Failure> {
    // A name may itself contain an `@`.
    let (name, server) = match (items_named(site, named), named.rsplit_once('@')) {
        (None, Some((name, server))) => (name, Some(server)),
        _ => (named, None),
    };
    let Some(items) = items_named(site, name) else {
        return Err(unknown_item(site, name));
    };
    let mut instances: Vec<Instance> = items
        .into_iter()
        .flat_map(|item| site.instances(item))
        .collect();
    let Some(server) = server else {
        return Ok(instances);
    };
    let on: BTreeSet<ServerId> = instances.iter().filter_map(|one| one.server).collect();
    let here = site.server(server).filter(|server| on.contains(server));
    if here.is_none() {
        return Err(not_on_server(site, name, server, &on));
    }
    instances.retain(|instance| instance.server == here);
    Ok(instances)
}

fn not_on_server(site: &Description, name: &str, server: &str, on: &BTreeSet<ServerId>) -> Failure {
    let on: Vec<&str> = on
        .iter()
        .map(|on| site.servers[on.0].name.as_str())
        .collect();
    let help = match nearest(server, on.iter().copied()) {
        _ if on.is_empty() => format!("it is not bound to a server: write `{name}`"),
        Some(near) => format!("did you mean `{name}@{near}`?"),
        None => format!("it is on {}", on.join(", ")),
    };
    let reason = format!("`{}` is not on `{}`", Escaped(name), Escaped(server));
    Failure::usage(reason).next(help)
}

/// Returns an item by name, alias or path, or every item below a group.
fn items_named(site: &Description, name: &str) -> Option<Vec<ItemId>> {
    if let Some(item) = site.item(name).or_else(|| item_at(site, name)) {
        return Some(vec![item]);
    }
    Some(site.items_below(site.group(name)?))
}

fn item_at(site: &Description, path: &str) -> Option<ItemId> {
    let (group, name) = path.rsplit_once('/')?;
    let item = site.item(name)?;
    (site.group(group)? == site.items[item.0].group).then_some(item)
}

fn unknown_item(site: &Description, name: &str) -> Failure {
    let last = name.rsplit('/').next().unwrap_or(name);
    let near = site.nearest_item(last).or_else(|| site.nearest_group(name));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`rollup tree` lists the names of the console".to_owned(),
    };
    let reason = format!("`deployment.toml` lists no item `{}`", Escaped(name));
    Failure::usage(reason).next(help)
}
