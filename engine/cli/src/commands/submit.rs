//! `headend submit`: hands in a job.

use std::path::PathBuf;
use std::time::Duration;

use headend_wire::api::{ModeRef, SubmitAnswer, SubmitRequest, TestRequest};
use reqwest::Method;

use super::{Context, submit_file, watch};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::targets::SlotRange;
use crate::ui::{Ui, plain};

/// Tries of a submit whose answer got lost. Its key makes them one job.
const TRIES: u32 = 3;

#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that people give")]
pub(crate) struct Args {
    /// Job file (TOML, see below); `-` reads standard input.
    file: Option<PathBuf>,
    /// What you call the job.
    #[arg(long)]
    name: Option<String>,
    /// Slots to use: rack1/4, or rack1/1-4. May be given several times.
    #[arg(long = "slot", value_name = "RACK/N[-M]")]
    slots: Vec<SlotRange>,
    /// A DUT to use, wherever it sits. May be given several times.
    #[arg(long = "dut", value_name = "ID")]
    duts: Vec<u64>,
    /// A test: its script and, after a colon, its arguments. May be given several times.
    #[arg(long = "test", value_name = "SCRIPT[:ARGS]")]
    tests: Vec<String>,
    /// Mode of the tests given by --test: 0, 1, 2 or the name of a policy.
    #[arg(long, value_name = "MODE", default_value = "1")]
    mode: String,
    /// On how many targets each test given by --test is to run [default: all].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    slots_needed: Option<i64>,
    /// The scripts given by --test are in your own area, not in the public one.
    #[arg(long)]
    private: bool,
    /// Stop each test given by --test after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    time_limit: Option<u64>,
    /// 1 (first) to 9 (last) [default: 5].
    #[arg(long)]
    priority: Option<u8>,
    /// Start in spite of warnings, as the document's `submitBatchJob` does. Without it nothing is stored if there are any.
    #[arg(long)]
    accept_warnings: bool,
    /// Idempotency key: a second submit with the same key gives the first job [default: a new one].
    #[arg(long)]
    key: Option<String>,
    /// Print the request and send nothing.
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Wait until the job has ended; the exit code tells how.
    #[arg(long)]
    wait: bool,
    /// As --wait, with live progress.
    #[arg(long)]
    watch: bool,
    /// Give up waiting after so many seconds (exit code 124). The job goes on.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl Args {
    /// Nothing is to be sent.
    pub(crate) const fn is_dry(&self) -> bool {
        self.dry_run
    }
}

/// Shows the request.
pub(crate) fn show(ui: Ui, request: &SubmitRequest) -> Result<()> {
    ui.print_json(request)
}

/// Hands in the job, and waits if asked to.
pub(crate) async fn run(context: &Context, args: &Args, request: &SubmitRequest) -> Result<()> {
    let key = args.key.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let answer = send(context, request, &key).await?;
    tell(context, &answer, args.wait || args.watch)?;
    if args.wait || args.watch {
        let limit = args.timeout.map(Duration::from_secs);
        return watch::follow(context, answer.job, limit, args.watch).await;
    }
    Ok(())
}

async fn send(context: &Context, request: &SubmitRequest, key: &str) -> Result<SubmitAnswer> {
    let mut tries = 1;
    loop {
        let submit = context.client.request(Method::POST, "/jobs").header("idempotency-key", key).json(request);
        match context.client.fetch(submit).await {
            Err(failure) if tries < TRIES && failure.name() == "broken_off" => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Err(failure) if failure.name() == "failed_on_warning" => {
                return Err(failure.help("mend it, or start in spite of it with --accept-warnings"));
            }
            other => return other,
        }
    }
}

fn tell(context: &Context, answer: &SubmitAnswer, waits: bool) -> Result<()> {
    for warning in &answer.warnings {
        context.ui.say(&format!("warning: {} ({})", plain(&warning.message), plain(&warning.parameter)));
    }
    if answer.repeated {
        context.ui.say(&format!("this key was used before: it is job {}", answer.job));
    }
    if waits {
        context.ui.say(&format!("job {} accepted", answer.job));
        return Ok(());
    }
    context.ui.show(answer, |answer| answer.job.to_string())?;
    context.ui.say(&format!("accepted; follow it with `headend watch {}`", answer.job));
    Ok(())
}

/// What is to be handed in. File first, then flags on top.
pub(crate) fn request(args: &Args) -> Result<SubmitRequest> {
    let mut request = match &args.file {
        Some(path) => submit_file::read(path)?,
        None => SubmitRequest { fail_on_warning: true, ..SubmitRequest::default() },
    };
    request.slots.extend(args.slots.iter().flat_map(|SlotRange(slots)| slots.clone()));
    request.duts.extend(&args.duts);
    request.tests.extend(args.tests.iter().map(|text| test(args, text)));
    request.priority = args.priority.or(request.priority);
    if args.accept_warnings {
        request.fail_on_warning = false;
    }
    if let Some(name) = &args.name {
        request.name.clone_from(name);
    }
    if request.name.is_empty() {
        request.name = default_name(&request);
    }
    if request.tests.is_empty() {
        return Err(
            Failure::new(Exit::Usage, "no_tests", "the job has no tests").help("give --test SCRIPT, or a job file")
        );
    }
    if request.slots.is_empty() && request.duts.is_empty() {
        return Err(Failure::new(Exit::Usage, "no_targets", "the job has no slots and no DUTs")
            .help("give --slot rack1/1-4 or --dut 17; `headend racks` shows what there is"));
    }
    Ok(request)
}

fn test(args: &Args, text: &str) -> TestRequest {
    // No path of an area has a colon.
    let (script, arguments) = text.split_once(':').unwrap_or((text, ""));
    TestRequest {
        script: script.to_owned(),
        public: !args.private,
        slots_needed: args.slots_needed,
        mode: args.mode.parse().map_or_else(|_| ModeRef::Name(args.mode.clone()), ModeRef::Number),
        args: arguments.to_owned(),
        time_limit_s: args.time_limit,
    }
}

fn default_name(request: &SubmitRequest) -> String {
    match request.tests.as_slice() {
        [] => String::new(),
        [only] => only.script.clone(),
        [first, rest @ ..] => format!("{} and {} more", first.script, rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn request_of(words: &[&str]) -> Result<SubmitRequest> {
        let cli: Cli = clap::Parser::parse_from(std::iter::once(&"submit").chain(words));
        request(&cli.args)
    }

    #[test]
    fn flags_make_a_whole_request() {
        let made = request_of(&[
            "--slot",
            "r/1-2",
            "--dut",
            "9",
            "--test",
            "a.py:-x 'y z'",
            "--test",
            "b.rhai",
            "--mode",
            "fair",
        ])
        .unwrap();
        assert_eq!(made.name, "a.py and 1 more");
        assert_eq!((made.slots.len(), made.duts.as_slice(), made.fail_on_warning), (2, &[9][..], true));
        assert_eq!((made.tests[0].script.as_str(), made.tests[0].args.as_str()), ("a.py", "-x 'y z'"));
        assert_eq!(made.tests[1].mode, ModeRef::Name("fair".to_owned()));
    }

    #[test]
    fn a_job_without_tests_or_targets_is_refused_here() {
        assert_eq!(request_of(&["--slot", "r/1"]).unwrap_err().name(), "no_tests");
        assert_eq!(request_of(&["--test", "a.py"]).unwrap_err().name(), "no_targets");
    }
}
