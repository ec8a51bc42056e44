//! One thread with the instances that it owns.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use headend_model::PolicyName;
use headend_scheduler::event::{Event, Placement};
use tokio::sync::mpsc;

use super::{Built, Key, MakesPolicies, Policy, Question, Work, lock};
use crate::clock::Clock;

pub(super) struct Worker {
    maker: Arc<dyn MakesPolicies>,
    clock: Clock,
    answers: mpsc::Sender<Event>,
    built: Built,
    instances: HashMap<Key, (PolicyName, Box<dyn Policy>)>,
}

impl Worker {
    pub(super) fn new(maker: Arc<dyn MakesPolicies>, clock: Clock, answers: mpsc::Sender<Event>, built: Built) -> Self {
        Self { maker, clock, answers, built, instances: HashMap::new() }
    }

    /// Works until the desk is gone.
    pub(super) fn run(mut self, work: &Receiver<Work>) {
        while let Ok(work) = work.recv() {
            match work {
                Work::Ask(question) => {
                    let event = self.answer(&question);
                    if self.answers.blocking_send(event).is_err() {
                        return;
                    }
                }
                Work::ForgetJob(job) => self.forget(|(of, _), _| *of == job),
                Work::ForgetPolicy(policy) => self.forget(|_, name| *name == policy),
            }
        }
    }

    fn answer(&mut self, question: &Question) -> Event {
        let (ask, key) = (question.ask.ask, (question.ask.job, question.ask.group));
        // A panic of the host is our bug, but it must not take the thread's other instances along.
        let answered = catch_unwind(AssertUnwindSafe(|| self.propose(question)))
            .unwrap_or_else(|_| Err("the plugin host panicked".to_owned()));
        match answered {
            Ok(placements) => Event::Proposed { ask, placements },
            Err(reason) => {
                self.instances.remove(&key);
                lock(&self.built).remove(&key);
                Event::PolicyFailed { ask, reason }
            }
        }
    }

    fn propose(&mut self, question: &Question) -> Result<Vec<Placement>, String> {
        let Question { ask, plan } = question;
        let key = (ask.job, ask.group);
        let now = self.clock.now();
        if now >= ask.deadline {
            return Err("the policy threads were too busy to ask it in time".to_owned());
        }
        if let Some(plan) = plan {
            let instance = self.maker.make(&ask.policy, plan)?;
            self.instances.insert(key, (ask.policy.clone(), instance));
            lock(&self.built).insert(key);
        }
        let (_, instance) = self.instances.get_mut(&key).ok_or("the job has no plan any more")?;
        if plan.is_none() {
            ask.changes.iter().for_each(|change| instance.apply(change));
        }
        instance.propose(now, &ask.free)
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

#[cfg(test)]
mod tests {
    use headend_model::{JobId, TargetIx, TestIx, Timestamp};
    use headend_scheduler::action::{Ask, PlanChange};
    use headend_scheduler::view::PlanView;

    use super::super::PolicyDesk;
    use super::*;

    /// Proposes test 0 everywhere; fails on every third question; counts what it is told.
    struct Fake {
        asked: usize,
        told: usize,
    }

    impl Policy for Fake {
        fn apply(&mut self, _: &PlanChange) {
            self.told += 1;
        }
        fn propose(&mut self, _: Timestamp, free: &[TargetIx]) -> Result<Vec<Placement>, String> {
            self.asked += 1;
            if self.asked == 3 {
                return Err("third time unlucky".to_owned());
            }
            let test = TestIx(self.told as u32);
            Ok(free.iter().map(|target| Placement { test, target: *target }).collect())
        }
    }

    struct Maker;

    impl MakesPolicies for Maker {
        fn make(&self, _: &PolicyName, plan: &PlanView) -> Result<Box<dyn Policy>, String> {
            Ok(Box::new(Fake { asked: 0, told: plan.past.len() }))
        }
        fn make_queue(&self, _: &PolicyName) -> Result<Box<dyn super::super::Ranks>, String> {
            Err("a coverage policy".to_owned())
        }
        fn quarantine(&self, _: &PolicyName) {}
    }

    fn question(number: u64, plan: bool, changes: usize) -> Question {
        let started = PlanChange::Started(Placement { test: TestIx(0), target: TargetIx(0) });
        let ask = Ask {
            ask: number,
            policy: PolicyName::new("fake").unwrap(),
            job: JobId(1),
            group: 0,
            free: vec![TargetIx(4)],
            changes: vec![started; changes],
            deadline: Timestamp::from_micros(i64::MAX),
        };
        let plan = plan.then(|| PlanView { tests: vec![], targets: vec![], past: vec![] });
        Question { ask, plan }
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
}
