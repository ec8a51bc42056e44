//! The thread that asks shadows. It owns their instances and compares what they answer.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use headend_model::{JobId, PolicyName, Span};
use headend_scheduler::event::{Event, Said};
use headend_scheduler::trials::{Aside as Books, compare_orders};

use super::super::{Key, MakesPolicies, Policy, Trouble, lock};
use super::figures::{About, Given};
use super::{Question, RankQuestion, Shadows, Work};
use crate::clock::Clock;

/// Answers that wait for the live one.
const PENDING: usize = 1_024;
/// So many failures in a row, and a shadow ends by itself.
const HOPELESS: u32 = 100;
/// Jobs that a queue policy is asked about in one call, as live.
const AT_ONCE: usize = 64;
/// Jobs whose ranks are compared.
const COMPARED: usize = 512;

/// Ranks of the open jobs by the one at work, and by the shadow.
#[derive(Default)]
struct Orders {
    live: BTreeMap<JobId, i64>,
    own: BTreeMap<JobId, i64>,
}

pub(super) struct Aside {
    maker: Arc<dyn MakesPolicies>,
    clock: Clock,
    shadows: Weak<Shadows>,
    instances: HashMap<(PolicyName, Key), (Books, Box<dyn Policy>)>,
    /// Answers by the number of the question.
    pending: BTreeMap<(u64, PolicyName), (About, Given)>,
    /// Questions about ranks that the live policy has not answered.
    ranking: BTreeMap<(u64, PolicyName), headend_model::Timestamp>,
    orders: HashMap<PolicyName, Orders>,
}

impl Aside {
    pub(super) fn new(maker: Arc<dyn MakesPolicies>, clock: Clock, shadows: Weak<Shadows>) -> Self {
        Self {
            maker,
            clock,
            shadows,
            instances: HashMap::new(),
            pending: BTreeMap::new(),
            ranking: BTreeMap::new(),
            orders: HashMap::new(),
        }
    }

    /// Works until the desk is gone.
    pub(super) fn run(mut self, work: &Receiver<Work>) {
        while let Ok(work) = work.recv() {
            let Some(shadows) = self.shadows.upgrade() else { return };
            shadows.waiting.fetch_sub(1, Ordering::Relaxed);
            match work {
                Work::Ask(question) => self.ask(&shadows, *question),
                Work::Rank(question) => self.rank(&shadows, *question),
                Work::Live(answer) => self.compare(&shadows, &answer.0, answer.1),
                Work::Forget(job) => self.forget(|_, of| of == job, Some(job)),
                Work::End(shadow) => {
                    self.forget(|name, _| *name == shadow, None);
                    self.orders.remove(&shadow);
                }
            }
        }
    }

    fn forget(&mut self, gone: impl Fn(&PolicyName, JobId) -> bool, job: Option<JobId>) {
        self.instances.retain(|(name, (job, _)), _| !gone(name, *job));
        if let Some(job) = job {
            for orders in self.orders.values_mut() {
                orders.live.remove(&job);
                orders.own.remove(&job);
            }
        }
    }

    fn ask(&mut self, shadows: &Shadows, question: Question) {
        let name = question.shadow.clone();
        if lock(&shadows.all).get(&name).is_none_or(|shadow| shadow.ended.is_some()) {
            return;
        }
        let key = (name.clone(), (question.ask.job, question.ask.group));
        let number = question.ask.ask;
        let (allowed, began) = (duration(question.allowed), Instant::now());
        // A panic of the host is our bug; the other shadows need the thread.
        let answered = catch_unwind(AssertUnwindSafe(|| self.put(question)))
            .unwrap_or_else(|_| Err("the plugin host panicked".to_owned().into()));
        let took = began.elapsed();
        let trouble = match answered {
            Ok(Some((about, given, fault))) => {
                shadows.with(&name, |shadow| shadow.answered(took, allowed));
                if self.pending.len() == PENDING {
                    self.pending.pop_first();
                }
                self.pending.insert((number, name.clone()), (about, given));
                let Some(fault) = fault else { return };
                Trouble::Failed(fault)
            }
            // It has missed a question: built anew with the next one.
            Ok(None) => {
                shadows.with(&name, |shadow| shadow.figures.dropped += 1);
                lock(&shadows.built).remove(&key);
                return;
            }
            Err(trouble) => trouble,
        };
        self.instances.remove(&key);
        lock(&shadows.built).remove(&key);
        self.in_trouble(shadows, &name, trouble);
    }

    fn in_trouble(&self, shadows: &Shadows, name: &PolicyName, trouble: Trouble) {
        let mut hopeless = None;
        shadows.with(name, |shadow| match trouble {
            Trouble::Declined(_) => {
                shadow.figures.asked += 1;
                shadow.figures.declined += 1;
            }
            Trouble::Failed(reason) => {
                shadow.failed(reason.clone());
                hopeless = (shadow.in_a_row >= HOPELESS).then_some(reason);
            }
        });
        if let Some(reason) = hopeless {
            let reason = format!("it failed {HOPELESS} times in a row, at last with: {reason}");
            shadows.end(name, self.clock.now(), &reason);
        }
    }

    /// `None`: there is no instance, and nothing to build one from.
    #[allow(clippy::type_complexity, reason = "used once")]
    fn put(&mut self, question: Question) -> Result<Option<(About, Given, Option<String>)>, Trouble> {
        let Question { shadow, ask, plan, allowed } = question;
        let key = (shadow.clone(), (ask.job, ask.group));
        let (now, began) = (self.clock.now(), Instant::now());
        if let Some(plan) = plan {
            let books = Books::of(&plan);
            let instance = self.maker.make(&shadow, plan, None)?;
            self.instances.insert(key.clone(), (books, instance));
        } else if let Some((books, instance)) = self.instances.get_mut(&key) {
            for news in &ask.changes {
                books.note(news);
                instance.apply(news);
            }
        }
        let Some((books, instance)) = self.instances.get_mut(&key) else { return Ok(None) };
        let answer = instance.propose(now, &ask.free)?;
        let broken: Vec<String> =
            books.judge(&ask.free, &answer.start, &answer.skip).iter().map(ToString::to_string).collect();
        let left = duration(allowed).saturating_sub(began.elapsed());
        let sound = broken.is_empty() && !answer.start.is_empty();
        let said = if sound { instance.reasons(&answer.start, left) } else { Said::default() };
        let reason = said.reasons.first().map(|(_, reason)| reason.clone());
        let reason = reason.or_else(|| answer.skip.first().map(|skip| skip.reason.clone())).unwrap_or_default();
        let about = About { job: ask.job.0, at: now, reason, broken };
        Ok(Some((about, Given { start: answer.start, skip: answer.skip }, said.fault)))
    }

    fn compare(&mut self, shadows: &Shadows, live: &Event, took: Duration) {
        match live {
            Event::Proposed { ask, placements, skips, .. } => {
                let given = Given { start: placements.clone(), skip: skips.clone() };
                for (name, (about, own)) in self.take(*ask) {
                    shadows.with(&name, |shadow| {
                        shadow.live_took(took);
                        shadow.compare(&about, &given, &own);
                    });
                }
            }
            Event::PolicyFailed { ask, .. } | Event::PolicyDeclined { ask, .. } => {
                for (name, _) in self.take(*ask) {
                    shadows.with(&name, |shadow| shadow.figures.live_faults += 1);
                }
                self.ranking.retain(|(of, _), _| of != ask);
            }
            Event::Ranked { ask, ranks, .. } => self.live_ranked(shadows, *ask, ranks, took),
            _ => {}
        }
    }

    fn take(&mut self, ask: u64) -> Vec<(PolicyName, (About, Given))> {
        let keys: Vec<(u64, PolicyName)> = self.pending.keys().filter(|(of, _)| *of == ask).cloned().collect();
        keys.into_iter().filter_map(|key| self.pending.remove(&key).map(|answer| (key.1, answer))).collect()
    }

    fn rank(&mut self, shadows: &Shadows, question: RankQuestion) {
        let RankQuestion { shadow: name, jobs, at, live, ask, allowed } = question;
        let began = Instant::now();
        let ranked = catch_unwind(AssertUnwindSafe(|| self.ranks(&name, &jobs)))
            .unwrap_or_else(|_| Err("the plugin host panicked".to_owned()));
        let took = began.elapsed();
        let ranks = match ranked {
            Ok(ranks) => ranks,
            Err(reason) => return self.in_trouble(shadows, &name, Trouble::Failed(reason)),
        };
        shadows.with(&name, |shadow| shadow.answered(took, duration(allowed)));
        let orders = self.orders.entry(name.clone()).or_default();
        orders.own.extend(ranks);
        orders.live.extend(live);
        orders.trim();
        match ask {
            None => self.compare_now(shadows, &name, at),
            Some(ask) => {
                if self.ranking.len() == PENDING {
                    self.ranking.pop_first();
                }
                self.ranking.insert((ask, name), at);
            }
        }
    }

    fn ranks(
        &self,
        name: &PolicyName,
        jobs: &[headend_scheduler::action::RankedJob],
    ) -> Result<Vec<(JobId, i64)>, String> {
        let mut policy = self.maker.make_queue(name)?;
        let mut ranks = Vec::with_capacity(jobs.len());
        for some in jobs.chunks(AT_ONCE) {
            ranks.extend(some.iter().map(|job| job.job).zip(policy.rank(some)?));
        }
        Ok(ranks)
    }

    fn live_ranked(&mut self, shadows: &Shadows, ask: u64, ranks: &[(JobId, i64)], took: Duration) {
        let asked: Vec<(u64, PolicyName)> = self.ranking.keys().filter(|(of, _)| *of == ask).cloned().collect();
        for key in asked {
            let Some(at) = self.ranking.remove(&key) else { continue };
            let orders = self.orders.entry(key.1.clone()).or_default();
            orders.live.extend(ranks.iter().copied());
            orders.trim();
            shadows.with(&key.1, |shadow| shadow.live_took(took));
            self.compare_now(shadows, &key.1, at);
        }
    }

    fn compare_now(&self, shadows: &Shadows, name: &PolicyName, at: headend_model::Timestamp) {
        let Some(orders) = self.orders.get(name) else { return };
        if let Some(found) = compare_orders(&orders.live, &orders.own) {
            shadows.with(name, |shadow| shadow.compare_orders(at, &found));
        }
    }
}

impl Orders {
    /// The oldest jobs are compared, so many of them.
    fn trim(&mut self) {
        for ranks in [&mut self.live, &mut self.own] {
            while ranks.len() > COMPARED {
                ranks.pop_last();
            }
        }
    }
}

fn duration(span: Span) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or_default())
}
