//! The thread that asks queue policies for ranks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use headend_model::JobId;
use headend_scheduler::action::AskRanks;
use headend_scheduler::event::Event;
use tokio::sync::mpsc;

use super::MakesPolicies;
use crate::clock::Clock;

/// Starts the thread. It ends when the sender is dropped.
///
/// # Errors
/// When the operating system gives no thread.
pub(super) fn start(
    maker: Arc<dyn MakesPolicies>,
    clock: Clock,
    answers: mpsc::Sender<Event>,
    waiting: usize,
) -> std::io::Result<SyncSender<AskRanks>> {
    let (sender, work) = sync_channel(waiting);
    let run = move || run(&*maker, clock, &answers, &work);
    std::thread::Builder::new().name("policy-ranks".to_owned()).spawn(run)?;
    Ok(sender)
}

fn run(maker: &dyn MakesPolicies, clock: Clock, answers: &mpsc::Sender<Event>, work: &Receiver<AskRanks>) {
    while let Ok(question) = work.recv() {
        let ask = question.ask;
        // A panic of the host is our bug; the thread is needed all the same.
        let ranks = catch_unwind(AssertUnwindSafe(|| ranks(maker, clock, &question)))
            .unwrap_or_else(|_| Err("the plugin host panicked".to_owned()));
        let event = match ranks {
            Ok(ranks) => Event::Ranked { ask, ranks },
            Err(reason) => Event::PolicyFailed { ask, reason },
        };
        if answers.blocking_send(event).is_err() {
            return;
        }
    }
}

/// All ranks of the question, from an instance of its own: the version that is loaded now answers.
fn ranks(maker: &dyn MakesPolicies, clock: Clock, question: &AskRanks) -> Result<Vec<(JobId, i64)>, String> {
    let all = question.jobs.len();
    let mut policy = maker.make_queue(&question.policy)?;
    let mut ranks = Vec::with_capacity(all);
    for job in &question.jobs {
        if clock.now() >= question.deadline {
            return Err(format!("ranked {} of {all} jobs in its time", ranks.len()));
        }
        ranks.push((job.job, policy.rank(job)?));
    }
    Ok(ranks)
}

#[cfg(test)]
mod tests {
    use headend_model::{PolicyName, Priority, Timestamp, UserName};
    use headend_scheduler::action::RankedJob;
    use headend_scheduler::view::PlanView;

    use super::super::{Policy, PolicyDesk, Ranks};
    use super::*;

    /// Ranks by priority; `odd` fails at job 3, `rude` panics.
    struct Fake(PolicyName);

    impl Ranks for Fake {
        fn rank(&mut self, job: &RankedJob) -> Result<i64, String> {
            assert_ne!(self.0.as_str(), "rude", "as told");
            if self.0.as_str() == "odd" && job.job == JobId(3) {
                return Err("does not like job 3".to_owned());
            }
            Ok(i64::from(job.priority.0))
        }
    }

    struct Maker;

    impl MakesPolicies for Maker {
        fn make(&self, _: &PolicyName, _: &PlanView) -> Result<Box<dyn Policy>, String> {
            Err("a queue policy".to_owned())
        }
        fn make_queue(&self, policy: &PolicyName) -> Result<Box<dyn Ranks>, String> {
            Ok(Box::new(Fake(policy.clone())))
        }
        fn quarantine(&self, _: &PolicyName) {}
    }

    fn question(ask: u64, policy: &str, deadline: Timestamp) -> AskRanks {
        let owner = UserName::new("anna").unwrap();
        let job = |id: u64| RankedJob {
            job: JobId(id),
            owner: owner.clone(),
            priority: Priority(id as u8),
            accepted: Timestamp::EPOCH,
        };
        AskRanks { ask, policy: PolicyName::new(policy).unwrap(), jobs: vec![job(2), job(3)], deadline }
    }

    #[tokio::test]
    async fn every_question_is_answered_by_one_event() {
        let (answers, mut events) = mpsc::channel(8);
        let clock = Clock::starting_at_or_after(Timestamp::EPOCH);
        let desk = PolicyDesk::start(Arc::new(Maker), clock, answers).unwrap();
        let late = Timestamp::from_micros(i64::MAX);
        let failed = |event| {
            if let Event::PolicyFailed { ask, reason } = event { (ask, reason) } else { (0, format!("{event:?}")) }
        };
        desk.ask_ranks(&question(1, "sound", late));
        let ranks = vec![(JobId(2), 2), (JobId(3), 3)];
        assert_eq!(events.recv().await.unwrap(), Event::Ranked { ask: 1, ranks: ranks.clone() });
        desk.ask_ranks(&question(2, "odd", late));
        assert_eq!(failed(events.recv().await.unwrap()), (2, "does not like job 3".to_owned()));
        desk.ask_ranks(&question(3, "rude", late));
        assert_eq!(failed(events.recv().await.unwrap()), (3, "the plugin host panicked".to_owned()));
        desk.ask_ranks(&question(4, "sound", Timestamp::EPOCH));
        assert_eq!(failed(events.recv().await.unwrap()), (4, "ranked 0 of 2 jobs in its time".to_owned()));
        desk.ask_ranks(&question(5, "sound", late));
        assert_eq!(events.recv().await.unwrap(), Event::Ranked { ask: 5, ranks }, "it goes on after each of them");
    }
}
