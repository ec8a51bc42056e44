//! `headend simulate`: what would become of a load under these policies. A virtual clock, the scheduler's own step.

mod plan;
mod policies;

use std::path::{Path, PathBuf};

use headend_model::{Span, Timestamp};
use headend_server::{LabNow, farm_in, load_between};
use headend_store::Store;
use headend_whatif::report::{Load, html, svg, text};
use headend_whatif::{Case, Figures, Plan, play};
use headend_wire::whatif::PlanDoc;

use crate::client::Client;
use crate::credentials::ServerArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;
use policies::Plugins;

const AFTER: &str = "\
A load is a plan in a file, or what a server recorded: of the server that you talk to, or of a data folder that no server
uses. The lab is as it is now; the times that runs took are kept.

A plan:
    seed = 1
    otherwise = 60                      # seconds of a run of which nothing is known
    [[rack]]
    name = \"rack1\"
    slots = 4
    [[job]]
    name = \"nightly\"
    owner = \"anna\"
    priority = 5
    at = 0                              # seconds after the start; count = 10 and every = 60: ten of them, one a minute
    on = [\"rack1/*\"]                    # or \"rack1/3\", or \"*\"
    [[job.test]]
    script = \"zap.rhai\"
    mode = 1                            # 0 single process, 1 DUT coverage, 2 test coverage, or a policy's name
    slots_needed = 2
    lasts = { p50 = 60, p90 = 180 }     # or 12.5, \"history\", { uniform = [10, 20] }, { samples = [9, 11] }

Policies: `native` (what the plan asks for, by the built-in rules), a built-in by name (`dut-coverage`, `test-coverage`;
`priority-fifo` between jobs), the folder of a plugin, or the name of a plugin in --plugins.
The same load, seed and policies make the same report, byte for byte.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// A plan, TOML.
    #[arg(value_name = "PLAN", conflicts_with_all = ["data", "from", "to"])]
    plan: Option<PathBuf>,
    /// The load that a server recorded in this data folder; the server must be down.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Begin of the period [default: a day before its end].
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// End of the period [default: now].
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// What chooses among the tests of a job. Several times: each is a case.
    #[arg(long, value_name = "POLICY", default_value = "as-planned")]
    coverage: Vec<String>,
    /// What orders the jobs. Several times: each with each --coverage.
    #[arg(long, value_name = "POLICY", default_value = "native")]
    queue: Vec<String>,
    /// Folder of plugins that policies may name.
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Decides all that is left to chance [default: the plan's].
    #[arg(long)]
    seed: Option<u64>,
    /// Write a page that stands alone.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the picture alone.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the load as a plan.
    #[arg(long, value_name = "FILE")]
    save_plan: Option<PathBuf>,
}

fn time(given: &str) -> std::result::Result<Timestamp, String> {
    let zoned = |civil: jiff::civil::DateTime| civil.to_zoned(jiff::tz::TimeZone::system()).map(|at| at.timestamp());
    let at = given.parse::<jiff::Timestamp>().or_else(|_| given.parse::<jiff::civil::DateTime>().and_then(zoned));
    let remedy = "write a time like 2026-03-01T18:00:00Z, or 2026-03-01 or 2026-03-01T18:00 in this machine's zone";
    at.map(|at| Timestamp::from_micros(at.as_microsecond())).map_err(|_| remedy.to_owned())
}

/// Plays each case and shows them side by side.
pub(crate) fn run(args: &Args, server: &ServerArgs, ui: Ui) -> Result<()> {
    let (source, mut doc) = load(args, server)?;
    doc.seed = args.seed.unwrap_or(doc.seed);
    if let Some(path) = &args.save_plan {
        let plan = toml::to_string(&doc).map_err(|error| Failure::usage("the plan is no TOML").because(error))?;
        write(path, &plan)?;
    }
    let plan = plan::read(&doc)?;
    let head = Load { source, jobs: plan.jobs.len(), slots: plan.slots(), seed: plan.seed };
    let all = play_all(args, &plan, ui)?;
    if let Some(path) = &args.report {
        write(path, &html(&head, &all))?;
    }
    if let Some(path) = &args.svg {
        write(path, &svg(&all))?;
    }
    let shown = serde_json::json!({
        "source": head.source, "jobs": head.jobs, "slots": head.slots, "seed": head.seed, "cases": all,
    });
    ui.show(&shown, |_| text(&head, &all))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Failure::file("write", path, error))
}

fn play_all(args: &Args, plan: &Plan, ui: Ui) -> Result<Vec<Figures>> {
    let mut plugins = Plugins::new(args.plugins.clone());
    let mut all = Vec::new();
    for coverage in &args.coverage {
        for queue in &args.queue {
            let case = plugins.case(coverage, queue, args.queue.len() > 1)?;
            all.push(play_one(plan, &case, &plugins, ui)?);
        }
    }
    Ok(all)
}

fn play_one(plan: &Plan, case: &Case, plugins: &Plugins, ui: Ui) -> Result<Figures> {
    let mut asked = plugins.asked();
    let figures = play(plan, case, &mut asked).map_err(|fault| Failure::usage(fault.to_string()))?;
    if asked.late() > 0 {
        let late = asked.late();
        ui.say(&format!(
            "{}: a policy overran its deadline {late} times; on a less busy machine this may differ",
            case.name
        ));
    }
    Ok(figures)
}

fn load(args: &Args, server: &ServerArgs) -> Result<(String, PlanDoc)> {
    if let Some(path) = &args.plan {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, error))?;
        let doc = toml::from_str(&text);
        let doc = doc.map_err(|error| Failure::usage(format!("{} is no plan", path.display())).because(error))?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        return Ok((name.to_string_lossy().into_owned(), doc));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Fault, "runtime", "cannot start").because(error))?;
    let now = Timestamp::from_micros(jiff::Timestamp::now().as_microsecond());
    let to = args.to.unwrap_or(now);
    let from = args.from.unwrap_or(to - Span::seconds(86_400));
    if from >= to {
        return Err(Failure::usage("the period ends before it begins; give --from a time before --to"));
    }
    let source = format!("load from {} to {}", shown(from), shown(to));
    let doc = match &args.data {
        Some(data) => runtime.block_on(of_folder(data, from, to))?,
        None => runtime.block_on(of_server(server, from, to))?,
    };
    Ok((source, doc))
}

fn shown(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).map_or_else(|_| at.micros().to_string(), |at| format!("{at:.0}"))
}

async fn of_server(server: &ServerArgs, from: Timestamp, to: Timestamp) -> Result<PlanDoc> {
    Client::new(server)?.get(&format!("/load?from={}&to={}", shown(from), shown(to))).await
}

/// A store in a data folder, which must be there: opening would make one.
pub(crate) async fn store_in(data: &Path) -> Result<Store> {
    if !data.join("headend.db").is_file() {
        let message = format!("{} is no data folder of a server", data.display());
        return Err(
            Failure::new(Exit::NotFound, "data", message).help("name the folder that `headend serve` has as --data")
        );
    }
    Store::open(data).await.map_err(|error| {
        let exit = match &error {
            headend_store::StoreError::InUse { .. } => Exit::Conflict,
            _ => Exit::Io,
        };
        Failure::new(exit, "data", format!("cannot use {}", data.display())).because(error)
    })
}

async fn of_folder(data: &Path, from: Timestamp, to: Timestamp) -> Result<PlanDoc> {
    let store = store_in(data).await?;
    let failed = |message: &str| Failure::new(Exit::Io, "data", format!("{message} of {}", data.display()));
    let doc = async {
        let farm = farm_in(&store).await.map_err(|error| failed("cannot read the farm").because(error))?;
        let load = load_between(&store, LabNow::of(&farm), (from, to)).await;
        load.map_err(|error| failed("cannot read the load").because(error))
    };
    let doc = doc.await;
    store.close().await;
    doc
}
