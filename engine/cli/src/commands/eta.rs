//! `headend eta JOB`: when it will start and end, from the past durations of scripts.

use std::fmt::Write;

use headend_wire::whatif::{EtaAnswer, EtaTime};

use super::Context;
use crate::failure::Result;
use crate::ui::{count, plain, when};

/// Shows when.
pub(crate) async fn run(context: &Context, job: u64, samples: Option<u32>) -> Result<()> {
    let samples = samples.map(|samples| format!("?samples={samples}")).unwrap_or_default();
    let answer: EtaAnswer = context.client.get(&format!("/jobs/{job}/eta{samples}")).await?;
    context.ui.show(&answer, text)
}

fn text(answer: &EtaAnswer) -> String {
    let mut out = format!("job {}: {}", answer.job, plain(&answer.status_text));
    if answer.samples == 0 {
        return out;
    }
    // Writing to a string cannot fail, here and below.
    let mut line = |name: &str, time: Option<&EtaTime>| {
        if let Some(time) = time {
            write!(out, "\n{name}  about {}, by {} in nine of ten plays", when(&time.p50), when(&time.p90)).ok();
        }
    };
    line("starts", answer.start.as_ref());
    line("ends  ", answer.end.as_ref());
    if answer.open > 0 {
        write!(out, "\nit did not end in {} of {} plays", answer.open, answer.samples).ok();
    }
    write!(out, "\nfrom {} of the farm on a virtual clock. Not known:", count(u64::from(answer.samples), "play")).ok();
    for unknown in &answer.unknown {
        write!(out, "\n  {}", plain(unknown)).ok();
    }
    out
}
