//! Queue policy plugins: they rank, the core orders.

use headend_model::{JobId, JobSpec, Mode, PolicyName, Priority, Span, UserName};
use proptest::prelude::*;

use super::lab::slots;
use super::{Lab, job, lab, test};
use crate::action::{AskRanks, QueueState, RankedJob};
use crate::event::PolicyKind;
use crate::policy::{PriorityFifo, QueuePolicy};
use crate::view::QueueRank;
use crate::{Action, Event, Farm, FarmConfig};

pub(super) fn mine() -> PolicyName {
    PolicyName::new("mine").unwrap()
}

pub(super) fn anna() -> UserName {
    UserName::new("anna").unwrap()
}

fn found(lab: &mut Lab, hash: &str) {
    found_of(lab, hash, 1);
}

pub(super) fn found_of(lab: &mut Lab, hash: &str, contract: u32) {
    lab.step(Event::PolicyFound { policy: mine(), kind: PolicyKind::Queue, hash: hash.to_owned(), contract });
}

pub(super) fn wanted(lab: &mut Lab, policy: Option<PolicyName>) -> Vec<Action> {
    lab.step(Event::UseQueuePolicy { policy, by: anna() })
}

pub(super) fn questions(lab: &Lab) -> Vec<AskRanks> {
    let asks = lab.log.iter();
    asks.filter_map(|action| if let Action::AskRanks(ask) = action { Some(ask.clone()) } else { None }).collect()
}

pub(super) fn question(lab: &Lab) -> AskRanks {
    questions(lab).pop().expect("the policy was asked")
}

fn answer(lab: &mut Lab, rank: impl Fn(&RankedJob) -> i64) -> Vec<Action> {
    let question = question(lab);
    let ranks = question.jobs.iter().map(|job| (job.job, rank(job))).collect();
    lab.step(Event::Ranked { ask: question.ask, ranks, slots: Vec::new() })
}

fn fail(lab: &mut Lab) -> Vec<Action> {
    let ask = question(lab).ask;
    lab.step(Event::PolicyFailed { ask, reason: "trap".to_owned() })
}

/// One test on slot 1.
pub(super) fn small(owner: &str) -> JobSpec {
    let owner = UserName::new(owner).unwrap();
    JobSpec { owner, ..job(slots([1]), [test(Mode::DutCoverage, 1)]) }
}

/// The newest job first: what no rule of the core would ever do.
fn newest(job: &RankedJob) -> i64 {
    -(job.job.0 as i64)
}

/// One slot that is busy, and two jobs that wait for it.
fn two_wait() -> (Lab, JobId, JobId) {
    let mut lab = lab(1);
    lab.submit(small("anna"));
    let (first, second) = (lab.submit(small("anna")), lab.submit(small("bert")));
    (lab, first, second)
}

/// Ends the run on the slot; the job that got it next.
fn next(lab: &mut Lab) -> JobId {
    lab.pass_run(lab.run_on(1).unwrap());
    lab.lease(lab.run_on(1).unwrap()).job
}

#[test]
fn the_order_changes_once_all_are_ranked_and_back_at_once() {
    let (mut lab, first, second) = two_wait();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    assert_eq!(lab.farm.queue_order().state, QueueState::Ranking(3));
    let asked = question(&lab);
    assert_eq!((asked.policy, asked.jobs.len()), (mine(), 3));
    assert_eq!((asked.jobs[1].job, asked.jobs[2].owner.as_str()), (first, "bert"));
    assert_eq!(lab.farm.queue_order().ranked_by, None, "nothing waits for it, and nothing has changed");

    let actions = answer(&mut lab, newest);
    let in_force = Action::QueueOrder { policy: Some(mine()), state: QueueState::InForce, by: None };
    assert!(actions.contains(&in_force), "{actions:?}");
    assert_eq!(lab.farm.queue_rank(second), Some(QueueRank::Plugin { policy: &mine(), rank: -3 }));
    let third = lab.submit(small("anna"));
    answer(&mut lab, newest);
    assert_eq!(next(&mut lab), third, "the newest comes first");
    let why = lab.farm.job(third).unwrap().running[0].why.queue.clone();
    assert!(why.contains("rank -4 by queue policy mine"), "{why}");

    let actions = wanted(&mut lab, None);
    let back = Action::QueueOrder { policy: None, state: QueueState::InForce, by: Some(anna()) };
    assert!(actions.contains(&back), "{actions:?}");
    assert_eq!((next(&mut lab), next(&mut lab)), (first, second));
}

#[test]
fn a_job_that_is_not_ranked_yet_stands_behind_those_that_are() {
    let (mut lab, first, second) = two_wait();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    answer(&mut lab, newest);
    let urgent = lab.submit(JobSpec { priority: Priority(1), ..small("anna") });
    assert_eq!(lab.farm.queue_rank(urgent), Some(QueueRank::NotYet { policy: &mine() }));
    assert_eq!(next(&mut lab), second);
    answer(&mut lab, newest);
    assert_eq!(next(&mut lab), urgent);
    assert_eq!(next(&mut lab), first);
}

#[test]
fn three_failures_in_a_row_give_the_order_back_and_a_person_ends_it() {
    let (mut lab, first, second) = two_wait();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    answer(&mut lab, newest);
    let third = lab.submit(small("anna"));
    for strike in 1..=3u32 {
        let actions = fail(&mut lab);
        let struck = Action::PolicyStruck {
            policy: mine(),
            strikes: strike,
            reason: "trap".to_owned(),
            quarantined: strike == 3,
        };
        assert!(actions.contains(&struck), "{actions:?}");
        let asked = questions(&lab).len();
        lab.pass(Span::millis(900));
        assert_eq!(questions(&lab).len(), asked, "it is left alone for a while");
        lab.pass(Span::millis(100));
    }
    assert_eq!(questions(&lab).len(), 4, "not asked any more");
    let QueueState::StoodIn { reason } = lab.farm.queue_order().state else { panic!("in force") };
    assert_eq!(reason, "in quarantine after repeated failures: trap");
    assert_eq!(next(&mut lab), first, "the core's own order, for ranked ones too");

    lab.load("mine");
    answer(&mut lab, newest);
    assert_eq!((next(&mut lab), next(&mut lab)), (third, second));
}

#[test]
fn an_answer_that_leaves_a_job_out_is_a_failure() {
    let (mut lab, first, _) = two_wait();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    let ask = question(&lab).ask;
    let actions = lab.step(Event::Ranked { ask, ranks: vec![(JobId(3), 1), (JobId(1), 1)], slots: Vec::new() });
    let struck = |action: &Action| matches!(action, Action::PolicyStruck { strikes: 1, reason, .. } if *reason == format!("gave no rank to job {first}"));
    assert!(actions.iter().any(struck), "{actions:?}");
}

#[test]
fn silence_is_a_failure_too_and_a_late_answer_counts_for_nothing() {
    let (mut lab, first, _) = two_wait();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    let early = question(&lab);
    lab.pass(Span::seconds(7));
    assert!(question(&lab).ask > early.ask, "asked again");
    let ranks = early.jobs.iter().map(|job| (job.job, newest(job))).collect();
    assert_eq!(lab.step(Event::Ranked { ask: early.ask, ranks, slots: Vec::new() }), []);
    assert_eq!(next(&mut lab), first);
}

#[test]
fn a_plugin_that_goes_away_and_comes_back_orders_again() {
    let (mut lab, first, second) = two_wait();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    answer(&mut lab, newest);
    lab.step(Event::PolicyRemoved { policy: mine() });
    assert_eq!(lab.farm.queue_order().state, QueueState::StoodIn { reason: "not loaded".to_owned() });
    assert_eq!(next(&mut lab), first);
    let third = lab.submit(small("anna"));
    found(&mut lab, "v1");
    answer(&mut lab, newest);
    assert_eq!((next(&mut lab), next(&mut lab)), (third, second));
}

#[test]
fn another_content_ranks_all_jobs_anew_and_the_old_order_holds_until_then() {
    let (mut lab, first, second) = two_wait();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    answer(&mut lab, newest);
    let before = questions(&lab).len();
    found(&mut lab, "v1");
    assert_eq!(questions(&lab).len(), before, "the same content has nothing new to say");
    found(&mut lab, "v2");
    assert_eq!(next(&mut lab), second);
    answer(&mut lab, |job| job.job.0 as i64);
    assert_eq!(next(&mut lab), first);
}

#[test]
fn many_jobs_are_asked_about_in_batches_and_change_places_together() {
    let mut lab = lab(1);
    let jobs: Vec<JobId> = (0..600).map(|_| lab.submit(small("anna"))).collect();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    for asked in [256, 256] {
        assert_eq!(question(&lab).jobs.len(), asked);
        answer(&mut lab, newest);
        assert_eq!(lab.farm.queue_order().ranked_by, None);
    }
    lab.kill(jobs[599]);
    let late = lab.submit(small("anna"));
    answer(&mut lab, newest);
    assert_eq!(lab.farm.queue_order().ranked_by, Some(&mine()));
    assert_eq!(question(&lab).jobs.len(), 1, "the one that came meanwhile");
    assert_eq!(next(&mut lab), jobs[598]);
    answer(&mut lab, newest);
    assert_eq!(next(&mut lab), late);
}

#[test]
fn a_snapshot_and_a_new_life_of_the_server_keep_order_and_question() {
    let (mut lab, first, second) = two_wait();
    found(&mut lab, "v1");
    wanted(&mut lab, Some(mine()));
    answer(&mut lab, newest);
    let third = lab.submit(small("anna"));
    lab.farm = serde_json::from_str::<Farm>(&serde_json::to_string(&lab.farm).unwrap()).unwrap();
    let config = lab.farm.config().clone();
    lab.step(Event::ServerStarted { config });
    found(&mut lab, "v1");
    assert_eq!(question(&lab).jobs.iter().map(|job| job.job).collect::<Vec<_>>(), [third], "asked again");
    assert_eq!((next(&mut lab), next(&mut lab)), (second, first));
}

#[test]
fn a_quarantine_outlives_the_server_and_ends_with_another_content() {
    let mut lab = lab(1);
    let found = |lab: &mut Lab, hash: &str| {
        let hash = hash.to_owned();
        lab.step(Event::PolicyFound { policy: mine(), kind: PolicyKind::Coverage, hash, contract: 1 });
    };
    found(&mut lab, "v1");
    lab.submit(job(slots([1]), (0..9).map(|_| test(Mode::Policy(mine()), 1))));
    for _ in 0..3 {
        let ask = lab.last_ask().unwrap().ask;
        lab.step(Event::PolicyFailed { ask, reason: "trap".to_owned() });
        lab.pass_run(lab.run_on(1).unwrap());
    }
    let put_aside = lab.last_ask().unwrap().ask;
    lab.farm = serde_json::from_str::<Farm>(&serde_json::to_string(&lab.farm).unwrap()).unwrap();
    let config = lab.farm.config().clone();
    lab.step(Event::ServerStarted { config });
    found(&mut lab, "v1");
    lab.step(Event::PolicyRemoved { policy: mine() });
    found(&mut lab, "v1");
    let view = lab.farm.policy(&mine()).unwrap();
    assert_eq!((view.quarantined, view.strikes, view.reason), (true, 3, "trap"));
    lab.pass_run(lab.run_on(1).unwrap());
    assert_eq!(lab.last_ask().unwrap().ask, put_aside, "not asked");
    found(&mut lab, "v2");
    lab.pass_run(lab.run_on(1).unwrap());
    assert!(lab.last_ask().unwrap().ask > put_aside, "another content is another plugin");
}

#[test]
fn ranks_of_former_snapshots_are_read() {
    let (lab, first, _) = two_wait();
    let farm = serde_json::to_value(&lab.farm).unwrap();
    assert_eq!(farm["jobs"][first.to_string()]["key"], serde_json::json!([4, first.0]), "a number, as ever");
    let mut old = farm;
    old.as_object_mut().unwrap().remove("order");
    let read: Farm = serde_json::from_value(old).unwrap();
    assert_eq!(read.queue_order().wanted, None);
}

/// A step of a history of one farm or of two twins.
#[derive(Clone, Debug)]
enum Move {
    Submit { priority: u8, on: u8, tests: u8 },
    End(u8),
    Kill(u8),
    Wait(u32),
    Use(bool),
    Answer(i8),
    Fail,
    Content(bool),
    Pardon,
    Restart,
}

fn job_moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        6 => (1..10u8, 1..8u8, 1..3u8).prop_map(|(priority, on, tests)| Move::Submit { priority, on, tests }),
        6 => any::<u8>().prop_map(Move::End),
        1 => any::<u8>().prop_map(Move::Kill),
        2 => (0..20_000_000u32).prop_map(Move::Wait),
        1 => any::<bool>().prop_map(Move::Use),
    ]
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        8 => job_moves(),
        5 => any::<i8>().prop_map(Move::Answer),
        1 => Just(Move::Fail),
        1 => any::<bool>().prop_map(Move::Content),
        1 => Just(Move::Pardon),
        1 => Just(Move::Restart),
    ]
}

fn three_slots(contract: u32) -> Lab {
    let mut lab = Lab::with(FarmConfig::default(), &[3]);
    found_of(&mut lab, "v1", contract);
    lab
}

/// Does a move that concerns jobs alone.
fn play(lab: &mut Lab, step: &Move) {
    match *step {
        Move::Submit { priority, on, tests } => {
            let targets = slots((1..=3u32).filter(|slot| on & (1 << (slot - 1)) != 0));
            let count = targets.len() as u32;
            let tests = (0..tests).map(|_| test(Mode::DutCoverage, count));
            lab.submit(JobSpec { priority: Priority(priority), ..job(targets, tests) });
        }
        Move::End(which) => {
            let running = lab.running();
            if let Some(at) = usize::from(which).checked_rem(running.len()) {
                lab.pass_run(headend_model::RunId(running[at].0));
            }
        }
        Move::Kill(which) => {
            let open: Vec<JobId> = lab.farm.open_jobs().map(|view| view.job).collect();
            if let Some(at) = usize::from(which).checked_rem(open.len()) {
                lab.kill(open[at]);
            }
        }
        Move::Wait(ms) => lab.now = lab.now + Span::millis(i64::from(ms)),
        Move::Use(_) | Move::Answer(_) | Move::Fail | Move::Content(_) | Move::Pardon | Move::Restart => {}
    }
}

/// The question that waits for its answer, if any.
pub(super) fn open_question(lab: &Lab) -> Option<AskRanks> {
    questions(lab).pop().filter(|question| lab.farm.order.is_asking(question.ask))
}

/// Answers as the core's own rule ranks.
fn answer_as_the_core(lab: &mut Lab) {
    let rule = PriorityFifo { ageing_step: lab.farm.config().ageing_step };
    while let Some(question) = open_question(lab) {
        let ranks = question.jobs.iter().map(|job| (job.job, rule.rank(&job.as_queued()))).collect();
        let slots = question.slots.iter().map(|slot| (slot.slot, 0)).collect();
        lab.step(Event::Ranked { ask: question.ask, ranks, slots });
    }
}

fn start_order(lab: &Lab) -> Vec<(JobId, u32, u32)> {
    let starts = lab.log.iter();
    let starts = starts.filter_map(|action| {
        let Action::Start { lease, test, .. } = action else { return None };
        Some((lease.job, test.0, lease.targets[0].slot.0))
    });
    starts.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A plugin that ranks as `priority-fifo` does starts what `priority-fifo` starts, whenever it is switched to or from.
    #[test]
    fn a_plugin_with_the_native_ranks_is_the_native_policy(
        moves in prop::collection::vec(job_moves(), 1..80),
        contract in 1..3u32,
    ) {
        let (mut native, mut twin) = (three_slots(contract), three_slots(contract));
        for step in &moves {
            play(&mut native, step);
            play(&mut twin, step);
            if let Move::Use(on) = step {
                wanted(&mut twin, on.then(mine));
            }
            answer_as_the_core(&mut twin);
        }
        native.finish();
        twin.finish();
        prop_assert_eq!(start_order(&native), start_order(&twin));
    }

    /// Whatever the plugin does, the invariants hold after every step (the lab looks) and every job ends.
    #[test]
    fn no_plugin_keeps_a_job_from_its_end(
        moves in prop::collection::vec(any_move(), 1..80),
        contract in 1..3u32,
    ) {
        let mut lab = three_slots(contract);
        let mut content = 0;
        for step in &moves {
            play(&mut lab, step);
            match step {
                Move::Use(on) => drop(wanted(&mut lab, on.then(mine))),
                Move::Answer(factor) => {
                    if let Some(question) = open_question(&lab) {
                        let ranks = question.jobs.iter().map(|job| (job.job, job.job.0 as i64 * i64::from(*factor)));
                        let slots = question.slots.iter().map(|slot| (slot.slot, i64::from(*factor) * 7 % 3));
                        let (ranks, slots) = (ranks.collect(), slots.collect());
                        lab.step(Event::Ranked { ask: question.ask, ranks, slots });
                    }
                }
                Move::Fail => {
                    if let Some(question) = open_question(&lab) {
                        lab.step(Event::PolicyFailed { ask: question.ask, reason: "trap".to_owned() });
                    }
                }
                Move::Content(new) => {
                    content += u32::from(*new);
                    found_of(&mut lab, &format!("v{content}"), contract);
                }
                Move::Pardon => lab.load("mine"),
                Move::Restart => {
                    let text = serde_json::to_string(&lab.farm).unwrap();
                    lab.farm = serde_json::from_str(&text).unwrap();
                    let config = lab.farm.config().clone();
                    lab.step(Event::ServerStarted { config });
                }
                Move::Submit { .. } | Move::End(_) | Move::Kill(_) | Move::Wait(_) => {}
            }
        }
        lab.finish();
        prop_assert_eq!(lab.farm.open_jobs().count(), 0);
    }
}
