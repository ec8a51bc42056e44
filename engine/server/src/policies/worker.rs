//! One thread with the instances that it owns.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use headend_model::{PolicyName, TargetIx};
use headend_scheduler::event::{Event, Placement, Said};
use headend_scheduler::view::PlanView;
use tokio::sync::mpsc;

use super::trials::Shadows;
use super::{Asked, Built, Key, MakesPolicies, Pins, Policy, Question, Trouble, Work, lock};
use crate::clock::Clock;

pub(super) struct Worker {
    maker: Arc<dyn MakesPolicies>,
    clock: Clock,
    answers: mpsc::Sender<Event>,
    built: Built,
    pins: Pins,
    shadows: Arc<Shadows>,
    instances: HashMap<Key, (PolicyName, Box<dyn Policy>)>,
}

impl Worker {
    pub(super) fn new(
        maker: Arc<dyn MakesPolicies>,
        clock: Clock,
        answers: mpsc::Sender<Event>,
        built: Built,
        pins: Pins,
        shadows: Arc<Shadows>,
    ) -> Self {
        Self { maker, clock, answers, built, pins, shadows, instances: HashMap::new() }
    }

    /// Works until the desk is gone.
    pub(super) fn run(mut self, work: &Receiver<Work>) {
        while let Ok(work) = work.recv() {
            match work {
                Work::Ask(question) => {
                    let began = Instant::now();
                    let event = self.answer(*question);
                    self.shadows.answered(&event, began.elapsed());
                    if self.answers.blocking_send(event).is_err() {
                        return;
                    }
                }
                Work::ForgetJob(job) => self.forget(|(of, _), _| *of == job),
                Work::ForgetPolicy(policy) => self.forget(|_, name| *name == policy),
            }
        }
    }

    fn answer(&mut self, question: Question) -> Event {
        let Question { asked, plan, .. } = question;
        let (ask, key) = (asked.number(), asked.key());
        // A panic of the host is our bug, but it must not take the thread's other instances along.
        let answered = catch_unwind(AssertUnwindSafe(|| self.put(&asked, plan)))
            .unwrap_or_else(|_| Err("the plugin host panicked".to_owned().into()));
        let is_over = matches!(asked, Asked::Report(_));
        let is_broken = matches!(&answered, Ok(Event::Proposed { said: Said { fault: Some(_), .. }, .. }));
        if is_broken {
            self.unpin(&asked);
        }
        if is_over || is_broken || answered.is_err() {
            self.instances.remove(&key);
            lock(&self.built).remove(&key);
        }
        match answered {
            Ok(event) => event,
            Err(Trouble::Declined(reason)) => Event::PolicyDeclined { ask, reason },
            Err(Trouble::Failed(reason)) => {
                self.unpin(&asked);
                Event::PolicyFailed { ask, reason }
            }
        }
    }

    /// What is built after a failure is of the version in force.
    fn unpin(&self, asked: &Asked) {
        lock(&self.pins).remove(&(asked.key().0, asked.policy().clone()));
    }

    fn put(&mut self, asked: &Asked, plan: Option<PlanView>) -> Result<Event, Trouble> {
        let (key, policy, now) = (asked.key(), asked.policy(), self.clock.now());
        if now >= asked.deadline() {
            return Err("the policy threads were too busy to ask it in time".to_owned().into());
        }
        let is_new = plan.is_some();
        if let Some(plan) = plan {
            let pinned = lock(&self.pins).get(&(key.0, policy.clone())).map(|pin| pin.content.clone());
            let instance = self.maker.make(policy, plan, pinned.as_deref())?;
            let about = (policy.clone(), instance.content().to_owned());
            self.instances.insert(key, (policy.clone(), instance));
            lock(&self.built).insert(key, about);
        }
        let gone = || Trouble::from("the job has no plan any more".to_owned());
        let (_, instance) = self.instances.get_mut(&key).ok_or_else(gone)?;
        if !is_new {
            asked.changes().iter().for_each(|news| instance.apply(news));
        }
        let ask = asked.number();
        match asked {
            Asked::Propose(question) => {
                let answer = instance.propose(now, &question.free)?;
                let of = worth_a_reason(&answer.start, &question.free);
                let left = question.deadline.since(self.clock.now()).as_micros();
                let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
                let said = if of.is_empty() { Said::default() } else { instance.reasons(&of, left) };
                Ok(Event::Proposed { ask, placements: answer.start, skips: answer.skip, said })
            }
            Asked::Report(_) => Ok(Event::Reported { ask, report: instance.report()? }),
        }
    }

    fn forget(&mut self, gone: impl Fn(&Key, &PolicyName) -> bool) {
        let keys: Vec<Key> =
            self.instances.iter().filter(|(key, (name, _))| gone(key, name)).map(|(key, _)| *key).collect();
        for key in keys {
            self.instances.remove(&key);
            lock(&self.built).remove(&key);
        }
    }
}

/// Placements that may hold, as far as can be seen from here: the first for each target that was offered. Nobody reads a reason for others.
fn worth_a_reason(placements: &[Placement], free: &[TargetIx]) -> Vec<Placement> {
    let mut open: BTreeSet<TargetIx> = free.iter().copied().collect();
    placements.iter().filter(|placement| open.remove(&placement.target)).copied().collect()
}

#[cfg(test)]
mod tests {
    use headend_model::{JobId, TestIx, Timestamp};
    use headend_plugin_host::policy::Answer;
    use headend_scheduler::action::{Ask, AskReport, Noted, PlanChange};

    use super::super::PolicyDesk;
    use super::*;

    /// Proposes test 0 everywhere; fails on every third question; counts what it is told.
    struct Fake {
        asked: usize,
        told: usize,
    }

    impl Policy for Fake {
        fn content(&self) -> &'static str {
            "c0ffee"
        }
        fn apply(&mut self, _: &Noted) {
            self.told += 1;
        }
        fn propose(&mut self, _: Timestamp, free: &[TargetIx]) -> Result<Answer, String> {
            self.asked += 1;
            if self.asked == 3 {
                return Err("third time unlucky".to_owned());
            }
            let test = TestIx(self.told as u32);
            let start = free.iter().map(|target| Placement { test, target: *target }).collect();
            Ok(Answer { start, skip: Vec::new() })
        }
        fn reasons(&mut self, of: &[Placement], left: Duration) -> Said {
            assert!(!left.is_zero());
            let reasons = of.iter().map(|of| (of.target, format!("told {} times", self.told))).collect();
            Said { reasons, fault: (self.told == 3).then(|| "speechless".to_owned()) }
        }
        fn report(&mut self) -> Result<String, String> {
            Ok(self.told.to_string())
        }
    }

    struct Maker;

    impl MakesPolicies for Maker {
        fn make(&self, _: &PolicyName, plan: PlanView, _: Option<&str>) -> Result<Box<dyn Policy>, Trouble> {
            if plan.parameters == "odd" {
                return Err(Trouble::Declined("too odd".to_owned()));
            }
            Ok(Box::new(Fake { asked: 0, told: plan.past.len() }))
        }
        fn make_queue(&self, _: &PolicyName) -> Result<Box<dyn super::super::Ranks>, String> {
            Err("a coverage policy".to_owned())
        }
        fn quarantine(&self, _: &PolicyName) {}
    }

    fn question(number: u64, plan: bool, changes: usize) -> Question {
        let started = started();
        let ask = Ask {
            ask: number,
            policy: PolicyName::new("fake").unwrap(),
            job: JobId(1),
            group: 0,
            free: vec![TargetIx(4)],
            changes: vec![started; changes],
            deadline: Timestamp::from_micros(i64::MAX),
        };
        Question { asked: Asked::Propose(ask), plan: plan.then(PlanView::default), aside: Vec::new() }
    }

    fn started() -> Noted {
        PlanChange::Started(Placement { test: TestIx(0), target: TargetIx(0) }).at(Timestamp::EPOCH)
    }

    fn report(number: u64, past: Option<usize>) -> Question {
        let ask = AskReport {
            ask: number,
            policy: PolicyName::new("fake").unwrap(),
            job: JobId(1),
            group: 0,
            changes: vec![started()],
            deadline: Timestamp::from_micros(i64::MAX),
        };
        let plan = past.map(|past| PlanView { past: vec![started(); past], ..PlanView::default() });
        Question { asked: Asked::Report(ask), plan, aside: Vec::new() }
    }

    #[tokio::test]
    async fn a_report_comes_from_the_instance_or_from_one_that_knows_the_past_and_is_the_last_word() {
        let (answers, mut events) = mpsc::channel(8);
        let clock = Clock::starting_at_or_after(Timestamp::EPOCH);
        let desk = PolicyDesk::start(Arc::new(Maker), clock, answers).unwrap();
        let told = |ask, runs: usize| Event::Reported { ask, report: runs.to_string() };
        desk.ask(question(1, true, 0));
        assert!(matches!(events.recv().await.unwrap(), Event::Proposed { ask: 1, .. }));
        desk.ask(report(2, None));
        assert_eq!(events.recv().await.unwrap(), told(2, 1), "told of what has happened since");
        assert!(lock(&desk.built).is_empty());
        desk.ask(report(3, Some(5)));
        assert_eq!(events.recv().await.unwrap(), told(3, 5));
        assert!(lock(&desk.built).is_empty(), "and nothing is left over");
    }

    #[tokio::test]
    async fn a_plan_that_is_declined_is_no_failure() {
        let (answers, mut events) = mpsc::channel(8);
        let clock = Clock::starting_at_or_after(Timestamp::EPOCH);
        let desk = PolicyDesk::start(Arc::new(Maker), clock, answers).unwrap();
        let mut question = question(1, true, 0);
        question.plan = Some(PlanView { parameters: "odd".to_owned(), ..PlanView::default() });
        desk.ask(question);
        assert_eq!(events.recv().await.unwrap(), Event::PolicyDeclined { ask: 1, reason: "too odd".to_owned() });
    }

    #[tokio::test]
    async fn an_instance_lives_until_it_fails_or_its_job_ends() {
        let (answers, mut events) = mpsc::channel(8);
        let maker: Arc<dyn MakesPolicies> = Arc::new(Maker);
        let clock = Clock::starting_at_or_after(Timestamp::EPOCH);
        let desk = PolicyDesk::start(maker, clock, answers).unwrap();
        let proposed = |ask, test| Event::Proposed {
            ask,
            placements: vec![Placement { test: TestIx(test), target: TargetIx(4) }],
            skips: vec![],
            said: Said { reasons: vec![(TargetIx(4), format!("told {test} times"))], fault: None },
        };
        desk.ask(question(1, true, 9));
        assert_eq!(events.recv().await.unwrap(), proposed(1, 0), "a new instance has its past from the plan");
        desk.ask(question(2, false, 2));
        assert_eq!(events.recv().await.unwrap(), proposed(2, 2), "an old one is told of changes");
        desk.ask(question(3, false, 0));
        assert!(matches!(events.recv().await.unwrap(), Event::PolicyFailed { ask: 3, .. }));
        assert!(lock(&desk.built).is_empty(), "after a fault it is built anew");
        desk.ask(question(4, true, 0));
        assert_eq!(events.recv().await.unwrap(), proposed(4, 0));
        desk.forget(JobId(1));
        desk.ask(question(5, false, 0));
        assert!(matches!(events.recv().await.unwrap(), Event::PolicyFailed { ask: 5, .. }));
        assert!(lock(&desk.built).is_empty());
    }

    #[tokio::test]
    async fn an_instance_that_fails_over_its_reasons_answers_and_goes() {
        let (answers, mut events) = mpsc::channel(8);
        let clock = Clock::starting_at_or_after(Timestamp::EPOCH);
        let desk = PolicyDesk::start(Arc::new(Maker), clock, answers).unwrap();
        desk.ask(question(1, true, 0));
        assert!(matches!(events.recv().await.unwrap(), Event::Proposed { ask: 1, .. }));
        desk.ask(question(2, false, 3));
        let Event::Proposed { placements, said, .. } = events.recv().await.unwrap() else { panic!("no answer") };
        assert_eq!((placements.len(), said.fault.as_deref()), (1, Some("speechless")));
        assert!(lock(&desk.built).is_empty(), "it is built anew");
    }

    #[test]
    fn only_what_may_hold_is_worth_a_reason() {
        let at = |test, target| Placement { test: TestIx(test), target: TargetIx(target) };
        let placements = [at(0, 1), at(1, 1), at(2, 7), at(0, 0)];
        assert_eq!(worth_a_reason(&placements, &[TargetIx(0), TargetIx(1)]), [at(0, 1), at(0, 0)]);
    }
}
