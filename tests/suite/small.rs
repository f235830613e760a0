//! Small deployment for the tests of the manifest language, with manifests that fit it.

use crate::world::World;

/// Step that copies a new file to both engine servers, with the payload that it needs.
pub(crate) const TOOL: &str = r#"
[[steps]]
id = "tool"
action = "copy"
to = "Tools"
on = "engine"
files = ["Tool.txt"]
[payload]
files = [{ name = "Tool.txt" }]
"#;

/// `deployment.toml` with a provider, a namespace that requires it, an item that is not installed,
/// and a web service.
pub(crate) const SMALL: &str = r#"
schema = 1
name = "small"
product = "Sample"
product_version = "1.0"
share = "Share"
roles = [{ name = "engine" }, { name = "web" }]
servers = [
  { name = "ENG01", roles = ["engine"] },
  { name = "ENG02", roles = ["engine"], platform = "x64" },
  { name = "WEB01", roles = ["web"] },
]
products = [{ name = "Database", service_pack = 2, servers = ["ENG01"] }]
services = [{ name = "Engine", on = "engine" }, { name = "IIS", on = "web" }]

[[groups]]
path = "Things"
items = [
  { name = "Provider", installer = "Provider.msi" },
  { name = "Namespace", installer = "Namespace.msi" },
  { name = "Extra", installer = "Extra.msi" },
  { name = "Core", installer = "Core.msi", removable = false },
]
procedures = [{ name = "Initialize Things", needs = ["controller"] }]

[[groups]]
path = "Web"
on = "web"
items = [{ name = "Site", installer = "Site.msi" }]

[requires]
"Namespace" = ["Provider"]
"Site" = ["Namespace"]

[parameters]
"Initialize Things" = { controller = "dc1" }

[rehearsal]
not_installed = ["Extra"]
"#;

/// Returns a manifest for [`SMALL`]; `rest` continues `[rollup]`, then has the prerequisites, steps
/// and payload.
pub(crate) fn small(kb: &str, rest: &str) -> String {
    format!(
        "schema = 1\n[rollup]\nkb = \"{kb}\"\ntitle = \"A small rollup\"\nproduct = \"Sample\"\n\
         product_versions = [\"1.0\"]\n{rest}"
    )
}

/// Steps that uninstall an item, copy its newer installer into the share and install it again.
pub(crate) const UPDATE_PROVIDER: &str = r#"
[[steps]]
id = "remove"
action = "uninstall"
items."Things" = ["Provider"]
[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["Provider.msi"]
[[steps]]
id = "install"
action = "install"
removed_by = "remove"
[payload]
files = [{ name = "Provider.msi" }]
"#;

/// Arguments that apply the manifest `small.toml`.
pub(crate) const APPLY_SMALL: &str = "apply small.toml --yes";

/// Makes a world of [`SMALL`] with a manifest `small.toml` that continues with `rest`.
#[track_caller]
pub(crate) fn small_world(rest: &str) -> World {
    World::with_site(SMALL).manifest("small", &small("KB100001", rest))
}
