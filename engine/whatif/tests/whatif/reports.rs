//! The same load and seed make the same bytes.

use headend_model::{Mode, Span};
use headend_whatif::report::{Load, html, svg, text};
use headend_whatif::{Case, Coverage, Figures, Lasts, NoPolicies, Plan, play};

use super::{job, lab, test};

fn load(seed: u64) -> Plan {
    let mut plan = lab(&[4]);
    plan.seed = seed;
    let lasts = Lasts::Quantiles { p50: Span::seconds(20), p90: Span::seconds(90) };
    let tests = || (0..3).map(|n| test(&format!("t{n}.rhai"), Mode::DutCoverage, 2, 0));
    plan.jobs = (0..40).map(|at| job(at * 7, 1..=4, tests())).collect();
    for test in plan.jobs.iter_mut().flat_map(|job| &mut job.tests) {
        test.lasts = lasts.clone();
    }
    plan
}

fn cases(plan: &Plan) -> Vec<Figures> {
    let by = |name: &str| Case {
        name: format!("<{name}>"),
        coverage: Coverage::Policy(headend_model::PolicyName::new(name).unwrap()),
        ..Case::default()
    };
    let cases = [by("dut-coverage"), by("test-coverage")];
    cases.iter().map(|case| play(plan, case, &mut NoPolicies).unwrap()).collect()
}

fn page(seed: u64) -> String {
    let plan = load(seed);
    let head = Load { source: "made & up".to_owned(), jobs: plan.jobs.len(), slots: plan.slots(), seed };
    let all = cases(&plan);
    format!("{}\n{}\n{}", text(&head, &all), svg(&all), html(&head, &all))
}

#[test]
fn the_same_load_and_seed_make_the_same_report_byte_for_byte() {
    assert_eq!(page(1), page(1));
    assert_ne!(page(1), page(2));
}

#[test]
fn a_run_takes_the_same_time_under_every_policy() {
    let plan = load(3);
    let all = cases(&plan);
    let busy = |figures: &Figures| (1.0 - figures.idle) * figures.makespan.as_seconds_f64();
    assert!((busy(&all[0]) - busy(&all[1])).abs() < 1e-3, "the same work, however it is ordered");
}

#[test]
fn the_page_stands_alone_and_keeps_text_text() {
    let page = page(1);
    assert!(!page.contains("<script") && !page.contains("href=") && !page.contains("src="));
    assert!(page.contains("&lt;dut-coverage&gt;") && page.contains("made &amp; up"));
    assert!(page.contains("all covered") && page.contains("fairness") && page.contains("<polyline"));
}
