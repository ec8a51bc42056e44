//! `headend results`: what runs have found out, for people, spreadsheets, programs and build servers.
//!
//! The server gives pages; they are written as they come, so a year of runs needs no more memory than a day.

mod csv;
mod junit;
mod pages;
mod row;
mod when;

use std::io::{self, BufWriter, Write};

use headend_wire::api::{MeasurementList, ResultFileList, ResultList, RunResult, StepList};

use super::Context;
use crate::client::segment;
use crate::failure::{Failure, Result};
use crate::ui::{self, cell};
use pages::{Listing, Pages};
use row::Row;

/// Rows of a table unless asked for more: people read the newest.
const TABLE: u64 = 50;

const AFTER: &str = "\
The newest run comes first. json is one array, a row on each line; csv has a header and CRLF (RFC 4180); junit has a suite for each \
job and a case for each run, with its steps and measurements in system-out.";

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One array.
    Json,
    /// With a header.
    Csv,
    /// XML for build servers; runs only.
    Junit,
}

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Only of this job.
    #[arg(long, value_name = "JOB")]
    job: Option<u64>,
    /// Only this run.
    #[arg(long, value_name = "RUN")]
    run: Option<u64>,
    /// Only of tests whose path fits: 'public/zap/*'; `*` any text, `?` one character, `[a-z]` one of these.
    #[arg(long, value_name = "GLOB")]
    test: Option<String>,
    /// Only of this DUT: its name or id.
    #[arg(long, value_name = "DUT")]
    dut: Option<String>,
    /// Only runs that ended then or later: 2h, 3d, 2030-01-31, 2030-01-31T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    since: Option<jiff::Timestamp>,
    /// Only runs that ended before then.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    until: Option<jiff::Timestamp>,
    /// Only runs that ended so: `pass`, `partial_pass`, `fail`, `not_run`, `incomplete`, `killed`; several with a comma.
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',')]
    outcome: Vec<String>,
    /// Only this user's (administrators).
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    #[command(flatten)]
    what: What,
    /// How to write [default: table; json with --json].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// At most so many rows, the newest; 0: all [default: 50 in a table, else all].
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Of what; runs unless something else is asked for.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(multiple = false)]
struct What {
    /// Steps instead of runs.
    #[arg(long)]
    steps: bool,
    /// Measurements instead of runs.
    #[arg(long)]
    measurements: bool,
    /// Files instead of runs.
    #[arg(long)]
    artifacts: bool,
}

impl Args {
    /// The query, without its beginning.
    fn query(&self) -> String {
        let mut query = String::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                query.push_str(&[name, "=", &segment(&value), "&"].concat());
            }
        };
        add("job", self.job.map(|job| job.to_string()));
        add("run", self.run.map(|run| run.to_string()));
        add("test", self.test.clone());
        add("dut", self.dut.clone());
        add("since", self.since.map(|at| at.to_string()));
        add("until", self.until.map(|at| at.to_string()));
        add("outcome", (!self.outcome.is_empty()).then(|| self.outcome.join(",")));
        add("owner", self.owner.clone());
        query
    }

    /// Rows at most; `None`: all.
    fn most(&self, format: Format) -> Option<u64> {
        match (self.limit, format) {
            (Some(0), _) => None,
            (Some(most), _) => Some(most),
            (None, Format::Table) => Some(TABLE),
            (None, _) => None,
        }
    }
}

/// Writes what was asked for.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<()> {
    let format = args.format.unwrap_or(if context.ui.json { Format::Json } else { Format::Table });
    match args.what {
        What { steps: true, .. } => list::<StepList>(context, args, format).await,
        What { measurements: true, .. } => list::<MeasurementList>(context, args, format).await,
        What { artifacts: true, .. } => list::<ResultFileList>(context, args, format).await,
        _ if format == Format::Junit => junit_of(context, args).await,
        _ => list::<ResultList>(context, args, format).await,
    }
}

async fn list<L: Listing>(context: &Context, args: &Args, format: Format) -> Result<()> {
    let mut pages = Pages::<L>::new(context.client.clone(), &args.query(), args.most(format));
    let mut out = BufWriter::new(io::stdout());
    match format {
        Format::Table => return table(context, &mut pages).await,
        Format::Json => json(&mut out, &mut pages).await?,
        Format::Csv => csv_of(&mut out, &mut pages).await?,
        Format::Junit => {
            return Err(Failure::usage(
                "JUnit has runs, with their steps and measurements; --steps, --measurements and --artifacts are not for it",
            )
            .help("leave them out, or take --format csv"));
        }
    }
    out.flush()?;
    Ok(())
}

async fn json<L: Listing>(out: &mut impl Write, pages: &mut Pages<L>) -> Result<()> {
    let mut before = "[\n";
    while let Some(item) = pages.next().await? {
        let text = serde_json::to_string(&item).map_err(io::Error::other)?;
        write!(out, "{before}{text}")?;
        before = ",\n";
    }
    writeln!(out, "{}", if before == "[\n" { "[]" } else { "\n]" })?;
    Ok(())
}

async fn csv_of<L: Listing>(out: &mut impl Write, pages: &mut Pages<L>) -> Result<()> {
    out.write_all(csv::line(L::Item::COLUMNS.iter().copied()).as_bytes())?;
    while let Some(item) = pages.next().await? {
        out.write_all(csv::line(item.values().iter().map(String::as_str)).as_bytes())?;
    }
    Ok(())
}

async fn table<L: Listing>(context: &Context, pages: &mut Pages<L>) -> Result<()> {
    let mut table = context.ui.table(L::Item::HEADS);
    let mut rows = 0_u64;
    while let Some(item) = pages.next().await? {
        table.add_row(item.cells().iter().map(|text| cell(text)));
        rows += 1;
    }
    if rows == 0 {
        context.ui.say("no results; those of a run come about a second after its end");
        return Ok(());
    }
    context.ui.print(&ui::text(&table))?;
    if pages.has_more() {
        context.ui.say(&format!("the newest {rows}; more with --limit, 0 for all"));
    }
    Ok(())
}

/// A suite for each job: runs of a job have numbers that follow each other.
async fn junit_of(context: &Context, args: &Args) -> Result<()> {
    let mut runs = Pages::<ResultList>::new(context.client.clone(), &args.query(), args.most(Format::Junit));
    let mut steps = Pages::<StepList>::new(context.client.clone(), &args.query(), None);
    let mut numbers = Pages::<MeasurementList>::new(context.client.clone(), &args.query(), None);
    let mut out = BufWriter::new(io::stdout());
    out.write_all(junit::HEAD.as_bytes())?;
    let mut suite: Option<junit::Suite> = None;
    while let Some(run) = runs.next().await? {
        let steps = own(&mut steps, &run, |step| step.run).await?;
        let measured = own(&mut numbers, &run, |item| item.run).await?;
        if suite.as_ref().is_some_and(|suite| suite.job() != run.job)
            && let Some(done) = suite.take()
        {
            out.write_all(&done.finish()?)?;
        }
        suite.get_or_insert_with(|| junit::Suite::new(&run)).add(&run, &steps, &measured)?;
    }
    if let Some(last) = suite {
        out.write_all(&last.finish()?)?;
    }
    out.write_all(junit::TAIL.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// What is the run's own of a list. Both lists go from the highest run to the lowest; rows of runs that came in meanwhile are passed over.
async fn own<L: Listing>(list: &mut Pages<L>, run: &RunResult, of: impl Fn(&L::Item) -> u64) -> Result<Vec<L::Item>> {
    let mut own = Vec::new();
    while let Some(item) = list.next_if(|item| of(item) >= run.run).await? {
        if of(&item) == run.run {
            own.push(item);
        }
    }
    Ok(own)
}
