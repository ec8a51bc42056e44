//! `headend rack`: a rack of boxes that works for a server.

use std::path::PathBuf;

use headend_rack::options::{Chances, Size};
use headend_rack::{Rack, RackError, RackOptions};

use super::life::{self, Signals};
use super::rack_file;
use crate::args::OutputArgs;
use crate::credentials::{self, DEFAULT_SERVER, ServerArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A new rack enrols with a one-use token (`headend racks token`), given by --token; afterwards it has its own.",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<rack_file::Command>,
    /// Name of the rack.
    #[arg(long, value_parser = rack_name, required_unless_present = "file")]
    name: Option<String>,
    /// A rack file: slots of real tools and virtual boxes. What stands on the command line wins.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["slots", "virtual_time", "box_picture", "box_boot", "box_chances"]
    )]
    file: Option<PathBuf>,
    /// Folder of everything that the rack keeps [default: the rack's name, in the user's state folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) boxes: BoxFlags,
    /// A file that takes a line for each drive of a box, for tests of the rack itself.
    #[arg(long, value_name = "FILE", hide = true)]
    witness: Option<PathBuf>,
}

fn rack_name(text: &str) -> std::result::Result<String, String> {
    headend_model::RackName::new(text).map(|name| name.to_string()).map_err(|error| error.to_string())
}

/// What `rack` and `up` have in common.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rack")]
pub(crate) struct BoxFlags {
    /// Virtual boxes.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) slots: u16,
    /// Virtual boxes run as fast as they can be simulated: waits of scripts cost nothing.
    #[arg(long)]
    virtual_time: bool,
    /// Size of the pictures of virtual boxes.
    #[arg(long, value_name = "SIZE", default_value = "720p", value_parser = ["720p", "1080p"])]
    box_picture: String,
    /// Seconds from mains to live pictures of a virtual box.
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u16).range(0..=3_600))]
    box_boot: u16,
    /// What goes wrong with virtual boxes by chance: names and probabilities, such as "lose-key 0.01, crash 0.0001".
    ///
    /// Of each key: lose-key; of each zap: wrong-channel, slow-zap; of each second: freeze, black, no-signal,
    /// macroblocks, silence, crash, serial-noise.
    #[arg(long, value_name = "CHANCES", default_value = "", hide_default_value = true, value_parser = Chances::parse)]
    box_chances: Chances,
    /// A Python interpreter to use, besides those that are found. May be given several times.
    #[arg(long = "python", value_name = "FILE", value_parser = super::interpreter)]
    pythons: Vec<PathBuf>,
    /// A folder or file besides the system and their own that Python scripts may read: a share with reference pictures,
    /// say. May be given several times.
    #[arg(long = "python-readable", value_name = "PATH")]
    readable: Vec<PathBuf>,
    /// The same, to read and write: a serial port, say.
    #[arg(long = "python-writable", value_name = "PATH")]
    writable: Vec<PathBuf>,
    /// Most memory of a Python script, in MiB; 0 for no limit.
    #[arg(long, value_name = "MIB", default_value_t = 4_096)]
    python_memory: u64,
    /// Most that a Python script may write to the disk, in MiB; 0 for no limit.
    #[arg(long, value_name = "MIB", default_value_t = 4_096)]
    python_disk: u64,
    /// Let Python scripts see the whole machine, as far as the rack's user may. For scripts that are trusted.
    #[arg(long)]
    python_open: bool,
    /// Working copies of uploaded files to keep.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    working_copies: u16,
}

impl BoxFlags {
    /// Options of the rack on this folder.
    pub(crate) fn options(&self, server: &str, name: &str, data: PathBuf) -> RackOptions {
        let mut options = RackOptions::new(server, name, data, self.slots).virtual_time(self.virtual_time);
        options = options.boxes(|stb| {
            stb.picture = if self.box_picture == "1080p" { Size::Hd1080 } else { Size::Hd720 };
            stb.boot_ms = u32::from(self.box_boot) * 1_000;
            stb.chances = self.box_chances;
        });
        options.python.interpreters.clone_from(&self.pythons);
        options.python.readable.clone_from(&self.readable);
        options.python.writable.clone_from(&self.writable);
        options.python.memory_bytes = self.python_memory.saturating_mul(1 << 20);
        options.python.disk_bytes = self.python_disk.saturating_mul(1 << 20);
        options.python.isolate = !self.python_open;
        options.working_copies = usize::from(self.working_copies);
        options
    }
}

/// What command line and rack file say together.
fn options(args: &Args, server: &ServerArgs, ui: Ui) -> Result<RackOptions> {
    let file = args.file.as_deref().map(|path| Ok::<_, Failure>((path, rack_file::read(path)?))).transpose()?;
    let said = file.as_ref().map(|(_, file)| file.rack.clone()).unwrap_or_default();
    let Some(name) = args.name.clone().or(said.name) else {
        let message = "the rack has no name";
        return Err(Failure::usage(message).help("give --name NAME, or `name` in the table [rack] of the rack file"));
    };
    let data = match args.data.clone().or(said.data) {
        Some(data) => data,
        None => credentials::default_data()?.join(&name),
    };
    let base = credentials::base(server.server.as_deref().or(said.server.as_deref()).unwrap_or(DEFAULT_SERVER))?;
    let mut options = args.boxes.options(&base, &name, data);
    if let Some((path, file)) = file {
        ui.say(&format!("{}: {}", path.display(), crate::ui::count(file.slots.len() as u64, "slot")));
        options = rack_file::with(options, file);
    }
    options.enrol_token.clone_from(&server.token);
    options.witness.clone_from(&args.witness);
    Ok(options)
}

/// Works until it is told to stop, or has drained.
pub(crate) fn run(args: &Args, server: &ServerArgs, output: OutputArgs, ui: Ui) -> Result<()> {
    if let Some(command) = &args.command {
        return rack_file::run(command, output, ui);
    }
    life::log(ui, output, "info");
    let options = options(args, server, ui)?;
    let (name, base) = (options.name.clone(), options.server.clone());
    life::runtime()?.block_on(async {
        let mut signals = Signals::catch()?;
        let rack = Rack::start(options).await.map_err(failed)?;
        tokio::select! {
            ready = rack.ready() => if ready { ui.say(&format!("rack {name} is ready for {base}")) },
            () = signals.next() => return life::stop(ui, &mut signals, async { rack.stop().await; Ok(()) }).await,
        }
        tokio::select! {
            () = rack.finished() => ui.say("drained"),
            () = signals.next() => {}
        }
        life::stop(ui, &mut signals, async {
            rack.stop().await;
            Ok(())
        })
        .await
    })
}

/// Why a rack did not start.
pub(crate) fn failed(error: RackError) -> Failure {
    let exit = if matches!(error, RackError::FolderInUse { .. }) { Exit::Conflict } else { Exit::CouldNotRun };
    Failure::new(exit, "rack", "the rack cannot run").because(error)
}
