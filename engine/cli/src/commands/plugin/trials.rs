//! `headend plugin shadow`, `canary`, `promote`: policies on trial beside the live one.

use std::fmt::Write as _;

use comfy_table::Color;
use headend_wire::trials::{
    ArmItem, CanaryItem, CanaryList, CanaryRequest, CanaryTerms, PromoteRequest, ShadowDetail, ShadowFigures,
    ShadowItem, ShadowList, ShadowRequest,
};

use super::super::Context;
use crate::client::segment;
use crate::failure::Result;
use crate::ui::{self, cell, plain, verdict};

/// `headend plugin shadow NEW --beside LIVE`, or one of its words.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, arg_required_else_help = true)]
pub(crate) struct Shadow {
    #[command(subcommand)]
    word: Option<ShadowWord>,
    #[command(flatten)]
    begin: ShadowBegin,
}

#[derive(Debug, clap::Args)]
struct ShadowBegin {
    #[command(flatten)]
    which: Which,
    /// End it after so long, as `30m`, `2h` or `1d` [default: when it is stopped].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    until: Option<u64>,
}

#[derive(Debug, clap::Subcommand)]
enum ShadowWord {
    /// All shadows.
    List,
    /// What has come of one, and the last answers that differed.
    Show {
        /// Its name, or its plugin's.
        name: String,
    },
    /// Ask it no more. What has come of it stays readable.
    Stop {
        /// Its name, or its plugin's.
        name: String,
    },
}

/// A plugin, or a version of one, and the policy beside which it is tried.
#[derive(Debug, clap::Args)]
struct Which {
    /// The plugin that is tried.
    #[arg(value_name = "NEW", required = true)]
    plugin: Option<String>,
    /// The live policy; the same name with --version or --hash for a new version of it.
    #[arg(long, value_name = "LIVE", required = true)]
    beside: Option<String>,
    /// The version that is tried [default: that in force].
    #[arg(long)]
    version: Option<String>,
    /// The version by the beginning of its hash; `plugin show` lists them.
    #[arg(long)]
    hash: Option<String>,
}

/// `headend plugin canary NEW --beside LIVE --share 10% --for 2h`, or one of its words.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, arg_required_else_help = true)]
pub(crate) struct Canary {
    #[command(subcommand)]
    word: Option<CanaryWord>,
    #[command(flatten)]
    begin: CanaryBegin,
}

#[derive(Debug, clap::Args)]
struct CanaryBegin {
    #[command(flatten)]
    which: Which,
    /// Share of the new jobs that name LIVE.
    #[arg(long, value_name = "PERCENT", value_parser = permille, required = true)]
    share: Option<u16>,
    /// How long it gets new jobs, as `30m`, `2h` or `1d`.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, required = true)]
    length: Option<u64>,
    /// More failures and broken rules than this end it.
    #[arg(long, default_value_t = 0)]
    max_faults: u32,
    /// A larger share of its runs that end incomplete ends it, if it is larger than that of the others, too.
    #[arg(long, value_name = "PERCENT", value_parser = permille)]
    max_incomplete: Option<u16>,
    /// A median wait of its runs that is so many times as long as that of the others ends it.
    #[arg(long, value_name = "RATIO", value_parser = percent)]
    max_wait_ratio: Option<u32>,
    /// Shares and waits count from so many runs on.
    #[arg(long, default_value_t = 20)]
    min_runs: u32,
}

#[derive(Debug, clap::Subcommand)]
enum CanaryWord {
    /// All canaries.
    List,
    /// What has come of one.
    Show {
        /// Its name, or its plugin's.
        name: String,
    },
    /// End it: its jobs go on under the live policy.
    Stop {
        /// Its name, or its plugin's.
        name: String,
    },
}

/// `90`, `90s`, `30m`, `2h`, `1d`.
fn seconds(text: &str) -> std::result::Result<u64, String> {
    let bad = || format!("{text:?} is no length of time; write a number with s, m, h or d, as 90s or 2h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(bad()),
    };
    let count: u64 = digits.parse().map_err(|_| bad())?;
    count.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or_else(bad)
}

/// `10%` or `0.5%` in thousandths.
fn permille(text: &str) -> std::result::Result<u16, String> {
    let bad = || format!("{text:?} is no share; write percent with at most one digit behind the point, as 10% or 0.5%");
    let number = text.strip_suffix('%').ok_or_else(bad)?;
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    if tenth.len() != 1 {
        return Err(bad());
    }
    let whole: u16 = whole.parse().map_err(|_| bad())?;
    let tenth: u16 = tenth.parse().map_err(|_| bad())?;
    whole.checked_mul(10).map(|all| all + tenth).filter(|all| *all <= 1_000).ok_or_else(bad)
}

/// `1.5` as 150.
fn percent(text: &str) -> std::result::Result<u32, String> {
    let bad = || format!("{text:?} is no ratio; write a number with at most two digits behind the point, as 1.5");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if part.is_empty() || part.len() > 2 {
        return Err(bad());
    }
    let whole: u32 = whole.parse().map_err(|_| bad())?;
    let hundredths: u32 = format!("{part:0<2}").parse().map_err(|_| bad())?;
    whole.checked_mul(100).map(|all| all + hundredths).filter(|all| *all > 0).ok_or_else(bad)
}

pub(super) async fn shadow(context: &Context, shadow: &Shadow) -> Result<()> {
    match &shadow.word {
        Some(ShadowWord::Show { name }) => {
            let detail: ShadowDetail = context.client.get(&format!("/shadows/{}", segment(name))).await?;
            context.ui.show(&detail, |detail| shadow_shown(context, detail))
        }
        Some(ShadowWord::Stop { name }) => {
            let path = format!("/shadows/{}/stop", segment(name));
            let item: ShadowItem = context.client.post(&path, &serde_json::json!({})).await?;
            context.ui.show(&item, shadow_line)
        }
        None => {
            let ShadowBegin { which: Which { plugin, beside, version, hash }, until } = &shadow.begin;
            // Both are required where no other word is given.
            let request = ShadowRequest {
                plugin: plugin.clone().unwrap_or_default(),
                hash: hash.clone(),
                version: version.clone(),
                beside: beside.clone().unwrap_or_default(),
                length_s: *until,
            };
            let item: ShadowItem = context.client.post("/shadows", &request).await?;
            context.ui.show(&item, shadow_line)
        }
        Some(ShadowWord::List) => {
            let list: ShadowList = context.client.get("/shadows").await?;
            context.ui.show(&list, |list| shadow_table(context, list))
        }
    }
}

fn shadow_line(item: &ShadowItem) -> String {
    let reason = item.reason.as_ref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
    format!("shadow {} beside {} is {}{reason}", plain(&item.policy), plain(&item.beside), plain(&item.state))
}

fn shadow_table(context: &Context, list: &ShadowList) -> String {
    if list.shadows.is_empty() {
        return "no shadows; begin one with `headend plugin shadow NEW --beside LIVE`".to_owned();
    }
    let mut table =
        context.ui.table(&["SHADOW", "BESIDE", "STATE", "COMPARED", "SAME", "FAULTS", "DROPPED", "BEGAN", "REASON"]);
    for item in &list.shadows {
        let figures = &item.figures;
        table.add_row([
            cell(&item.policy),
            cell(&item.beside),
            verdict(&item.state, if item.state == "running" { Color::Green } else { Color::Yellow }),
            cell(&figures.compared.to_string()),
            cell(&figures.same.to_string()),
            cell(&figures.faults.to_string()),
            cell(&figures.dropped.to_string()),
            cell(&item.began),
            cell(item.reason.as_deref().unwrap_or("-")),
        ]);
    }
    ui::text(&table)
}

fn shadow_shown(context: &Context, detail: &ShadowDetail) -> String {
    let ShadowDetail { item, differences } = detail;
    let mut text = shadow_line(item);
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{name:<17}{value}");
    };
    let figures = &item.figures;
    line("asked", format!("{} ({} dropped, {} late)", figures.asked, figures.dropped, figures.late));
    compared(figures, item.kind == "queue-policy", &mut line);
    let last = figures.last_fault.as_ref().map(|fault| format!("; the last: {}", plain(fault))).unwrap_or_default();
    line("faults", format!("{}{last}", figures.faults));
    line("declined", figures.declined.to_string());
    line("live faults", figures.live_faults.to_string());
    line("time p50, p99", format!("{}, {}", time(figures.p50_us), time(figures.p99_us)));
    line("live p50, p99", format!("{}, {}", time(figures.live_p50_us), time(figures.live_p99_us)));
    if !differences.is_empty() {
        let mut table = context.ui.table(&["NO", "AT", "JOB", "WHAT", "LIVE", "SHADOW", "REASON"]);
        for one in differences {
            table.add_row([
                cell(&one.number.to_string()),
                cell(&one.at),
                cell(&one.job.to_string()),
                cell(&one.what),
                cell(&one.live),
                cell(&one.shadow),
                cell(&one.reason),
            ]);
        }
        text.push('\n');
        text.push_str(&ui::text(&table));
    }
    text
}

fn compared(figures: &ShadowFigures, queue: bool, line: &mut impl FnMut(&str, String)) {
    line("compared", figures.compared.to_string());
    if queue {
        let tau = |tau: Option<f64>| tau.map_or_else(|| "-".to_owned(), |tau| format!("{tau:.3}"));
        line("same first", figures.same.to_string());
        line("other first", figures.other_placements.to_string());
        line("Kendall's tau-b", format!("{} at last, {} on average", tau(figures.tau), tau(figures.tau_mean)));
        return;
    }
    line("same", figures.same.to_string());
    line("other placements", figures.other_placements.to_string());
    line("starts fewer", figures.starts_fewer.to_string());
    line("starts more", figures.starts_more.to_string());
    line("skips differ", figures.skips_differ.to_string());
    line("broken rules", figures.broken_rules.to_string());
}

fn time(micros: Option<u64>) -> String {
    micros.map_or_else(|| "-".to_owned(), |micros| format!("{:.2} ms", micros as f64 / 1_000.0))
}

pub(super) async fn canary(context: &Context, canary: &Canary) -> Result<()> {
    match &canary.word {
        Some(CanaryWord::Show { name }) => {
            let item: CanaryItem = context.client.get(&format!("/canaries/{}", segment(name))).await?;
            context.ui.show(&item, |item| canary_shown(context, item))
        }
        Some(CanaryWord::Stop { name }) => {
            let path = format!("/canaries/{}/stop", segment(name));
            let item: CanaryItem = context.client.post(&path, &serde_json::json!({})).await?;
            context.ui.show(&item, |item| plain(&item.text))
        }
        None => {
            let item: CanaryItem = context.client.post("/canaries", &request(&canary.begin)).await?;
            context.ui.show(&item, |item| plain(&item.text))
        }
        Some(CanaryWord::List) => {
            let list: CanaryList = context.client.get("/canaries").await?;
            context.ui.show(&list, |list| canary_table(context, list))
        }
    }
}

fn request(begin: &CanaryBegin) -> CanaryRequest {
    let Which { plugin, beside, version, hash } = &begin.which;
    // What is required where no other word is given is there.
    CanaryRequest {
        plugin: plugin.clone().unwrap_or_default(),
        hash: hash.clone(),
        version: version.clone(),
        beside: beside.clone().unwrap_or_default(),
        terms: CanaryTerms {
            share_permille: begin.share.unwrap_or_default(),
            length_s: begin.length.unwrap_or_default(),
            max_faults: Some(begin.max_faults),
            max_incomplete_permille: begin.max_incomplete,
            max_wait_percent: begin.max_wait_ratio,
            min_runs: begin.min_runs,
        },
    }
}

/// Puts a canary into force.
pub(super) async fn promote(context: &Context, name: &str, force: bool) -> Result<()> {
    let path = format!("/canaries/{}/promote", segment(name));
    let item: CanaryItem = context.client.post(&path, &PromoteRequest { force }).await?;
    context.ui.show(&item, |item| plain(&item.text))
}

fn canary_table(context: &Context, list: &CanaryList) -> String {
    if list.canaries.is_empty() {
        return "no canaries; begin one with `headend plugin canary NEW --beside LIVE --share 10% --for 2h`".to_owned();
    }
    let mut table = context.ui.table(&["CANARY", "BESIDE", "STATE", "JOBS", "RUNS", "FAULTS", "UNTIL", "REASON"]);
    for item in &list.canaries {
        table.add_row([
            cell(&item.policy),
            cell(&item.beside),
            verdict(&item.state, color(&item.state)),
            cell(&item.own.jobs.to_string()),
            cell(&item.own.ended.to_string()),
            cell(&item.own.faults.to_string()),
            cell(&item.until),
            cell(item.reason.as_deref().unwrap_or("-")),
        ]);
    }
    ui::text(&table)
}

fn color(state: &str) -> Color {
    if matches!(state, "running" | "passed" | "promoted") { Color::Green } else { Color::Yellow }
}

fn canary_shown(context: &Context, item: &CanaryItem) -> String {
    let mut table =
        context.ui.table(&["", "JOBS", "STARTED", "ENDED", "INCOMPLETE", "FAULTS", "DECLINED", "MEDIAN WAIT"]);
    for (name, arm) in [("canary", &item.own), ("others", &item.others)] {
        let ArmItem { jobs, started, ended, incomplete, faults, declined, median_wait_ms, .. } = arm;
        let wait = median_wait_ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1_000.0));
        table.add_row([
            cell(name),
            cell(&jobs.to_string()),
            cell(&started.to_string()),
            cell(&ended.to_string()),
            cell(&incomplete.to_string()),
            cell(&faults.to_string()),
            cell(&declined.to_string()),
            cell(&wait),
        ]);
    }
    let terms = &item.terms;
    let bound = |name: &str, most: Option<String>| most.map(|most| format!(", {name} {most}")).unwrap_or_default();
    let share = |permille: u16| format!("{}%", f64::from(permille) / 10.0);
    format!(
        "{}\nbounds: {} runs{}{}{}\n{}",
        plain(&item.text),
        terms.min_runs,
        bound("at most faults", terms.max_faults.map(|most| most.to_string())),
        bound("at most incomplete", terms.max_incomplete_permille.map(share)),
        bound("at most waits of", terms.max_wait_percent.map(|most| format!("{}x", f64::from(most) / 100.0))),
        ui::text(&table),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_shares_and_ratios_are_read_as_people_write_them() {
        assert_eq!(["90", "30m", "2h", "1d"].map(|text| seconds(text).unwrap()), [90, 1_800, 7_200, 86_400]);
        assert!(["", "h", "0", "2w", "-1h", "1.5h"].iter().all(|text| seconds(text).is_err()));
        assert_eq!(["10%", "0.5%", "100%"].map(|text| permille(text).unwrap()), [100, 5, 1_000]);
        assert!(["10", "%", "101%", "0.25%", "-1%"].iter().all(|text| permille(text).is_err()));
        assert_eq!(["1.5", "2", "1.25"].map(|text| percent(text).unwrap()), [150, 200, 125]);
        assert!(["", "0", "1.", "1.255", "x"].iter().all(|text| percent(text).is_err()));
    }
}
