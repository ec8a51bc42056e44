//! Which threads ask which policy. Each has its own: one that stalls holds up the jobs under it and nobody else's.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::mpsc::SyncSender;

use headend_model::PolicyName;

use super::{Key, Work, lock};

/// Threads of a policy. A question that takes long holds up only a part of its jobs.
const THREADS: usize = 2;
/// Policies with threads of their own. Those that come later share them: that many are not at work in any lab.
const POLICIES: usize = 32;

/// Starts a thread of this name.
type Start = Box<dyn Fn(String) -> std::io::Result<SyncSender<Work>> + Send + Sync>;

/// The threads by policy. They end when this is dropped.
pub(super) struct Seats {
    start: Start,
    taken: Mutex<BTreeMap<PolicyName, Vec<SyncSender<Work>>>>,
}

impl Seats {
    /// Without a thread yet: a policy's start with its first question.
    pub(super) fn new(start: impl Fn(String) -> std::io::Result<SyncSender<Work>> + Send + Sync + 'static) -> Self {
        Self { start: Box::new(start), taken: Mutex::default() }
    }

    /// The thread that asks this policy about this plan: always the same, since the instance lives there.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(super) fn of(&self, policy: &PolicyName, key: Key) -> std::io::Result<SyncSender<Work>> {
        let mut taken = lock(&self.taken);
        if !taken.contains_key(policy) && taken.len() < POLICIES {
            let number = taken.len();
            let threads = (0..THREADS).map(|one| (self.start)(format!("policy-{number}-{one}")));
            taken.insert(policy.clone(), threads.collect::<std::io::Result<_>>()?);
        }
        let threads = match taken.get(policy) {
            Some(threads) => threads.iter().collect(),
            None => taken.values().flatten().collect::<Vec<_>>(),
        };
        let mut hasher = DefaultHasher::new();
        (policy, key).hash(&mut hasher);
        let number = hasher.finish() as usize % threads.len().max(1);
        threads.get(number).map(|thread| (*thread).clone()).ok_or_else(|| std::io::Error::other("there is no thread"))
    }

    /// All threads that may hold an instance of this policy.
    pub(super) fn all_of(&self, policy: &PolicyName) -> Vec<SyncSender<Work>> {
        let taken = lock(&self.taken);
        match taken.get(policy) {
            Some(threads) => threads.clone(),
            None => taken.values().flatten().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::Duration;

    use headend_model::{JobId, TargetIx, Timestamp};
    use headend_plugin_host::policy::Answer;
    use headend_scheduler::action::{Ask, Noted};
    use headend_scheduler::event::{Event, Placement, Said};
    use headend_scheduler::view::PlanView;

    use super::super::{Asked, MakesPolicies, Policy, PolicyDesk, Question, Ranks, Trouble};
    use super::*;
    use crate::clock::Clock;

    /// Answers when the test lets it.
    struct Stuck(Arc<Mutex<mpsc::Receiver<()>>>);

    impl Policy for Stuck {
        fn content(&self) -> &'static str {
            "c0ffee"
        }
        fn apply(&mut self, _: &Noted) {}
        fn propose(&mut self, _: Timestamp, _: &[TargetIx]) -> Result<Answer, String> {
            let _ = lock(&self.0).recv();
            Ok(Answer::default())
        }
        fn reasons(&mut self, _: &[Placement], _: Duration) -> Said {
            Said::default()
        }
        fn report(&mut self) -> Result<String, String> {
            Ok(String::new())
        }
    }

    struct Maker(Arc<Mutex<mpsc::Receiver<()>>>, Arc<Mutex<mpsc::Receiver<()>>>);

    impl MakesPolicies for Maker {
        fn make(&self, policy: &PolicyName, _: PlanView, _: Option<&str>) -> Result<Box<dyn Policy>, Trouble> {
            let gate = if policy.as_str() == "stuck" { &self.0 } else { &self.1 };
            Ok(Box::new(Stuck(gate.clone())))
        }
        fn make_queue(&self, _: &PolicyName) -> Result<Box<dyn Ranks>, String> {
            Err("a coverage policy".to_owned())
        }
        fn quarantine(&self, _: &PolicyName) {}
    }

    fn question(ask: u64, policy: &str) -> Question {
        let ask = Ask {
            ask,
            policy: PolicyName::new(policy).unwrap(),
            job: JobId(ask),
            group: 0,
            free: vec![TargetIx(4)],
            changes: Vec::new(),
            deadline: Timestamp::from_micros(i64::MAX),
        };
        Question { asked: Asked::Propose(ask), plan: Some(PlanView::default()), aside: Vec::new() }
    }

    #[tokio::test]
    async fn a_policy_that_stalls_holds_up_no_other() {
        let (answers, mut events) = tokio::sync::mpsc::channel(64);
        let clock = Clock::starting_at_or_after(Timestamp::EPOCH);
        let (let_go, gate) = mpsc::channel();
        // The other one's gate is open from the beginning.
        let (_, open) = mpsc::channel();
        let maker = Maker(Arc::new(Mutex::new(gate)), Arc::new(Mutex::new(open)));
        let desk = PolicyDesk::start(Arc::new(maker), clock, answers).unwrap();
        (1..=10).for_each(|ask| desk.ask(question(ask, "stuck")));
        (11..=20).for_each(|ask| desk.ask(question(ask, "sound")));
        let mut answered = Vec::new();
        while answered.len() < 10 {
            let Some(Event::Proposed { ask, .. }) = events.recv().await else { panic!("an answer") };
            answered.push(ask);
        }
        answered.sort_unstable();
        assert_eq!(answered, (11..=20).collect::<Vec<_>>(), "all of the other's while the first is stuck");
        drop(let_go);
        for _ in 0..10 {
            assert!(matches!(events.recv().await, Some(Event::Proposed { ask: 1..=10, .. })));
        }
    }

    #[test]
    fn policies_past_the_bound_share_threads_and_each_plan_keeps_its_own() {
        let seats = Seats::new(|_name| Ok(mpsc::sync_channel(1).0));
        let name = |n: usize| PolicyName::new(format!("p{n}")).unwrap();
        for n in 0..=POLICIES {
            seats.of(&name(n), (JobId(1), 0)).unwrap();
        }
        assert_eq!(lock(&seats.taken).len(), POLICIES);
        assert_eq!(seats.all_of(&name(0)).len(), THREADS);
        assert_eq!(seats.all_of(&name(POLICIES)).len(), POLICIES * THREADS);
    }
}
