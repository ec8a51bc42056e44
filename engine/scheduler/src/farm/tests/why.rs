//! Reasons by page: a job has one for each pair of a waiting test and a target.

use headend_model::{JobId, Mode, Target, TestIx};

use super::lab::{duts, slots};
use super::{job, lab, test};
use crate::view::{Waiting, WhyPage};

#[test]
fn a_page_of_reasons_is_a_part_of_all_and_says_how_many_there_are() {
    let mut lab = lab(4);
    let targets: Vec<Target> = slots(1..=4).into_iter().chain(duts(101..=104)).collect();
    lab.submit(job(slots(1..=4), (0..9).map(|_| test(Mode::DutCoverage, 4))));
    let id = lab.submit(job(targets, (0..7).map(|_| test(Mode::DutCoverage, 8))));
    let all = lab.farm.why(lab.now, id);
    assert_eq!((all.len(), lab.farm.tests_waiting(id)), (7, 7));
    assert!(all.iter().all(|waiting| (waiting.at.len(), waiting.targets) == (8, 8)));
    let mut pages: Vec<Waiting> = Vec::new();
    let mut from = Some(TestIx(0));
    while let Some(first) = from {
        let page = lab.farm.why_page(lab.now, id, &WhyPage { from: first, tests: 3, targets: 5 });
        assert!(page.len() <= 3 && page.iter().all(|waiting| (waiting.at.len(), waiting.targets) == (5, 8)));
        from = page.last().map(|last| TestIx(last.test.0 + 1));
        pages.extend(page);
    }
    for (page, whole) in pages.iter().zip(&all) {
        assert_eq!((page.test, page.runs, &page.at[..]), (whole.test, whole.runs, &whole.at[..5]));
    }
    assert_eq!(pages.len(), all.len());
    assert_eq!((lab.farm.tests_waiting(JobId(99)), lab.farm.why(lab.now, JobId(99)).len()), (0, 0));
}
