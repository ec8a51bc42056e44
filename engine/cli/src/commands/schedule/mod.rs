//! `headend schedule`: jobs that start by themselves.

mod change;
mod tables;

use headend_wire::api::ModeRef;
use headend_wire::schedules::{ComingList, PastList, ScheduleDetail, ScheduleList};

use super::Context;
use crate::client::segment;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::targets::SlotRange;

const CREATE: &str = "\
  headend schedule create nightly Daily --from 22:00 --to 06:00
  headend schedule create weekly Weekly --from 10:00 --to 20:00 --days Wed,Fri --time-zone UTC
  headend schedule create soak Loop --from 18:00 --to 08:00 --start 2026-11-27 --end 2026-11-30
  headend schedule add nightly --slot rack1/1-4
  headend schedule add-test nightly tests/zap.py --slots-needed 4

Loop and OneOff have one period, from --start --from to --end --to. The others have a window on each of their days, from \
--from to --to (on the next day, if that is not later). A schedule begins nothing until it was left alone for 5 seconds.";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Your schedules (also without any word).
    List {
        /// Those of this user (administrators).
        #[arg(long, value_name = "USER")]
        owner: Option<String>,
    },
    /// A schedule with its slots, DUTs and tests.
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Make a schedule; its slots, DUTs and tests are added afterwards.
    #[command(after_help = CREATE)]
    Create(Box<change::NewArgs>),
    /// Change when a schedule is due; what is not given stays.
    Modify(Box<change::ModifyArgs>),
    /// Give a schedule another name.
    Rename {
        #[command(flatten)]
        which: Which,
        /// Its name from now on.
        name: String,
    },
    /// Delete a schedule: running tests finish, waiting ones end incomplete.
    Delete {
        #[command(flatten)]
        which: Which,
    },
    /// Put slots and DUTs on a schedule. Counts from the next occurrence on.
    Add {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        targets: Targets,
    },
    /// Take slots and DUTs off a schedule. Counts from the next occurrence on.
    Remove {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        targets: Targets,
    },
    /// Put a test on a schedule, behind the others. Counts from the next occurrence on.
    AddTest(change::AddTestArgs),
    /// Change a test on a schedule, but for its script; what is not given stays.
    SetTest(change::SetTestArgs),
    /// Take a test off its schedule: running runs finish, waiting ones end incomplete.
    RemoveTest {
        /// Its number, as `headend schedule show` tells it.
        test: u64,
    },
    /// Set what is asked of a policy that its tests name, from the next occurrence on.
    Parameters {
        #[command(flatten)]
        which: Which,
        /// The policy.
        policy: String,
        /// A JSON object, or @FILE with one; `null`: nothing is asked of it any more.
        parameters: String,
    },
    /// When it is due next.
    Next {
        #[command(flatten)]
        which: Which,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
        most: u32,
    },
    /// What became of its occurrences, the newest first: ran, late, skipped or missed, and why.
    Past {
        #[command(flatten)]
        which: Which,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
        most: u32,
        /// Only those with lower numbers than this one.
        #[arg(long, value_name = "OCCURRENCE")]
        before: Option<u64>,
    },
}

/// A schedule as people name it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Which {
    /// Its name, or its number.
    schedule: String,
    /// The name is that of a schedule of this user (administrators).
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
}

/// Slots and DUTs.
#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Targets {
    /// Slots: rack1/4, or rack1/1-4. May be given several times.
    #[arg(long = "slot", value_name = "RACK/N[-M]")]
    slots: Vec<SlotRange>,
    /// A DUT, wherever it sits. May be given several times.
    #[arg(long = "dut", value_name = "ID")]
    duts: Vec<u64>,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::List { owner } => list(context, owner.as_deref()).await,
        Command::Show { which } => show(context, which).await,
        Command::Create(args) => change::create(context, args).await,
        Command::Modify(args) => change::modify(context, args).await,
        Command::Rename { which, name } => change::rename(context, which, name).await,
        Command::Delete { which } => change::delete(context, which).await,
        Command::Add { which, targets } => change::targets(context, which, targets, true).await,
        Command::Remove { which, targets } => change::targets(context, which, targets, false).await,
        Command::AddTest(args) => change::add_test(context, args).await,
        Command::SetTest(args) => change::set_test(context, args).await,
        Command::RemoveTest { test } => change::remove_test(context, *test).await,
        Command::Parameters { which, policy, parameters } => {
            change::parameters(context, which, policy, parameters).await
        }
        Command::Next { which, most } => next(context, which, *most).await,
        Command::Past { which, most, before } => past(context, which, *most, *before).await,
    }
}

/// The number of a schedule: a number is one, anything else is a name.
async fn id_of(context: &Context, which: &Which) -> Result<u64> {
    if let Ok(id) = which.schedule.parse() {
        return Ok(id);
    }
    let mut path = format!("/schedules?name={}", segment(&which.schedule));
    if let Some(owner) = &which.owner {
        path = format!("{path}&owner={}", segment(owner));
    }
    let list: ScheduleList = context.client.get(&path).await?;
    list.schedules.first().map(|found| found.schedule).ok_or_else(|| {
        let whose = which.owner.as_ref().map_or_else(|| "you have".to_owned(), |owner| format!("{owner} has"));
        let what = format!("{whose} no schedule named {:?}", which.schedule);
        Failure::new(Exit::NotFound, "not_found", what).help("`headend schedule list` shows those that there are")
    })
}

async fn list(context: &Context, owner: Option<&str>) -> Result<()> {
    let path = owner.map_or_else(|| "/schedules".to_owned(), |owner| format!("/schedules?owner={}", segment(owner)));
    let list: ScheduleList = context.client.get(&path).await?;
    if list.schedules.is_empty() && !context.ui.json {
        context.ui.say("no schedules; `headend schedule create --help` shows how to make one");
        return Ok(());
    }
    context.ui.show(&list, |list| tables::list(context, list))
}

async fn show(context: &Context, which: &Which) -> Result<()> {
    let id = id_of(context, which).await?;
    let detail: ScheduleDetail = context.client.get(&format!("/schedules/{id}")).await?;
    context.ui.show(&detail, |detail| tables::detail(context, detail))
}

async fn next(context: &Context, which: &Which, most: u32) -> Result<()> {
    let id = id_of(context, which).await?;
    let coming: ComingList = context.client.get(&format!("/schedules/{id}/coming?most={most}")).await?;
    if coming.coming.is_empty() && !context.ui.json {
        context.ui.say("nothing comes any more");
        return Ok(());
    }
    context.ui.show(&coming, |coming| tables::coming(context, coming))
}

async fn past(context: &Context, which: &Which, most: u32, before: Option<u64>) -> Result<()> {
    let id = id_of(context, which).await?;
    let before_this = before.map(|before| format!("&before={before}")).unwrap_or_default();
    let past: PastList = context.client.get(&format!("/schedules/{id}/past?most={most}{before_this}")).await?;
    if past.past.is_empty() && !context.ui.json {
        context.ui.say(match before {
            None => "nothing was due yet; `headend schedule next` shows what comes",
            Some(_) => "there is nothing older",
        });
        return Ok(());
    }
    context.ui.show(&past, |past| tables::past(context, past))
}

/// 0, 1, 2, or the name of a policy.
fn mode(text: &str) -> ModeRef {
    text.parse().map_or_else(|_| ModeRef::Name(text.to_owned()), ModeRef::Number)
}
