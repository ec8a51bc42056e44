//! How a run's end follows from what the script reported and how its process ended.

use headend_model::Outcome;
use headend_model::run::Incomplete;
use headend_scheduler::fence::StopReason;
use headend_wire::session::ScriptEnd;

use super::Reported;

/// Longest text of a script's last words in an outcome.
const LONGEST: usize = 500;

/// How the script's process came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HowEnded {
    /// By itself, as a guest tells.
    Script(ScriptEnd),
    /// By itself, as a process: the text says how (exit code, signal, last words).
    Process {
        /// For people; empty for a plain end.
        how: String,
        /// It ended as a program does that has nothing to complain about.
        clean: bool,
    },
    /// The rack stopped it.
    Stopped(StopReason),
    /// The rack's own limit stopped it.
    Limit(String),
    /// It could not be started.
    CannotStart(String),
    /// Its file is not in the area.
    ScriptMissing,
    /// The daemon was told to stop.
    Shutdown,
}

/// The one end of the run. The first result counts, whatever happened after it (reliability C22); what did is noted.
pub fn outcome(reported: Option<&Reported>, how: &HowEnded) -> Outcome {
    match reported {
        Some(reported) => Outcome::Done { result: reported.result, comment: comment(reported, how) },
        None => without_result(how),
    }
}

fn comment(reported: &Reported, how: &HowEnded) -> String {
    let said = if reported.comment.is_empty() { reported.result.comment() } else { &reported.comment };
    match note(how) {
        None => reported.comment.clone(),
        Some(note) => format!("{said} ({note})"),
    }
}

/// What came after the result, unless it was a plain end.
fn note(how: &HowEnded) -> Option<String> {
    Some(match how {
        HowEnded::Script(ScriptEnd::Finished) | HowEnded::Process { clean: true, .. } | HowEnded::Shutdown => {
            return None;
        }
        HowEnded::Script(ScriptEnd::Crashed(text) | ScriptEnd::CannotStart(text)) => {
            format!("crashed after its result: {}", cut(text))
        }
        HowEnded::Script(ScriptEnd::Limit(text)) | HowEnded::Limit(text) => {
            format!("stopped by a limit after its result: {}", cut(text))
        }
        HowEnded::Process { how, .. } => format!("after its result: {}", cut(how)),
        HowEnded::Stopped(StopReason::Asked) => "stopped by user after its result".to_owned(),
        HowEnded::Stopped(StopReason::LeaseExpired) => "stopped after its result, its lease had run out".to_owned(),
        HowEnded::CannotStart(text) => format!("after its result: {}", cut(text)),
        HowEnded::ScriptMissing => return None,
    })
}

fn without_result(how: &HowEnded) -> Outcome {
    Outcome::Incomplete(match how {
        HowEnded::Stopped(StopReason::Asked) => return Outcome::Killed,
        HowEnded::Stopped(StopReason::LeaseExpired) => Incomplete::LeaseExpired,
        HowEnded::Script(ScriptEnd::Finished) => {
            Incomplete::NoResult("the script came to its end without one".to_owned())
        }
        HowEnded::Script(ScriptEnd::Crashed(text)) => Incomplete::Crashed(cut(text)),
        HowEnded::Script(ScriptEnd::Limit(text)) | HowEnded::Limit(text) => Incomplete::Limit(cut(text)),
        HowEnded::Script(ScriptEnd::CannotStart(text)) | HowEnded::CannotStart(text) => {
            Incomplete::CannotStart(cut(text))
        }
        HowEnded::Process { how, .. } => Incomplete::NoResult(cut(how)),
        HowEnded::ScriptMissing => Incomplete::ScriptMissing,
        HowEnded::Shutdown => Incomplete::NoResult("the rack's daemon was stopped".to_owned()),
    })
}

/// The end of a long text says more than its beginning: tracebacks end with the error.
fn cut(text: &str) -> String {
    let text = text.trim();
    let count = text.chars().count();
    if count <= LONGEST {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count - LONGEST).collect();
    format!("...{tail}")
}

#[cfg(test)]
mod tests {
    use headend_model::TestResult;

    use super::*;

    #[test]
    fn a_result_before_a_crash_counts_and_the_crash_is_noted() {
        let reported = Reported { result: TestResult::Pass, comment: String::new() };
        let crashed = HowEnded::Script(ScriptEnd::Crashed("out of bounds".into()));
        let Outcome::Done { result, comment } = outcome(Some(&reported), &crashed) else { panic!("not done") };
        assert_eq!(result, TestResult::Pass);
        assert_eq!(comment, "Test has run to completion (crashed after its result: out of bounds)");
        let plain = outcome(Some(&reported), &HowEnded::Script(ScriptEnd::Finished));
        assert_eq!(plain.to_string(), "Test has run to completion");
    }

    #[test]
    fn without_a_result_the_reason_decides() {
        let asked = outcome(None, &HowEnded::Stopped(StopReason::Asked));
        assert_eq!(asked, Outcome::Killed);
        let lease = outcome(None, &HowEnded::Stopped(StopReason::LeaseExpired));
        assert_eq!(lease, Outcome::Incomplete(Incomplete::LeaseExpired));
        let silent = outcome(None, &HowEnded::Process { how: "exit code 3".into(), clean: false });
        assert_eq!(silent, Outcome::Incomplete(Incomplete::NoResult("exit code 3".into())));
    }
}
