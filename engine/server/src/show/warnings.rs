//! Warnings and refusals of the farm as clients read them.

use headend_model::{JobSpec, Target, TargetIx, TestIx};
use headend_scheduler::Farm;
use headend_scheduler::action::{Refusal, Warning};
use headend_wire::api::WarningItem;
use headend_wire::codes::{self, Code};

use super::slot_text;
use crate::http::ApiError;

/// A warning with what caused it.
pub(crate) fn warning(farm: &Farm, spec: &JobSpec, warning: &Warning) -> WarningItem {
    match warning {
        Warning::ScriptMissing(test) => {
            let (script, found) = (script(spec, *test), test_at(spec, *test));
            let area = if found.is_some_and(|test| test.public) { "public" } else { "private" };
            let hint = hint(spec, &script);
            item(&codes::WARN_SCRIPT_MISSING, &format!("not in the {area} area{hint}"), script)
        }
        Warning::Surplus { test, needed, given } => {
            item(&codes::WARN_SURPLUS, &format!("{needed} slots needed, {given} given"), script(spec, *test))
        }
        Warning::Busy { target, holder } => {
            item(&codes::WARN_BUSY, &format!("user {holder} has work there"), target_text(farm, spec, *target))
        }
        Warning::NoDut(target) => {
            let shelved = matches!(spec.targets.get(target.0 as usize), Some(Target::Dut(_)));
            let more = if shelved { "the DUT is on the shelf" } else { "" };
            item(&codes::WARN_NO_DUT, more, target_text(farm, spec, *target))
        }
        Warning::NoDaemon(target) => item(&codes::WARN_NO_DAEMON, "", target_text(farm, spec, *target)),
        Warning::SeveralRacks(test) => item(&codes::WARN_SEVERAL_RACKS, "", script(spec, *test)),
    }
}

fn item(code: &Code, more: &str, parameter: String) -> WarningItem {
    let message = if more.is_empty() { code.text.to_owned() } else { format!("{}: {more}", code.text) };
    WarningItem { number: code.number, code: code.name.to_owned(), message, parameter }
}

/// Answers show `public/...` and the user's name in front of a path; calls take neither.
fn hint(spec: &JobSpec, script: &str) -> String {
    match script.split_once('/') {
        Some((first, _)) if first == spec.owner.as_str() => {
            format!("; paths begin inside the area, so leave out `{first}/`")
        }
        _ => headend_files::area_hint(script).to_owned(),
    }
}

fn test_at(spec: &JobSpec, test: TestIx) -> Option<&headend_model::TestSpec> {
    spec.tests.get(test.0 as usize)
}

fn script(spec: &JobSpec, test: TestIx) -> String {
    test_at(spec, test).map(|test| test.script.to_string()).unwrap_or_default()
}

fn target_text(farm: &Farm, spec: &JobSpec, target: TargetIx) -> String {
    match spec.targets.get(target.0 as usize) {
        Some(Target::Slot(slot)) => slot_text(farm, *slot),
        Some(Target::Dut(dut)) => format!("DUT {dut}"),
        None => format!("target {}", target.0),
    }
}

/// Why nothing was stored.
pub(crate) fn refusal(farm: &Farm, spec: &JobSpec, refusal: &Refusal) -> ApiError {
    let of = |code: &Code| ApiError::new(code, refusal.to_string());
    match refusal {
        Refusal::NoTests => of(&codes::NO_TESTS).at("/tests"),
        Refusal::NoTargets => of(&codes::NO_TARGETS).at("/slots"),
        Refusal::DuplicateTarget(_) => of(&codes::DUPLICATE_TARGET),
        Refusal::UnknownSlot(_) => of(&codes::UNKNOWN_SLOT),
        Refusal::UnknownDut(_) => of(&codes::UNKNOWN_DUT),
        Refusal::ZeroSlots(test) => of(&codes::BAD_SLOTS_NEEDED).at(format!("/tests/{}/slots_needed", test.0)),
        Refusal::TooManyRuns { .. } => of(&codes::TOO_MANY_RUNS).at("/tests"),
        Refusal::KeyReused { .. } => of(&codes::KEY_REUSED),
        Refusal::Warnings(warnings) => {
            let texts: Vec<String> = warnings.iter().take(10).map(|one| text(&warning(farm, spec, one))).collect();
            let detail =
                format!("nothing was stored, as asked, because of {}: {}", counted(warnings.len()), texts.join("; "));
            ApiError::new(&codes::FAILED_ON_WARNING, detail)
        }
    }
}

fn text(item: &WarningItem) -> String {
    format!("{} ({})", item.message, item.parameter)
}

fn counted(warnings: usize) -> String {
    if warnings == 1 { "1 warning".to_owned() } else { format!("{warnings} warnings") }
}
