//! Who uses a plugin: open jobs, schedules, the order of the jobs.

use headend_model::{Mode, PolicyName, UserName};
use headend_scheduler::Farm;
use headend_wire::plugins::PluginUses;

/// As the farm knows it now.
pub(super) fn of(farm: &Farm, name: &PolicyName) -> PluginUses {
    seen(farm, name, |_| true)
}

/// The same without the jobs and schedules of those whose work the asker does not get to see.
pub(super) fn seen(farm: &Farm, name: &PolicyName, may_see: impl Fn(&UserName) -> bool) -> PluginUses {
    let names = |mode: &Mode| matches!(mode, Mode::Policy(policy) if policy == name);
    let jobs = farm.open_jobs().filter(|job| job.spec.tests.iter().any(|test| names(&test.mode)));
    let schedules = farm.schedules().filter(|schedule| {
        let tests = farm.schedule_tests(schedule.schedule).unwrap_or_default();
        tests.iter().any(|test| names(&test.spec.test.mode))
    });
    PluginUses {
        jobs: jobs.filter(|job| may_see(&job.spec.owner)).map(|job| job.job.0).collect(),
        schedules: schedules
            .filter(|schedule| may_see(schedule.owner))
            .map(|schedule| format!("{}/{}", schedule.owner, schedule.name))
            .collect(),
        queue: farm.queue_order().wanted == Some(name),
    }
}

/// Why it is not taken away, in words.
pub(super) fn words(uses: &PluginUses) -> String {
    let mut all = Vec::new();
    if !uses.jobs.is_empty() {
        all.push(format!("{} {}", plural("job", uses.jobs.len()), some(&uses.jobs)));
    }
    if !uses.schedules.is_empty() {
        all.push(format!("{} {}", plural("schedule", uses.schedules.len()), some(&uses.schedules)));
    }
    if uses.queue {
        all.push("the order of the jobs".to_owned());
    }
    all.join(", ")
}

fn plural(word: &str, count: usize) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// The first ones, and how many more.
fn some<T: std::fmt::Display>(all: &[T]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = all.iter().take(SHOWN).map(T::to_string).collect();
    let more = all.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_and_many_are_counted() {
        let uses = PluginUses { jobs: (1..=12).collect(), schedules: vec!["ann/nightly".to_owned()], queue: true };
        assert_eq!(
            words(&uses),
            "jobs 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more, schedule ann/nightly, the order of the jobs"
        );
    }
}
