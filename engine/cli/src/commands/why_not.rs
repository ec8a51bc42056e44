//! `headend why-not RUN SLOT`: the one reason why a run does not run on a slot now; and what would start a job.

use std::fmt::Write;

use headend_wire::whatif::{ChangeAnswer, WhyNotAnswer};

use super::Context;
use crate::failure::{Failure, Result};
use crate::ui::{plain, when};

/// Shows the reason. `slot` is `rack1/3`.
pub(crate) async fn run(context: &Context, run: u64, slot: &str) -> Result<()> {
    let named = slot.split_once('/').and_then(|(rack, no)| Some((rack, no.parse::<u16>().ok()?)));
    let wrong = || Failure::usage(format!("{slot:?} is no slot; write it as rack1/3"));
    let (rack, slot) = named.filter(|(rack, _)| !rack.is_empty()).ok_or_else(wrong)?;
    let request = context.client.request(reqwest::Method::GET, &format!("/runs/{run}/why-not"));
    let answer: WhyNotAnswer =
        context.client.fetch(request.query(&[("rack", rack), ("slot", &slot.to_string())])).await?;
    context.ui.show(&answer, text)
}

fn text(answer: &WhyNotAnswer) -> String {
    let (script, slot) = (plain(&answer.script), plain(&answer.slot));
    let mut out = format!(
        "run {} (job {}, {script}) on {slot}: {} [{}]",
        answer.run,
        answer.job,
        plain(&answer.reason),
        plain(&answer.code)
    );
    // Writing to a string cannot fail, here and below.
    if let Some(until) = &answer.until {
        write!(out, "\n  until about {}", when(until)).ok();
    }
    if answer.ahead_in_all > 0 {
        let named = answer.ahead.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let more = u64::from(answer.ahead_in_all).saturating_sub(answer.ahead.len() as u64);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        write!(out, "\n  these jobs get the slot first: {named}{more}").ok();
    }
    out
}

/// The smallest change, as `why` shows it.
pub(crate) async fn change(context: &Context, job: u64) -> Result<ChangeAnswer> {
    context.client.get(&format!("/jobs/{job}/change")).await
}

/// One line for people.
pub(crate) fn change_text(answer: &ChangeAnswer) -> String {
    let mut out = plain(&answer.text);
    if !answer.starts_on.is_empty() {
        write!(out, "; it would start on {}", plain(&answer.starts_on.join(", "))).ok();
    }
    out
}
