//! `headend plugin`: policies and other plugins of the server. What is sent, tried and shown is in [`super::plugin_life`].

mod trials;

use std::path::PathBuf;

use comfy_table::Color;
use headend_wire::api::{LoadRequest, PluginItem, PluginList, QueueInfo, QueueRequest};

use super::Context;
use super::plugin_life::{self, Sending};
use crate::client::segment;
use crate::failure::{Failure, Result};
use crate::ui::{self, Ui, cell, plain, verdict};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// All plugins (also without any word).
    List,
    /// Everything about a plugin: versions, parameters, signature, grants, who uses it.
    Show {
        /// Its name.
        name: String,
    },
    /// Send a plugin to the server and let it in: a folder, a bundle (.tar, .tar.gz, .zip), or a file with its manifest inside or beside it.
    /// Another version of one that is there takes its place; jobs at work keep theirs.
    Install {
        #[command(flatten)]
        sending: Sending,
        /// Only keep it beside the version in force, for a shadow or a canary.
        #[arg(long)]
        beside: bool,
    },
    /// Begin a plugin or test of your own: a project that builds at once. Needs no server.
    New(super::plugin_new::Args),
    /// Try a plugin here, without a server: the steps of loading and the contract tests of its kind, as a report.
    #[cfg(feature = "host")]
    Check(super::plugin_check::Args),
    /// Write what scripts in Rhai may call, as files for editors.
    #[cfg(feature = "host")]
    Definitions(super::plugin_definitions::Args),
    /// Try a plugin on the server without letting it in, and show how each step went.
    Verify(Sending),
    /// Load a plugin from a path on the server's machine, and again from there at each reload.
    Load {
        /// The folder with its `headend-plugin.toml`, a bundle, or a file.
        path: PathBuf,
    },
    /// Load a plugin again from where it came, also out of quarantine.
    Reload {
        /// Its name.
        name: String,
    },
    /// Ask it no more.
    Disable {
        /// Its name.
        name: String,
    },
    /// Ask it again.
    Enable {
        /// Its name.
        name: String,
    },
    /// Go back to the version before the one in force, or to another one that is kept. Jobs at work keep theirs.
    #[command(visible_alias = "roll-back")]
    Rollback {
        /// Its name.
        name: String,
        /// The beginning of the version's hash; `show` lists them.
        #[arg(long, value_name = "HASH")]
        to: Option<String>,
    },
    /// Take a plugin away, with the versions that are kept of it. Refused while jobs or schedules use it.
    Remove {
        /// Its name.
        name: String,
        /// Take it away all the same: its users go on under the built-in rule.
        #[arg(long)]
        force: bool,
    },
    /// Show a plugin's parameters, or set them. Jobs at work keep those they began with.
    Parameters {
        /// Its name.
        name: String,
        /// A JSON object, or @FILE with one; `null` for the defaults.
        #[arg(value_name = "JSON")]
        set: Option<String>,
    },
    /// Let a plugin do something beyond answering; without any word: what plugins may do.
    Grant {
        /// Its name, also of one that is still to come; `*` for all.
        #[arg(requires = "capability")]
        name: Option<String>,
        /// What it may do.
        capability: Option<String>,
        /// Take the grant back; plugins that ask for it are disabled.
        #[arg(long, requires = "capability")]
        revoke: bool,
    },
    /// Have a policy, or another version of one, asked what the live one is asked, and compare the answers. Changes nothing.
    Shadow(trials::Shadow),
    /// Give a policy, or another version of one, a share of the new jobs, within bounds. Ends by itself when one breaks.
    Canary(trials::Canary),
    /// Put a canary that has passed into force.
    Promote {
        /// Its name, as `canary list` shows it, or its plugin's.
        name: String,
        /// Although it has not passed.
        #[arg(long)]
        force: bool,
    },
    /// Let a queue policy order the jobs; `priority-fifo` is the built-in one. Without a name: which one does.
    Use {
        /// Its name.
        name: Option<String>,
    },
}

impl Command {
    /// Does what needs no server; `None`: this one needs it.
    pub(crate) fn run_alone(&self, ui: Ui) -> Option<Result<()>> {
        match self {
            Self::New(args) => Some(super::plugin_new::run(args, ui)),
            #[cfg(feature = "host")]
            Self::Check(args) => Some(super::plugin_check::run(args, ui)),
            #[cfg(feature = "host")]
            Self::Definitions(args) => Some(super::plugin_definitions::run(args, ui)),
            _ => None,
        }
    }
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::List => list(context).await,
        Command::Show { name } => plugin_life::show(context, name).await,
        Command::Install { sending, beside } => plugin_life::install(context, sending, *beside).await,
        Command::Shadow(shadow) => trials::shadow(context, shadow).await,
        Command::Canary(canary) => trials::canary(context, canary).await,
        Command::Promote { name, force } => trials::promote(context, name, *force).await,
        Command::Verify(sending) => plugin_life::verify(context, sending).await,
        Command::Rollback { name, to } => plugin_life::roll_back(context, name, to.as_deref()).await,
        Command::Remove { name, force } => plugin_life::remove(context, name, *force).await,
        Command::Parameters { name, set } => plugin_life::parameters(context, name, set.as_deref()).await,
        Command::Grant { name: Some(name), capability: Some(capability), revoke } => {
            plugin_life::grant(context, name, capability, *revoke).await
        }
        Command::Grant { .. } => plugin_life::grants(context).await,
        Command::Load { path } => load(context, path).await,
        Command::Reload { name } => change(context, name, "reload").await,
        Command::Disable { name } => change(context, name, "disable").await,
        Command::Enable { name } => change(context, name, "enable").await,
        Command::Use { name: Some(name) } => {
            let request = QueueRequest { policy: name.clone() };
            told_order(context, &context.client.put("/queue-policy", &request).await?)
        }
        Command::New(_) => Ok(()),
        #[cfg(feature = "host")]
        Command::Check(_) | Command::Definitions(_) => Ok(()),
        Command::Use { name: None } => told_order(context, &context.client.get("/queue-policy").await?),
    }
}

async fn list(context: &Context) -> Result<()> {
    let list: PluginList = context.client.get("/plugins").await?;
    if list.plugins.is_empty() && !context.ui.json {
        context.ui.say("no plugins; install one with `headend plugin install FOLDER`");
        return Ok(());
    }
    context.ui.show(&list, |list| {
        let mut lines = vec![table(context, &list.plugins), plain(&list.queue.text)];
        lines.extend(list.trials.iter().map(|trial| plain(&trial.text)));
        lines.join("\n")
    })
}

fn told_order(context: &Context, queue: &QueueInfo) -> Result<()> {
    context.ui.show(queue, |queue| plain(&queue.text))
}

fn table(context: &Context, plugins: &[PluginItem]) -> String {
    let mut table = context.ui.table(&["NAME", "VERSION", "KIND", "LANGUAGE", "WORLD", "STATE", "HASH", "REASON"]);
    for plugin in plugins {
        let color = if plugin.state == "live" { Color::Green } else { Color::Yellow };
        table.add_row([
            cell(&plugin.name),
            cell(&plugin.version),
            cell(&plugin.kind),
            cell(&plugin.language),
            cell(&plugin.world),
            verdict(&plugin.state, color),
            cell(plugin.hash.get(..12).unwrap_or(&plugin.hash)),
            cell(plugin.reason.as_deref().unwrap_or("-")),
        ]);
    }
    ui::text(&table)
}

async fn load(context: &Context, path: &PathBuf) -> Result<()> {
    // A path that is not here may be on the server's machine.
    let path = if path.exists() {
        std::path::absolute(path).map_err(|error| Failure::file("find", path, error))?
    } else {
        path.clone()
    };
    let request = LoadRequest { path: path.to_string_lossy().into_owned() };
    told(context, &context.client.post("/plugins/load", &request).await?)
}

async fn change(context: &Context, name: &str, what: &str) -> Result<()> {
    let path = format!("/plugins/{}/{what}", segment(name));
    told(context, &context.client.post(&path, &serde_json::json!({})).await?)
}

pub(super) fn told(context: &Context, plugin: &PluginItem) -> Result<()> {
    context.ui.show(plugin, |plugin| {
        let reason = plugin.reason.as_ref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        format!("{} {} is {}{reason}", plain(&plugin.name), plain(&plugin.version), plain(&plugin.state))
    })
}
