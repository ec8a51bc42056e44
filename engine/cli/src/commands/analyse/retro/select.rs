//! Which runs are meant.

use std::collections::BTreeSet;

use headend_wire::api::JobList;
use jiff::Timestamp;

use super::super::super::{Context, runs};
use crate::failure::{Failure, Result};

/// Most runs at once.
const MOST_RUNS: usize = 100_000;
/// Jobs in a page of the server's list.
const PAGE: u32 = 500;

/// Runs from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    first: u64,
    last: u64,
}

/// `7`, or `10..40`.
pub(super) fn span(text: &str) -> std::result::Result<Span, String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| "write a run, or two: 10..40".to_owned());
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first)?, number(last.trim_start_matches(['.', '=']))?),
        None => (number(text)?, number(text)?),
    };
    if first > last {
        return Err(format!("run {first} is not before run {last}"));
    }
    if last - first >= MOST_RUNS as u64 {
        return Err(format!("these are more than {MOST_RUNS} runs; look at them in parts"));
    }
    Ok(Span { first, last })
}

/// A day, an instant, or so long ago.
pub(super) fn since(text: &str) -> std::result::Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let begin = day.to_zoned(jiff::tz::TimeZone::system()).map_err(|error| error.to_string())?;
        return Ok(begin.timestamp());
    }
    let ago = text.parse::<jiff::Span>().ok().filter(|ago| ago.is_positive());
    let ago = ago.and_then(|ago| jiff::Zoned::now().checked_sub(ago).ok());
    ago.map(|then| then.timestamp())
        .ok_or_else(|| "write a day (2026-11-20), an instant, or so long ago: 12h, 3d".to_owned())
}

/// All of them, each once, in order.
pub(super) async fn runs(
    context: &Context,
    spans: &[Span],
    jobs: &[u64],
    since: Option<Timestamp>,
) -> Result<BTreeSet<u64>> {
    let mut all: BTreeSet<u64> = spans.iter().flat_map(|span| span.first..=span.last).collect();
    let mut jobs = jobs.to_vec();
    if let Some(since) = since {
        jobs.extend(jobs_since(context, since).await?);
    }
    for job in jobs {
        let detail = runs::whole(context, job).await?;
        all.extend(detail.run_list.iter().map(|run| run.run).filter(|run| *run != 0));
        if all.len() > MOST_RUNS {
            return Err(Failure::usage(format!("these are more than {MOST_RUNS} runs; look at them in parts")));
        }
    }
    Ok(all)
}

/// The newest come first, so the first older one ends it.
async fn jobs_since(context: &Context, since: Timestamp) -> Result<Vec<u64>> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = before.map_or_else(String::new, |before: u64| format!("&before={before}"));
        let list: JobList = context.client.get(&format!("/jobs?state=all&limit={PAGE}{page}")).await?;
        for job in &list.jobs {
            if job.accepted.parse::<Timestamp>().is_ok_and(|accepted| accepted < since) {
                return Ok(found);
            }
            found.push(job.job);
        }
        match list.next {
            Some(next) => before = Some(next),
            None => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_runs_include_both_ends() {
        assert_eq!(span("7"), Ok(Span { first: 7, last: 7 }));
        assert_eq!(span("10..40"), Ok(Span { first: 10, last: 40 }));
        assert_eq!(span("10..=40"), span("10..40"));
        assert!(["", "x", "4..3", "1..", "..4", "1..200000"].into_iter().all(|text| span(text).is_err()));
    }

    #[test]
    fn times_are_days_instants_or_so_long_ago() {
        assert_eq!(since("2026-11-20T08:00:00Z").unwrap().as_second(), 1_795_161_600);
        assert!(since("2026-11-20").is_ok());
        let (day, now) = (since("1d").unwrap(), Timestamp::now());
        assert!(day < now && now.as_second() - day.as_second() < 2 * 86_400);
        assert!(["", "yesterday", "-3d"].into_iter().all(|text| since(text).is_err()));
    }
}
