//! The thread that asks queue policies for ranks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use headend_model::{JobId, SlotId};
use headend_scheduler::action::AskRanks;
use headend_scheduler::event::Event;
use tokio::sync::mpsc;

use super::MakesPolicies;
use super::trials::Shadows;
use crate::clock::Clock;

/// Jobs or slots that a policy is asked about in one call. Between calls the deadline of the question is looked at.
const AT_ONCE: usize = 64;

/// Starts the thread. It ends when the sender is dropped.
///
/// # Errors
/// When the operating system gives no thread.
pub(super) fn start(
    maker: Arc<dyn MakesPolicies>,
    clock: Clock,
    answers: mpsc::Sender<Event>,
    shadows: Arc<Shadows>,
    waiting: usize,
) -> std::io::Result<SyncSender<AskRanks>> {
    let (sender, work) = sync_channel(waiting);
    let run = move || run(&*maker, clock, &answers, &shadows, &work);
    std::thread::Builder::new().name("policy-ranks".to_owned()).spawn(run)?;
    Ok(sender)
}

fn run(
    maker: &dyn MakesPolicies,
    clock: Clock,
    answers: &mpsc::Sender<Event>,
    shadows: &Shadows,
    work: &Receiver<AskRanks>,
) {
    while let Ok(question) = work.recv() {
        let (ask, began) = (question.ask, Instant::now());
        // A panic of the host is our bug; the thread is needed all the same.
        let ranks = catch_unwind(AssertUnwindSafe(|| ranks(maker, clock, &question)))
            .unwrap_or_else(|_| Err("the plugin host panicked".to_owned()));
        let event = match ranks {
            Ok((ranks, slots)) => Event::Ranked { ask, ranks, slots },
            Err(reason) => Event::PolicyFailed { ask, reason },
        };
        shadows.answered(&event, began.elapsed());
        if answers.blocking_send(event).is_err() {
            return;
        }
    }
}

/// Ranks of jobs, and of slots.
type Given = (Vec<(JobId, i64)>, Vec<(SlotId, i64)>);

/// All ranks of the question, from an instance of its own: the version that is loaded now answers.
fn ranks(maker: &dyn MakesPolicies, clock: Clock, question: &AskRanks) -> Result<Given, String> {
    let mut policy = maker.make_queue(&question.policy)?;
    let in_time = |done: usize, all: usize, what: &str| {
        let late = clock.now() >= question.deadline;
        if late { Err(format!("ranked {done} of {all} {what} in its time")) } else { Ok(()) }
    };
    let mut jobs = Vec::with_capacity(question.jobs.len());
    for some in question.jobs.chunks(AT_ONCE) {
        in_time(jobs.len(), question.jobs.len(), "jobs")?;
        jobs.extend(some.iter().map(|job| job.job).zip(policy.rank(some)?));
    }
    let mut slots = Vec::with_capacity(question.slots.len());
    for some in question.slots.chunks(AT_ONCE) {
        in_time(slots.len(), question.slots.len(), "slots")?;
        slots.extend(some.iter().map(|slot| slot.slot).zip(policy.rank_slots(some)?));
    }
    Ok((jobs, slots))
}

#[cfg(test)]
mod tests {
    use headend_model::{DutId, PolicyName, Priority, RackName, SlotNo, Timestamp, UserName};
    use headend_scheduler::action::{OwnerUsage, RankedJob, RankedSlot};
    use headend_scheduler::view::PlanView;

    use super::super::{Policy, PolicyDesk, Ranks, Trouble};
    use super::*;

    /// Ranks by priority and by starts; `odd` fails at job 3, `rude` panics.
    struct Fake(PolicyName);

    impl Ranks for Fake {
        fn rank(&mut self, jobs: &[RankedJob]) -> Result<Vec<i64>, String> {
            assert_ne!(self.0.as_str(), "rude", "as told");
            if self.0.as_str() == "odd" && jobs.iter().any(|job| job.job == JobId(3)) {
                return Err("does not like job 3".to_owned());
            }
            Ok(jobs.iter().map(|job| i64::from(job.priority.0)).collect())
        }
        fn rank_slots(&mut self, slots: &[RankedSlot]) -> Result<Vec<i64>, String> {
            Ok(slots.iter().map(|slot| slot.starts as i64).collect())
        }
    }

    struct Maker;

    impl MakesPolicies for Maker {
        fn make(&self, _: &PolicyName, _: PlanView, _: Option<&str>) -> Result<Box<dyn Policy>, Trouble> {
            Err("a queue policy".to_owned().into())
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
            usage: OwnerUsage::default(),
        };
        let slot = RankedSlot {
            slot: SlotId(4),
            rack: RackName::new("rack1").unwrap(),
            no: SlotNo(4),
            dut: Some(DutId(7)),
            starts: 9,
            device_ms: 0,
            last_used: None,
        };
        let jobs = vec![job(2), job(3)];
        AskRanks { ask, policy: PolicyName::new(policy).unwrap(), jobs, slots: vec![slot], deadline }
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
        let slots = vec![(SlotId(4), 9)];
        let sound = |ask| Event::Ranked { ask, ranks: ranks.clone(), slots: slots.clone() };
        assert_eq!(events.recv().await.unwrap(), sound(1));
        desk.ask_ranks(&question(2, "odd", late));
        assert_eq!(failed(events.recv().await.unwrap()), (2, "does not like job 3".to_owned()));
        desk.ask_ranks(&question(3, "rude", late));
        assert_eq!(failed(events.recv().await.unwrap()), (3, "the plugin host panicked".to_owned()));
        desk.ask_ranks(&question(4, "sound", Timestamp::EPOCH));
        assert_eq!(failed(events.recv().await.unwrap()), (4, "ranked 0 of 2 jobs in its time".to_owned()));
        desk.ask_ranks(&question(5, "sound", late));
        assert_eq!(events.recv().await.unwrap(), sound(5), "it goes on after each of them");
    }
}
