//! What changes schedules.

use headend_wire::api::ModeRef;
use headend_wire::schedules::{
    ScheduleChange, ScheduleDetail, ScheduleItem, ScheduleNoted, ScheduleRequest, ScheduleTiming, ScheduledTestChange,
    ScheduledTestRequest,
};
use reqwest::Method;

use super::{Targets, Which, id_of, mode};
use crate::client::segment;
use crate::commands::Context;
use crate::failure::{Failure, Result};
use crate::targets::SlotRange;

/// The types of schedules, as the document names them.
const TYPES: [&str; 6] = ["Loop", "OneOff", "Daily", "Weekly", "Weekdays", "Weekends"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A schedule in the making.
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// What you call it.
    name: String,
    /// When it is due.
    #[arg(value_parser = TYPES)]
    r#type: String,
    /// When its window opens, HH:MM or HH:MM:SS.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// When its window closes.
    #[arg(long, value_name = "TIME")]
    to: String,
    #[command(flatten)]
    more: TimingArgs,
    #[command(flatten)]
    edges: EdgeArgs,
    /// What is asked of policies: a JSON object by policy, or @FILE.
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
}

/// Another calendar for a schedule.
#[derive(Debug, clap::Args)]
pub(crate) struct ModifyArgs {
    #[command(flatten)]
    which: Which,
    /// When it is due.
    #[arg(long, value_parser = TYPES)]
    r#type: Option<String>,
    /// When its window opens, HH:MM or HH:MM:SS.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// When its window closes.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// It has no end date any more.
    #[arg(long, conflicts_with = "end")]
    no_end: bool,
    #[command(flatten)]
    more: TimingArgs,
    #[command(flatten)]
    edges: EdgeArgs,
}

/// What may be left out.
#[derive(Debug, clap::Args)]
pub(crate) struct TimingArgs {
    /// First date, YYYY-MM-DD [default for a new one: today].
    #[arg(long, value_name = "DATE")]
    start: Option<String>,
    /// Last date; of a period: the date of its end [default: no end].
    #[arg(long, value_name = "DATE")]
    end: Option<String>,
    /// So many times; 0: no limit. Not together with --end.
    #[arg(long, value_name = "N", conflicts_with = "end")]
    count: Option<u32>,
    /// Every n days (Daily) or weeks (Weekly).
    #[arg(long, value_name = "N")]
    every: Option<u32>,
    /// For Weekly: Mon,Wed,Fri.
    #[arg(long, value_name = "DAYS", value_delimiter = ',', value_parser = DAYS)]
    days: Vec<String>,
    /// Europe/Dublin, UTC, +02:00 [default for a new one: the server's].
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

/// What happens at the edges of a window.
#[derive(Debug, clap::Args)]
pub(crate) struct EdgeArgs {
    /// Tests that have not started when the window closes wait for the next one, or end.
    #[arg(long, value_name = "WHAT", value_parser = ["wait", "end"])]
    at_window_end: Option<String>,
    /// An occurrence whose time comes while the former is under way queues up, or is skipped.
    #[arg(long, value_name = "WHAT", value_parser = ["queue", "skip"])]
    while_former_runs: Option<String>,
}

/// A test for a schedule.
#[derive(Debug, clap::Args)]
pub(crate) struct AddTestArgs {
    #[command(flatten)]
    which: Which,
    /// Its script.
    script: String,
    /// The script is in the owner's area, not in the public one.
    #[arg(long)]
    private: bool,
    /// On how many targets [default: as many as the schedule has by now].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    slots_needed: Option<i64>,
    /// 1 (first) to 9 (last).
    #[arg(long, default_value_t = 1, allow_negative_numbers = true)]
    priority: i64,
    /// 0, 1, 2 or the name of a policy.
    #[arg(long, value_name = "MODE", default_value = "1")]
    mode: String,
    /// Its arguments, as one line.
    #[arg(long, default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    args: String,
    /// Stop it after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    time_limit: Option<u64>,
}

/// Other settings for a test.
#[derive(Debug, clap::Args)]
pub(crate) struct SetTestArgs {
    /// Its number, as `headend schedule show` tells it.
    test: u64,
    /// In the public area.
    #[arg(long, conflicts_with = "private")]
    public: bool,
    /// In the owner's area.
    #[arg(long)]
    private: bool,
    /// On how many targets.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    slots_needed: Option<i64>,
    /// 1 (first) to 9 (last).
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    /// 0, 1, 2 or the name of a policy.
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Its arguments, as one line.
    #[arg(long, allow_hyphen_values = true)]
    args: Option<String>,
}

pub(super) async fn create(context: &Context, args: &NewArgs) -> Result<()> {
    let more = &args.more;
    let request = ScheduleRequest {
        name: args.name.clone(),
        timing: ScheduleTiming {
            r#type: args.r#type.clone(),
            start_date: more.start.clone().unwrap_or_else(today),
            end_date: more.end.clone(),
            start_time: args.from.clone(),
            end_time: args.to.clone(),
            repeat_count: more.count.map_or(0, i64::from),
            repeat_rate: more.every.map_or(1, i64::from),
            repeat_days: more.days.clone(),
            time_zone: more.time_zone.clone(),
        },
        at_window_end: args.edges.at_window_end.clone(),
        while_former_runs: args.edges.while_former_runs.clone(),
        parameters: match args.parameters.as_deref().map(crate::commands::plugin_life::json).transpose()? {
            None => serde_json::Map::new(),
            Some(serde_json::Value::Object(by_policy)) => by_policy,
            Some(_) => {
                return Err(Failure::usage("the parameters are no object")
                    .help("write {\"POLICY\": {\"name\": value}}, or use `headend schedule parameters`"));
            }
        },
    };
    let made: ScheduleItem = context.client.post("/schedules", &request).await?;
    context.ui.show(&made, |made| made.schedule.to_string())?;
    let next = made.next_local.map_or_else(|| "it is never due".to_owned(), |next| format!("it is due at {next}"));
    context.ui.say(&format!("{next}; put slots on it with `headend schedule add {}`", made.schedule));
    Ok(())
}

/// Of whoever types.
fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

/// The server takes a whole calendar: what was not given is what it has.
pub(super) async fn modify(context: &Context, args: &ModifyArgs) -> Result<()> {
    let id = id_of(context, &args.which).await?;
    let edges = ScheduleChange {
        at_window_end: args.edges.at_window_end.clone(),
        while_former_runs: args.edges.while_former_runs.clone(),
        ..ScheduleChange::default()
    };
    let detail: ScheduleDetail = context.client.get(&format!("/schedules/{id}")).await?;
    let timing = merged(&detail.item.timing, args);
    let has_timing = timing != detail.item.timing;
    if !has_timing && edges == ScheduleChange::default() {
        return Err(Failure::usage("nothing is to be changed").help("see `headend schedule modify --help`"));
    }
    let mut noted = None;
    if has_timing {
        noted = Some(context.client.put(&format!("/schedules/{id}/timing"), &timing).await?);
    }
    if edges != ScheduleChange::default() {
        noted = Some(patch(context, &format!("/schedules/{id}"), &edges).await?);
    }
    noted.map_or(Ok(()), |noted: ScheduleNoted| tell(context, &noted, "is changed"))
}

fn merged(now: &ScheduleTiming, args: &ModifyArgs) -> ScheduleTiming {
    let more = &args.more;
    let pick = |given: &Option<String>, now: &String| given.clone().unwrap_or_else(|| now.clone());
    let r#type = pick(&args.r#type, &now.r#type);
    let other_type = r#type != now.r#type;
    // A count and an end date exclude each other: the one that is given counts. What only the old type had goes with it.
    let end_date = if args.no_end || more.count.is_some_and(|count| count > 0) { None } else { now.end_date.clone() };
    let count = if more.end.is_some() { 0 } else { now.repeat_count };
    let days = if other_type { Vec::new() } else { now.repeat_days.clone() };
    ScheduleTiming {
        start_date: pick(&more.start, &now.start_date),
        end_date: more.end.clone().or(end_date),
        start_time: pick(&args.from, &now.start_time),
        end_time: pick(&args.to, &now.end_time),
        repeat_count: more.count.map_or(count, i64::from),
        repeat_rate: more.every.map_or(if other_type { 1 } else { now.repeat_rate }, i64::from),
        repeat_days: if more.days.is_empty() { days } else { more.days.clone() },
        time_zone: more.time_zone.clone().or_else(|| now.time_zone.clone()),
        r#type,
    }
}

pub(super) async fn rename(context: &Context, which: &Which, name: &str) -> Result<()> {
    let id = id_of(context, which).await?;
    let change = ScheduleChange { name: Some(name.to_owned()), ..ScheduleChange::default() };
    let noted = patch(context, &format!("/schedules/{id}"), &change).await?;
    tell(context, &noted, "has a new name")
}

pub(super) async fn parameters(context: &Context, which: &Which, policy: &str, parameters: &str) -> Result<()> {
    let asked = crate::commands::plugin_life::json(parameters)?;
    let id = id_of(context, which).await?;
    let by_policy = serde_json::Map::from_iter([(policy.to_owned(), asked)]);
    let change = ScheduleChange { parameters: Some(by_policy), ..ScheduleChange::default() };
    let noted = patch(context, &format!("/schedules/{id}"), &change).await?;
    tell(context, &noted, &format!("asks other things of {policy} from its next occurrence on"))
}

pub(super) async fn delete(context: &Context, which: &Which) -> Result<()> {
    let id = id_of(context, which).await?;
    let noted = context.client.fetch(context.client.request(Method::DELETE, &format!("/schedules/{id}"))).await?;
    tell(context, &noted, "is deleted")
}

/// Puts slots and DUTs on a schedule, or takes them off.
pub(super) async fn targets(context: &Context, which: &Which, targets: &Targets, add: bool) -> Result<()> {
    let id = id_of(context, which).await?;
    let slots = targets.slots.iter().flat_map(|SlotRange(slots)| slots);
    let slots = slots.map(|slot| (format!("slots/{}/{}", segment(&slot.rack), slot.slot), crate::targets::show(slot)));
    let duts = targets.duts.iter().map(|dut| (format!("duts/{dut}"), format!("DUT {dut}")));
    let method = if add { Method::PUT } else { Method::DELETE };
    let mut answers = Vec::new();
    for (path, shown) in slots.chain(duts) {
        let request = context.client.request(method.clone(), &format!("/schedules/{id}/{path}"));
        let noted: ScheduleNoted = context.client.fetch(request).await?;
        let there = match (add, noted.changed) {
            (true, true) => "is on it now",
            (true, false) => "was on it already",
            (false, true) => "is off it now",
            (false, false) => "was not on it",
        };
        context.ui.say(&format!("{shown} {there}"));
        answers.push(noted);
    }
    if context.ui.json { context.ui.print_json(&answers) } else { Ok(()) }
}

pub(super) async fn add_test(context: &Context, args: &AddTestArgs) -> Result<()> {
    let id = id_of(context, &args.which).await?;
    let request = ScheduledTestRequest {
        script: args.script.clone(),
        public: !args.private,
        slots_needed: args.slots_needed,
        priority: Some(args.priority),
        mode: mode(&args.mode),
        args: args.args.clone(),
        time_limit_s: args.time_limit,
    };
    let noted: ScheduleNoted = context.client.post(&format!("/schedules/{id}/tests"), &request).await?;
    context.ui.show(&noted, |noted| noted.test.unwrap_or_default().to_string())?;
    context.ui.say(&format!("it is a test of schedule {id} from its next occurrence on"));
    Ok(())
}

pub(super) async fn set_test(context: &Context, args: &SetTestArgs) -> Result<()> {
    let change = ScheduledTestChange {
        public: (args.public || args.private).then_some(args.public),
        slots_needed: args.slots_needed,
        priority: args.priority,
        mode: args.mode.as_deref().map(mode as fn(&str) -> ModeRef),
        args: args.args.clone(),
    };
    if change == ScheduledTestChange::default() {
        return Err(Failure::usage("nothing is to be changed").help("see `headend schedule set-test --help`"));
    }
    let noted = patch(context, &format!("/scheduled-tests/{}", args.test), &change).await?;
    tell(context, &noted, &format!("has test {} changed", args.test))
}

pub(super) async fn remove_test(context: &Context, test: u64) -> Result<()> {
    let request = context.client.request(Method::DELETE, &format!("/scheduled-tests/{test}"));
    let noted = context.client.fetch(request).await?;
    tell(context, &noted, &format!("has test {test} no more"))
}

async fn patch<B: serde::Serialize + Sync>(context: &Context, path: &str, body: &B) -> Result<ScheduleNoted> {
    context.client.fetch(context.client.request(Method::PATCH, path).json(body)).await
}

fn tell(context: &Context, noted: &ScheduleNoted, what: &str) -> Result<()> {
    if context.ui.json {
        return context.ui.print_json(noted);
    }
    context.ui.say(&format!("schedule {} {what}", noted.schedule));
    Ok(())
}
