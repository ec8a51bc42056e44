//! `headend plugin`: policies and other plugins of the server.

use std::path::PathBuf;

use comfy_table::Color;
use headend_wire::api::{LoadRequest, PluginItem, PluginList, QueueInfo, QueueRequest};

use super::Context;
use crate::client::segment;
use crate::failure::{Failure, Result};
use crate::ui::{self, cell, plain, verdict};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// All plugins (also without any word).
    List,
    /// Load a plugin while the server runs: its folder on the server's machine.
    Load {
        /// The folder with its `headend-plugin.toml`.
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
    /// Let a queue policy order the jobs; `priority-fifo` is the built-in one. Without a name: which one does.
    Use {
        /// Its name.
        name: Option<String>,
    },
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::List => list(context).await,
        Command::Load { path } => load(context, path).await,
        Command::Reload { name } => change(context, name, "reload").await,
        Command::Disable { name } => change(context, name, "disable").await,
        Command::Enable { name } => change(context, name, "enable").await,
        Command::Use { name: Some(name) } => {
            let request = QueueRequest { policy: name.clone() };
            told_order(context, &context.client.put("/queue-policy", &request).await?)
        }
        Command::Use { name: None } => told_order(context, &context.client.get("/queue-policy").await?),
    }
}

async fn list(context: &Context) -> Result<()> {
    let list: PluginList = context.client.get("/plugins").await?;
    if list.plugins.is_empty() && !context.ui.json {
        context.ui.say("no plugins; load one with `headend plugin load FOLDER`");
        return Ok(());
    }
    context.ui.show(&list, |list| format!("{}\n{}", table(context, &list.plugins), plain(&list.queue.text)))
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

fn told(context: &Context, plugin: &PluginItem) -> Result<()> {
    context.ui.show(plugin, |plugin| {
        let reason = plugin.reason.as_ref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        format!("{} {} is {}{reason}", plain(&plugin.name), plain(&plugin.version), plain(&plugin.state))
    })
}
