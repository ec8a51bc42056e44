//! `headend inventory`: models, infrared sets, smartcards, DUTs and places as one TOML file.

use std::io::Read;
use std::path::{Path, PathBuf};

use headend_wire::inventory::{DutEntry, InventoryAnswer, InventoryDoc, Removal};

use super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{self, cell};

/// What stands in the file; shown by `headend inventory --help`.
pub(crate) const SCHEMA: &str = "\
INVENTORY FILES
  TOML. What is left out stays as it is; importing the same file again changes nothing.

    [[model]]                        # by name
    name = \"HD+\"
    manufacturer = \"Pace\"            # also description, manufacturer_model, hardware_version,
                                     # type_name, type_description, broadcaster
    [[ir_set]]                       # by name
    name = \"nec\"
    description = \"NEC codes\"

    [[smartcard]]                    # by number
    number = \"0042\"
    param_name = \"tier\"
    param_value = \"gold\"

    [[dut]]                          # by dut (its id), else by name, else new
    name = \"TP200686A-L-80\"
    model = \"HD+\"
    ir_set = \"nec\"
    smartcard = \"0042\"
    serial_number = \"x7\"
    place = \"rack1/4\"                # or shelf

    [[remove]]
    kind = \"model\"                   # model, ir_set, smartcard or dut
    key = \"SD\"                       # its name or number; of a DUT its id";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print all of it as TOML.
    Export {
        /// Write it to this file instead.
        file: Option<PathBuf>,
    },
    /// Make the lab what a file says: whole, or not at all.
    #[command(after_long_help = SCHEMA)]
    Import {
        /// The file; `-` is standard input.
        file: PathBuf,
        /// Only tell what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove a model, infrared set, smartcard or DUT.
    Remove {
        /// model, `ir_set`, smartcard or dut.
        kind: String,
        /// Its name or number; of a DUT its id.
        key: String,
    },
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::Export { file } => export(context, file.as_deref()).await,
        Command::Import { file, dry_run } => apply(context, &read(file)?, *dry_run).await,
        Command::Remove { kind, key } => {
            let remove = vec![Removal { kind: kind.clone(), key: key.clone() }];
            apply(context, &InventoryDoc { remove, ..InventoryDoc::default() }, false).await
        }
    }
}

async fn export(context: &Context, file: Option<&Path>) -> Result<()> {
    let doc: InventoryDoc = context.client.get("/inventory").await?;
    if context.ui.json {
        return context.ui.print_json(&doc);
    }
    let text = toml::to_string(&doc).map_err(|error| {
        Failure::new(Exit::Fault, "inventory", "the inventory cannot be written as TOML").because(error)
    })?;
    match file {
        None => context.ui.print(text.trim_end()),
        Some(path) => std::fs::write(path, text).map_err(|error| Failure::file("write", path, error)),
    }
}

fn read(path: &Path) -> Result<InventoryDoc> {
    let mut text = String::new();
    let done = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|found| text = found)
    };
    done.map_err(|error| Failure::file("read", path, error))?;
    toml::from_str(&text).map_err(|error| {
        Failure::new(Exit::Usage, "inventory_file", format!("{} cannot be read", path.display()))
            .because(error)
            .help("`headend inventory import --help` shows what stands in the file")
    })
}

/// Applies a document and tells what changed.
pub(crate) async fn apply(context: &Context, doc: &InventoryDoc, dry_run: bool) -> Result<()> {
    let answer: InventoryAnswer = context.client.post(&format!("/inventory?dry_run={dry_run}"), doc).await?;
    if context.ui.json {
        return context.ui.print_json(&answer);
    }
    if answer.changes.is_empty() {
        context.ui.say("nothing to change");
        return Ok(());
    }
    let mut table = context.ui.table(&["WHAT", "ID", "NAME", "CHANGE", "DETAIL"]);
    for change in &answer.changes {
        table.add_row([
            cell(&change.kind),
            cell(&change.id.to_string()),
            cell(&change.key),
            cell(&change.what),
            cell(&change.detail),
        ]);
    }
    context.ui.print(&ui::text(&table))?;
    if dry_run {
        context.ui.say("nothing was stored: this was a dry run");
    }
    Ok(())
}

/// One DUT, changed.
pub(crate) async fn set_dut(context: &Context, entry: DutEntry) -> Result<()> {
    apply(context, &InventoryDoc { dut: vec![entry], ..InventoryDoc::default() }, false).await
}
