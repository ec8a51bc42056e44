//! `headend files`: the scripts on the server.

use std::path::PathBuf;

use headend_wire::files::{
    AreaDiff, AreaUsage, CommitAnswer, CommitRequest, ConvertAnswer, ConvertRequest, FileHistory, FileList, FileUsage,
    RunFilesDiff,
};

use super::{Context, upload};
use crate::client::segment;
use crate::failure::Result;
use crate::ui::{self, cell, count, when};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Files of an area (also without any word).
    List(ListArgs),
    /// Upload files or folders as one new revision: all of it, or nothing.
    Upload {
        /// Files or folders; a folder's content goes in, its own name does not.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Folder of the area to put them in.
        #[arg(long, value_name = "FOLDER")]
        to: Option<String>,
        #[command(flatten)]
        area: AreaArgs,
    },
    /// Make copies of private files public, as one revision; the private ones stay.
    Publish {
        /// File or folder of your own area; `*` in the last component stands for any text.
        #[arg(value_name = "PATTERN")]
        private: String,
        /// Folder of the public area to put them in; `/`: the area itself.
        #[arg(value_name = "FOLDER")]
        public: String,
        /// What lies in folders below too.
        #[arg(short, long)]
        recursive: bool,
    },
    /// Delete files or folders, as one new revision.
    Delete {
        /// Paths in the area.
        #[arg(required = true)]
        paths: Vec<String>,
        #[command(flatten)]
        area: AreaArgs,
    },
    /// How much room the public area and your own take, and may take.
    Usage,
    /// Which revision changed what, by whom and when; newest first.
    History {
        /// Only of this file, or of what is in this folder.
        path: Option<String>,
        /// At most so many changes.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        area: AreaArgs,
    },
    /// What changed between the files of two runs.
    Diff {
        /// One run.
        #[arg(value_name = "RUN")]
        from: u64,
        /// The other, usually a later one.
        #[arg(value_name = "RUN")]
        to: u64,
    },
}

impl Default for Command {
    fn default() -> Self {
        Self::List(ListArgs::default())
    }
}

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ListArgs {
    /// Only this file, or what is in this folder.
    path: Option<String>,
    #[command(flatten)]
    area: AreaArgs,
}

#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct AreaArgs {
    /// Your own area instead of the public one.
    #[arg(long)]
    private: bool,
}

impl AreaArgs {
    /// As the API names it.
    pub(crate) const fn name(self) -> &'static str {
        if self.private { "private" } else { "public" }
    }
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::List(args) => list(context, args).await,
        Command::Upload { paths, to, area } => upload::run(context, paths, to.as_deref(), *area).await,
        Command::Publish { private, public, recursive } => publish(context, private, public, *recursive).await,
        Command::Delete { paths, area } => delete(context, paths, *area).await,
        Command::Usage => usage(context).await,
        Command::History { path, limit, area } => history(context, path.as_deref(), *limit, *area).await,
        Command::Diff { from, to } => diff(context, *from, *to).await,
    }
}

async fn list(context: &Context, ListArgs { path, area }: &ListArgs) -> Result<()> {
    let query = path.as_ref().map(|path| format!("?path={}", segment(path))).unwrap_or_default();
    let list: FileList = context.client.get(&format!("/files/{}{query}", area.name())).await?;
    if list.files.is_empty() && !context.ui.json {
        context.ui.say(&format!("the {} area is empty; `headend files upload` fills it", area.name()));
        return Ok(());
    }
    context.ui.show(&list, |list| list_table(context, list))?;
    context.ui.say(&format!("{} in revision {}", count(list.files.len() as u64, "file"), list.revision));
    Ok(())
}

fn list_table(context: &Context, list: &FileList) -> String {
    let mut table = context.ui.table(&["PATH", "BYTES", "EDITED", "REVISION", "BY", "HASH"]);
    for file in &list.files {
        table.add_row([
            cell(&file.path),
            cell(&file.size.to_string()),
            cell(&when(&file.edited)),
            cell(&file.revision.to_string()),
            cell(&file.by),
            cell(short(&file.hash)),
        ]);
    }
    ui::text(&table)
}

/// Enough of a hash for people.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

async fn publish(context: &Context, private: &str, public: &str, deep: bool) -> Result<()> {
    let (private, public) = (private.to_owned(), public.to_owned());
    let request = ConvertRequest { private, public, include_sub_dirs: deep };
    let answer: ConvertAnswer = context.client.post("/files/convert", &request).await?;
    context
        .ui
        .show(&answer, |answer| answer.files.iter().map(|path| ui::plain(path)).collect::<Vec<_>>().join("\n"))?;
    let files = count(answer.files.len() as u64, "file");
    context.ui.say(&format!("{files} public in revision {}", answer.revision));
    Ok(())
}

async fn delete(context: &Context, paths: &[String], area: AreaArgs) -> Result<()> {
    let request = CommitRequest { put: Vec::new(), delete: paths.to_vec() };
    let answer: CommitAnswer = context.client.post(&format!("/files/{}/commit", area.name()), &request).await?;
    context.ui.show(&answer, |answer| format!("revision {}", answer.revision))
}

async fn usage(context: &Context) -> Result<()> {
    let usage: FileUsage = context.client.get("/files/usage").await?;
    context.ui.show(&usage, |usage| usage_table(context, usage))
}

fn usage_table(context: &Context, usage: &FileUsage) -> String {
    let mut table = context.ui.table(&["AREA", "FILES", "BYTES", "QUOTA"]);
    for (name, AreaUsage { files, bytes, quota }) in [("public", usage.public), ("private", usage.private)] {
        let quota = quota.map_or_else(|| "none".to_owned(), |quota| quota.to_string());
        table.add_row([cell(name), cell(&files.to_string()), cell(&bytes.to_string()), cell(&quota)]);
    }
    ui::text(&table)
}

async fn history(context: &Context, path: Option<&str>, limit: u32, area: AreaArgs) -> Result<()> {
    let path = path.map(|path| format!("&path={}", segment(path))).unwrap_or_default();
    let address = format!("/files/{}/history?limit={limit}{path}", area.name());
    let history: FileHistory = context.client.get(&address).await?;
    if history.changes.is_empty() && !context.ui.json {
        context.ui.say(&format!("nothing was ever put into the {} area", area.name()));
        return Ok(());
    }
    context.ui.show(&history, |history| history_table(context, history))?;
    if history.next.is_some() {
        context.ui.say("there is more; ask for it with --limit, or for one file");
    }
    Ok(())
}

fn history_table(context: &Context, history: &FileHistory) -> String {
    let mut table = context.ui.table(&["REVISION", "AT", "BY", "CHANGE", "PATH", "BYTES", "HASH"]);
    for change in &history.changes {
        let size = change.hash.as_ref().map_or_else(|| "-".to_owned(), |_| change.size.to_string());
        table.add_row([
            cell(&change.revision.to_string()),
            cell(&when(&change.at)),
            cell(&change.by),
            cell(&change.change),
            cell(&change.path),
            cell(&size),
            cell(change.hash.as_deref().map_or("-", short)),
        ]);
    }
    ui::text(&table)
}

async fn diff(context: &Context, from: u64, to: u64) -> Result<()> {
    let diff: RunFilesDiff = context.client.get(&format!("/runs/{from}/files-diff/{to}")).await?;
    let areas = [Some(("public", &diff.public)), diff.private.as_ref().map(|area| ("private", area))];
    let changes: usize = areas.iter().flatten().map(|(_, area)| area.changes.len()).sum();
    if changes > 0 || context.ui.json {
        context.ui.show(&diff, |_| diff_table(context, areas.iter().flatten().copied()))?;
    }
    for (name, area) in areas.into_iter().flatten() {
        let more = if area.more { " and more" } else { "" };
        let changes = count(area.changes.len() as u64, "change");
        let between = format!("between revision {} and {}", area.from_revision, area.to_revision);
        context.ui.say(&format!("{name} area: {changes}{more} {between}"));
    }
    Ok(())
}

fn diff_table<'a>(context: &Context, areas: impl Iterator<Item = (&'static str, &'a AreaDiff)>) -> String {
    let mut table = context.ui.table(&["AREA", "CHANGE", "PATH", "FROM", "TO", "REVISION", "BY", "AT"]);
    for (name, area) in areas {
        for change in &area.changes {
            table.add_row([
                cell(name),
                cell(&change.change),
                cell(&change.path),
                cell(change.from.as_deref().map_or("-", short)),
                cell(change.to.as_deref().map_or("-", short)),
                cell(&change.revision.to_string()),
                cell(&change.by),
                cell(&when(&change.at)),
            ]);
        }
    }
    ui::text(&table)
}
