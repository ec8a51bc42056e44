//! `headend files`: the scripts on the server.

use std::path::PathBuf;

use headend_wire::api::{CommitAnswer, CommitRequest, FileList};

use super::{Context, upload};
use crate::failure::Result;
use crate::ui::{self, cell, count};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Files of an area (also without any word).
    List(AreaArgs),
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
    /// Delete files or folders, as one new revision.
    Delete {
        /// Paths in the area.
        #[arg(required = true)]
        paths: Vec<String>,
        #[command(flatten)]
        area: AreaArgs,
    },
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
        Command::List(area) => list(context, *area).await,
        Command::Upload { paths, to, area } => upload::run(context, paths, to.as_deref(), *area).await,
        Command::Delete { paths, area } => delete(context, paths, *area).await,
    }
}

async fn list(context: &Context, area: AreaArgs) -> Result<()> {
    let list: FileList = context.client.get(&format!("/files/{}", area.name())).await?;
    if list.files.is_empty() && !context.ui.json {
        context.ui.say(&format!("the {} area is empty; `headend files upload` fills it", area.name()));
        return Ok(());
    }
    context.ui.show(&list, |list| table(context, list))?;
    context.ui.say(&format!("{} in revision {}", count(list.files.len() as u64, "file"), list.revision));
    Ok(())
}

fn table(context: &Context, list: &FileList) -> String {
    let mut table = context.ui.table(&["PATH", "BYTES", "HASH"]);
    for file in &list.files {
        table.add_row([
            cell(&file.path),
            cell(&file.size.to_string()),
            cell(file.hash.get(..12).unwrap_or(&file.hash)),
        ]);
    }
    ui::text(&table)
}

async fn delete(context: &Context, paths: &[String], area: AreaArgs) -> Result<()> {
    let request = CommitRequest { put: Vec::new(), delete: paths.to_vec() };
    let answer: CommitAnswer = context.client.post(&format!("/files/{}/commit", area.name()), &request).await?;
    context.ui.show(&answer, |answer| format!("revision {}", answer.revision))
}
