//! JUnit XML as build servers read it: a suite for each job, a case for each run.
//!
//! Failed runs are failures; runs without a result of their own, and those that were stopped, are errors; runs that were not
//! run are skipped. Identities stay the same from job to job (class: the test; name: the test and its DUT), so that histories
//! can be drawn; what differs stands in properties.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use headend_wire::api::{MeasurementItem, RunResult, StepItem};
use quick_xml::Writer;
use quick_xml::events::{BytesText, Event};

use super::row::limits;

/// Before the first suite.
pub(super) const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"headend\">\n";
/// After the last one.
pub(super) const TAIL: &str = "</testsuites>\n";

/// The runs of a job. Its head counts them, so they wait here until the last has come.
pub(super) struct Suite {
    job: u64,
    name: String,
    hostname: String,
    first: Option<String>,
    cases: Writer<Vec<u8>>,
    counts: Counts,
    seconds: f64,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
}

impl Suite {
    /// For the job of this run.
    pub(super) fn new(run: &RunResult) -> Self {
        Self {
            job: run.job,
            name: run.job_name.clone(),
            hostname: run.rack.clone().unwrap_or_default(),
            first: None,
            cases: Writer::new(Vec::new()),
            counts: Counts::default(),
            seconds: 0.0,
        }
    }

    /// The job.
    pub(super) const fn job(&self) -> u64 {
        self.job
    }

    /// One more run of it.
    pub(super) fn add(&mut self, run: &RunResult, steps: &[StepItem], measured: &[MeasurementItem]) -> io::Result<()> {
        self.counts.tests += 1;
        match run.outcome.as_str() {
            "fail" => self.counts.failures += 1,
            "incomplete" | "killed" => self.counts.errors += 1,
            "not_run" => self.counts.skipped += 1,
            _ => {}
        }
        self.seconds += run.seconds.unwrap_or_default();
        let began = run.started.as_ref().unwrap_or(&run.ended);
        if self.first.as_ref().is_none_or(|first| began < first) {
            self.first = Some(began.clone());
        }
        let dut = run.devices.first().map_or("no DUT", |device| &device.dut_name);
        let (name, time) = (clean(&format!("{} [{dut}]", run.test)), format!("{:.3}", run.seconds.unwrap_or_default()));
        let attributes = [("classname", &*clean(&run.test)), ("name", &*name), ("time", &*time)];
        let case = self.cases.create_element("testcase").with_attributes(attributes);
        case.write_inner_content(|out| {
            properties(out, run)?;
            verdict(out, run, steps, measured)?;
            let told = clean(&told(run, steps, measured));
            out.create_element("system-out").write_text_content(BytesText::new(&told))?;
            Ok(())
        })?;
        self.cases.write_event(Event::Text(BytesText::new("\n")))
    }

    /// The whole suite.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        let Counts { tests, failures, errors, skipped } = self.counts;
        // Readers of JUnit want no zone here; all times are in UTC.
        let first = self.first.unwrap_or_default();
        let timestamp = first.get(..19).unwrap_or(&first);
        let (name, hostname) = (clean(&self.name), clean(&self.hostname));
        let attributes = [
            ("name", &*name),
            ("id", &*self.job.to_string()),
            ("tests", &*tests.to_string()),
            ("failures", &*failures.to_string()),
            ("errors", &*errors.to_string()),
            ("skipped", &*skipped.to_string()),
            ("time", &*format!("{:.3}", self.seconds)),
            ("timestamp", timestamp),
            ("hostname", &*hostname),
        ];
        let cases = self.cases.into_inner();
        let mut suite = Writer::new(Vec::new());
        suite.create_element("testsuite").with_attributes(attributes).write_inner_content(|out| {
            let out = out.get_mut();
            out.push(b'\n');
            // They are XML already.
            out.write_all(&cases)
        })?;
        let mut text = suite.into_inner();
        text.push(b'\n');
        Ok(text)
    }
}

fn properties(out: &mut Writer<Vec<u8>>, run: &RunResult) -> io::Result<()> {
    let mut all = vec![
        ("run".to_owned(), run.run.to_string()),
        ("outcome".to_owned(), run.outcome.clone()),
        ("attempt".to_owned(), run.attempt.to_string()),
        ("owner".to_owned(), run.owner.clone()),
    ];
    all.extend(run.rack.iter().map(|rack| ("rack".to_owned(), rack.clone())));
    for device in &run.devices {
        all.push(("slot".to_owned(), device.slot.to_string()));
        all.push(("dut".to_owned(), device.dut_name.clone()));
        all.push(("model".to_owned(), device.model.clone()));
    }
    all.extend(run.schedule.iter().map(|schedule| ("schedule".to_owned(), schedule.name.clone())));
    all.extend(run.snapshot.public_revision.iter().map(|number| ("public_revision".to_owned(), number.to_string())));
    all.extend(run.snapshot.private_revision.iter().map(|number| ("private_revision".to_owned(), number.to_string())));
    all.extend(run.plugins.iter().map(|(name, version)| (format!("plugin.{name}"), version.clone())));
    out.create_element("properties").write_inner_content(|out| {
        for (name, value) in &all {
            let attributes = [("name", &*clean(name)), ("value", &*clean(value))];
            out.create_element("property").with_attributes(attributes).write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn verdict(
    out: &mut Writer<Vec<u8>>,
    run: &RunResult,
    steps: &[StepItem],
    measured: &[MeasurementItem],
) -> io::Result<()> {
    let element = match run.outcome.as_str() {
        "fail" => "failure",
        "incomplete" | "killed" => "error",
        "not_run" => {
            out.create_element("skipped").with_attribute(("message", &*clean(&run.comment))).write_empty()?;
            return Ok(());
        }
        _ => return Ok(()),
    };
    let mut text = run.comment.clone();
    for step in steps.iter().filter(|step| matches!(step.outcome.as_str(), "fail" | "open")) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{} {}: {}", step.outcome, step.path, step.comment);
    }
    for item in measured.iter().filter(|item| item.within == Some(false)) {
        let _ = write!(text, "\n{}", number(item));
    }
    let attributes = [("message", &*clean(&run.comment)), ("type", &*run.outcome)];
    out.create_element(element).with_attributes(attributes).write_text_content(BytesText::new(&clean(&text)))?;
    Ok(())
}

/// A measurement as a line: `outside zap time = 2.5 s (..2)`.
fn number(item: &MeasurementItem) -> String {
    let verdict = match item.within {
        None => "measured",
        Some(true) => "within",
        Some(false) => "outside",
    };
    let limits = if item.within.is_some() { format!(" ({})", limits(item)) } else { String::new() };
    let unit = if item.unit.is_empty() { String::new() } else { format!(" {}", item.unit) };
    let path = if item.path.is_empty() { String::new() } else { format!(" in {}", item.path) };
    format!("{verdict:<12} {} = {}{unit}{limits}{path}", item.name, item.value)
}

/// What happened, a line for each step, then one for each measurement.
fn told(run: &RunResult, steps: &[StepItem], measured: &[MeasurementItem]) -> String {
    let mut text = format!("run {} of job {}: {}\n", run.run, run.job, run.comment);
    for step in steps {
        let indent = "  ".repeat(step.depth.min(20) as usize);
        let seconds = step.seconds.map_or_else(String::new, |seconds| format!(" ({seconds:.3} s)"));
        let comment = if step.comment.is_empty() { String::new() } else { format!(": {}", step.comment) };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{indent}{:<12} {}{seconds}{comment}", step.outcome, step.name);
    }
    for item in measured {
        let _ = writeln!(text, "{}", number(item));
    }
    if let Some(left_out) = &run.left_out {
        let _ = writeln!(text, "{} more steps were not stored", left_out.steps);
    }
    text
}

/// Without the characters that XML does not have.
fn clean(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use quick_xml::Reader;

    use super::*;

    pub(crate) fn run(number: u64, outcome: &str) -> RunResult {
        serde_json::from_value(serde_json::json!({
            "run": number, "job": 7, "job_name": "nightly <1>", "owner": "olga", "test": "public/zap.py", "attempt": 1,
            "outcome": outcome, "code": 100, "comment": "too \"slow\" & \u{1} late\nsecond line", "chosen_by": "", "rack": "rack1",
            "devices": [{ "slot": 1, "dut": 3, "dut_name": "box ]]> 1", "model": "M" }], "started": "2030-01-31T08:00:00.000000Z",
            "ended": "2030-01-31T08:00:01.500000Z", "seconds": 1.5, "schedule": null,
            "snapshot": { "public_tree": "aa", "public_revision": 4, "private_tree": null, "private_revision": null },
            "plugins": { "ocr": "1.2.0" }, "events": "read",
            "counts": { "steps": 2, "steps_failed": 1, "measurements": 0, "artifacts": 1 },
            "video_removed": null, "logs_removed": null, "numbers_removed": null,
        }))
        .unwrap()
    }

    pub(crate) fn step(number: u64, name: &str, outcome: &str) -> StepItem {
        serde_json::from_value(serde_json::json!({
            "run": number, "job": 7, "test": "public/zap.py", "dut_name": "box", "no": 1, "parent": null, "depth": 0,
            "path": name, "name": name, "outcome": outcome, "code": 100, "began": null, "ended": null, "seconds": 0.25, "comment": "c",
        }))
        .unwrap()
    }

    pub(crate) fn measured(number: u64, value: f64, within: Option<bool>) -> MeasurementItem {
        serde_json::from_value(serde_json::json!({
            "run": number, "job": 7, "test": "public/zap.py", "dut_name": "box", "no": 1, "step": null, "path": "", "name": "zap <time>",
            "value": value, "unit": "s", "low": null, "high": within.map(|_| 2.0), "within": within, "at": null,
        }))
        .unwrap()
    }

    /// Elements with their attributes, and texts, as a reader sees them.
    fn read(xml: &str) -> Vec<(String, Vec<(String, String)>)> {
        let mut reader = Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let mut found = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) | Event::Empty(start) => {
                    let name = start.name().as_ref().to_owned();
                    let attributes = start.attributes().map(|one| {
                        let one = one.unwrap();
                        (one.key.as_ref().to_owned(), quick_xml::escape::unescape(&one.value).unwrap().into_owned())
                    });
                    found.push((name, attributes.collect()));
                }
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    fn document(suites: Vec<Suite>) -> String {
        let suites = suites.into_iter().map(|suite| String::from_utf8(suite.finish().unwrap()).unwrap());
        format!("{HEAD}{}{TAIL}", suites.collect::<String>())
    }

    #[test]
    fn a_suite_counts_its_cases_and_each_says_how_it_ended() {
        let mut suite = Suite::new(&run(5, "fail"));
        for (outcome, number) in
            ["fail", "pass", "killed", "incomplete", "not_run", "partial_pass"].into_iter().zip(1..)
        {
            let steps = [step(number, "a<b>", "pass"), step(number, "slow", "fail")];
            let numbers = [measured(number, 2.5, Some(false)), measured(number, 1.5, None)];
            suite.add(&run(number, outcome), &steps, &numbers).unwrap();
        }
        let text = document(vec![suite]);
        let found = read(&text);
        let of = |name: &str| found.iter().filter(|(found, _)| found == name).collect::<Vec<_>>();
        assert_eq!(of("testcase").len(), 6);
        assert_eq!((of("failure").len(), of("error").len(), of("skipped").len()), (1, 2, 1));
        let value = |(_, attributes): &(String, Vec<(String, String)>), key: &str| {
            attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap()
        };
        let suite = of("testsuite")[0];
        let counts = ["tests", "failures", "errors", "skipped"].map(|key| value(suite, key));
        assert_eq!(counts, ["6", "1", "2", "1"]);
        assert_eq!((&*value(suite, "name"), &*value(suite, "timestamp")), ("nightly <1>", "2030-01-31T08:00:00"));
        assert_eq!(value(of("failure")[0], "message"), "too \"slow\" & \u{fffd} late\nsecond line");
        assert_eq!(value(of("testcase")[0], "name"), "public/zap.py [box ]]> 1]");
        assert!(text.contains("fail slow: c"), "the failure names its steps");
        assert!(text.contains("a&lt;b&gt; (0.250 s): c"), "{text}");
        // Three elements tell why; each case tells what happened.
        let outside = "outside      zap &lt;time&gt; = 2.5 s (..2)";
        assert_eq!(text.matches(outside).count(), 3 + 6, "{text}");
        assert_eq!(text.matches("measured     zap &lt;time&gt; = 1.5 s\n").count(), 6, "{text}");
    }

    #[test]
    fn nothing_at_all_is_a_document_too() {
        assert_eq!(
            read(&document(Vec::new())),
            [("testsuites".to_owned(), vec![("name".to_owned(), "headend".to_owned())])]
        );
    }
}
