//! `headend plugin install` and what follows: sent, tried, shown, set, rolled back, removed, granted.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine;
use headend_wire::api::PluginItem;
use headend_wire::plugins::{
    GrantItem, GrantList, GrantRequest, PluginDetail, PluginUses, RollbackRequest, SignatureItem, VerifyAnswer,
    VersionItem,
};
use reqwest::{Method, RequestBuilder};

use super::Context;
use super::plugin::told;
use super::plugin_pack::pack;
use crate::client::segment;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{self, cell, plain};

/// Largest file of parameters in bytes.
const MAX_PARAMETERS: u64 = 64 << 10;

/// A plugin on this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Sending {
    /// The plugin: its folder, a bundle, or a file.
    path: PathBuf,
    /// Its signature, made with minisign [default: the file's name and .minisig].
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Parameters to set at once: a JSON object, or @FILE with one.
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
}

/// Sends a plugin and lets it in.
pub(super) async fn install(context: &Context, sending: &Sending, beside: bool) -> Result<()> {
    let request = request(context, "/plugins", sending)?;
    // An older server does not know the word, and must not take a trial for an installation: it refuses what it does not know.
    let request = if beside { request.query(&[("beside", true)]) } else { request };
    let item: PluginItem = context.client.fetch_patiently(request).await?;
    if !beside {
        return told(context, &item);
    }
    context.ui.show(&item, |item| {
        let (name, version) = (plain(&item.name), plain(&item.version));
        format!("{name} {version} is {}; `headend plugin show {name}` lists what is kept beside it", plain(&item.state))
    })
}

/// Sends a plugin to be tried.
pub(super) async fn verify(context: &Context, sending: &Sending) -> Result<()> {
    let request = request(context, "/plugins/verify", sending)?;
    let answer: VerifyAnswer = context.client.fetch_patiently(request).await?;
    context.ui.show(&answer, verdict)?;
    // All has been said; scripts look at the exit code.
    if answer.ok { Ok(()) } else { Err(Failure::silent(Exit::Usage)) }
}

fn request(context: &Context, path: &str, sending: &Sending) -> Result<RequestBuilder> {
    let mut upload = pack(&sending.path)?;
    if let Some(file) = &sending.signature {
        let text = std::fs::read_to_string(file).map_err(|error| Failure::file("read", file, error))?;
        upload.signature = Some(text);
    }
    let mut query = vec![("file", upload.file)];
    if let Some(text) = upload.signature {
        query.push(("signature", base64::engine::general_purpose::STANDARD.encode(text)));
    }
    if let Some(set) = &sending.parameters {
        query.push(("parameters", json(set)?.to_string()));
    }
    let request = context.client.request(Method::POST, path).query(&query);
    Ok(request.header("content-type", "application/octet-stream").body(upload.bytes))
}

/// JSON text, or `@FILE` with some.
pub(super) fn json(text: &str) -> Result<serde_json::Value> {
    let bad = |what: String| Failure::new(Exit::Usage, "bad_parameters", what).help("write a JSON object, or @FILE");
    let text = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(path) => {
            let path = Path::new(path);
            let fail = |error| Failure::file("read", path, error);
            if std::fs::metadata(path).map_err(fail)?.len() > MAX_PARAMETERS {
                return Err(bad(format!("{} is larger than {} KiB", path.display(), MAX_PARAMETERS >> 10)));
            }
            std::fs::read_to_string(path).map_err(fail)?
        }
    };
    serde_json::from_str(&text).map_err(|error| bad("the parameters are no JSON".to_owned()).because(error))
}

fn verdict(answer: &VerifyAnswer) -> String {
    let mut text = answer.plugin.as_ref().map(|plugin| format!("{}\n", plain(plugin))).unwrap_or_default();
    for step in &answer.steps {
        // A place in a script has lines of its own.
        let lines = |reason: &String| reason.lines().map(plain).collect::<Vec<_>>().join("\n      ");
        let reason = step.reason.as_ref().map(|reason| format!(": {}", lines(reason))).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<13}{}{reason}", plain(&step.step), plain(&step.how));
    }
    if let Some(signature) = &answer.signature {
        let _ = writeln!(text, "signature: {}", signed(signature));
    }
    let end = if answer.ok { "it would be installed" } else { "it would not be installed" };
    text + end
}

fn signed(signature: &SignatureItem) -> String {
    match signature {
        SignatureItem { state, key: Some(key), name, comment, .. } if state == "good" => {
            let name = name.as_deref().unwrap_or("-");
            let comment = comment.as_deref().unwrap_or_default();
            format!("good, by key {} ({}): {}", plain(key), plain(name), plain(comment))
        }
        SignatureItem { reason: Some(reason), .. } => format!("doubtful: {}", plain(reason)),
        _ => "nobody has looked (the server runs with --plugin-signatures off)".to_owned(),
    }
}

/// Everything about a plugin.
pub(super) async fn show(context: &Context, name: &str) -> Result<()> {
    let detail: PluginDetail = context.client.get(&format!("/plugins/{}", segment(name))).await?;
    context.ui.show(&detail, |detail| shown(context, detail))
}

fn shown(context: &Context, detail: &PluginDetail) -> String {
    let PluginDetail { item, limits, .. } = detail;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<13}{value}");
    };
    line("plugin", format!("{} {} ({})", plain(&item.name), plain(&item.version), plain(&item.hash)));
    if !detail.description.is_empty() {
        line("about", plain(&detail.description));
    }
    let reason = item.reason.as_ref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
    line("state", format!("{}{reason}", plain(&item.state)));
    line("kind", format!("{}, {}, contract {}", plain(&item.kind), plain(&item.language), plain(&item.world)));
    line("came from", plain(&detail.origin));
    line("signature", signed(&detail.signature));
    let fuel = limits.fuel.map(|fuel| format!(", {fuel} units of fuel")).unwrap_or_default();
    let calls = limits.host_calls;
    line("limits", format!("{} MiB, {} ms, {calls} host calls{fuel}", limits.memory_mib, limits.deadline_ms));
    for asked in &detail.capabilities {
        let granted = if asked.granted { "granted" } else { "not granted" };
        line("asks for", format!("{} ({}): {granted}", plain(&asked.capability), plain(&asked.about)));
    }
    if !detail.parameters.schema.is_null() {
        line("parameters", plain(&detail.parameters.effective.to_string()));
    }
    line("used by", users(&detail.uses));
    text.push_str(&versions(context, &detail.versions));
    text
}

fn versions(context: &Context, versions: &[VersionItem]) -> String {
    let mut table = context.ui.table(&["VERSION", "HASH", "INSTALLED", "IN FORCE", "JOBS AT WORK"]);
    for version in versions {
        table.add_row([
            cell(&version.version),
            cell(version.hash.get(..12).unwrap_or(&version.hash)),
            cell(&version.installed),
            cell(if version.current { "yes" } else { "" }),
            cell(&numbers(&version.jobs)),
        ]);
    }
    ui::text(&table)
}

fn numbers(jobs: &[u64]) -> String {
    if jobs.is_empty() { "-".to_owned() } else { jobs.iter().map(u64::to_string).collect::<Vec<_>>().join(", ") }
}

fn users(uses: &PluginUses) -> String {
    let mut all = Vec::new();
    if !uses.jobs.is_empty() {
        all.push(format!("jobs {}", numbers(&uses.jobs)));
    }
    if !uses.schedules.is_empty() {
        all.push(format!("schedules {}", plain(&uses.schedules.join(", "))));
    }
    if uses.queue {
        all.push("the order of the jobs".to_owned());
    }
    if all.is_empty() { "nobody".to_owned() } else { all.join("; ") }
}

/// Goes back to an older version.
pub(super) async fn roll_back(context: &Context, name: &str, to: Option<&str>) -> Result<()> {
    let request = RollbackRequest { to: to.map(str::to_owned) };
    told(context, &context.client.post(&format!("/plugins/{}/rollback", segment(name)), &request).await?)
}

/// Takes a plugin away.
pub(super) async fn remove(context: &Context, name: &str, force: bool) -> Result<()> {
    let path = format!("/plugins/{}", segment(name));
    let request = context.client.request(Method::DELETE, &path).query(&[("force", force)]);
    let uses: PluginUses = context.client.fetch(request).await?;
    context.ui.show(&uses, |uses| {
        let left = if uses.is_empty() { String::new() } else { format!("; it was used by {}", users(uses)) };
        format!("{} was removed{left}", plain(name))
    })
}

/// Shows parameters, or sets them.
pub(super) async fn parameters(context: &Context, name: &str, set: Option<&str>) -> Result<()> {
    let path = format!("/plugins/{}", segment(name));
    if let Some(set) = set {
        let _: PluginItem = context.client.put(&format!("{path}/parameters"), &json(set)?).await?;
    }
    let detail: PluginDetail = context.client.get(&path).await?;
    context.ui.show(&detail.parameters, |parameters| {
        let pretty = |value| plain_lines(&serde_json::to_string_pretty(value).unwrap_or_default());
        match &parameters.schema {
            serde_json::Value::Null => "it takes no parameters".to_owned(),
            schema => format!("it gets\n{}\nit takes\n{}", pretty(&parameters.effective), pretty(schema)),
        }
    })
}

/// Foreign text of several lines.
fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// Grants something, or takes it back.
pub(super) async fn grant(context: &Context, name: &str, capability: &str, revoke: bool) -> Result<()> {
    let request = GrantRequest { plugin: name.to_owned(), capability: capability.to_owned() };
    let path = if revoke { "/plugin-grants/revoke" } else { "/plugin-grants" };
    tell_grants(context, &context.client.post(path, &request).await?)
}

/// What plugins may do.
pub(super) async fn grants(context: &Context) -> Result<()> {
    tell_grants(context, &context.client.get("/plugin-grants").await?)
}

fn tell_grants(context: &Context, list: &GrantList) -> Result<()> {
    context.ui.show(list, |list| {
        let can = format!("what can be granted: {}", plain(&list.capabilities.join(", ")));
        if list.grants.is_empty() {
            format!("nothing is granted\n{can}")
        } else {
            format!("{}\n{can}", grant_table(context, &list.grants))
        }
    })
}

fn grant_table(context: &Context, grants: &[GrantItem]) -> String {
    let mut table = context.ui.table(&["PLUGIN", "CAPABILITY", "GRANTED BY", "AT"]);
    for grant in grants {
        table.add_row([
            cell(&grant.plugin),
            cell(&grant.capability),
            cell(grant.by.as_deref().unwrap_or("the server's start")),
            cell(grant.at.as_deref().unwrap_or("-")),
        ]);
    }
    ui::text(&table)
}
