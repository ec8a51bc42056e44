//! When the tools of a slot are started, probed and taken away: a state machine without clock, process or socket.
//!
//! ```text
//!        ┌────────────── Stop ◄── failed probe, once no run is on the slot ──┐
//!        ▼                                                                   │
//!      Down ── pause is over ─► Starting ─► Proving ── passed probe ─► Up ─► Checking
//!        ▲    1 s, 2 s … 60 s       │                                  ▲        │
//!        └──── could not start ─────┘                                  └─ passed┘
//! ```
//!
//! Only `Up` and `Checking` are in: a slot is out before its first passed probe, and after its first failed one. While a run
//! is on a slot nothing is started, probed or taken away there.

use std::mem;

/// First pause before tools are started again; doubled after each failure.
pub const FIRST_PAUSE_US: u64 = 1_000_000;
/// Longest pause. Tools that were in for so long begin with the first pause again.
pub const LONGEST_PAUSE_US: u64 = 60_000_000;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// Whether a run is on the slot from now on.
    Busy(bool),
    /// The start that was ordered is over.
    Started(Result<(), String>),
    /// The probe that was ordered is over.
    Probed(Result<(), String>),
    /// A tool has failed a call: it is probed as soon as that harms nobody.
    Trouble,
}

/// What is to be done. [`Order::Start`] and [`Order::Probe`] are answered by an input, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Start the tools.
    Start,
    /// Probe them.
    Probe,
    /// Take them away.
    Stop,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is there.
    Down {
        reason: String,
        at_us: u64,
    },
    Starting {
        reason: String,
    },
    /// Started, and not yet probed.
    Proving {
        reason: String,
    },
    Up {
        since_us: u64,
        probe_us: u64,
    },
    Checking {
        since_us: u64,
    },
    /// Found bad while a run is on the slot.
    Sick {
        reason: String,
    },
}

/// The tools of one slot. All times in microseconds, of one clock that never goes back.
#[derive(Clone, Debug)]
pub struct Watch {
    state: State,
    busy: bool,
    pause_us: u64,
    every_us: u64,
}

impl Watch {
    /// Nothing started yet. `every_us`: how often an idle slot is probed.
    pub fn new(every_us: u64) -> Self {
        let state = State::Down { reason: "its tools are being started".to_owned(), at_us: 0 };
        Self { state, busy: false, pause_us: FIRST_PAUSE_US, every_us: every_us.max(1) }
    }

    /// Why the slot is out; `None`: it is in.
    pub fn out(&self) -> Option<&str> {
        match &self.state {
            State::Down { reason, .. }
            | State::Starting { reason }
            | State::Proving { reason }
            | State::Sick { reason } => Some(reason),
            State::Up { .. } | State::Checking { .. } => None,
        }
    }

    /// When a [`Input::Tick`] is due, unless something else happens first.
    pub fn deadline_us(&self) -> Option<u64> {
        match &self.state {
            _ if self.busy => None,
            State::Down { at_us, .. } => Some(*at_us),
            State::Up { probe_us, .. } => Some(*probe_us),
            State::Sick { .. } => Some(0),
            State::Starting { .. } | State::Proving { .. } | State::Checking { .. } => None,
        }
    }

    /// Takes in what has happened, and says what is to be done.
    pub fn step(&mut self, now_us: u64, input: Input) -> Option<Order> {
        match input {
            Input::Tick => {}
            Input::Busy(busy) => self.busy = busy,
            Input::Trouble => {
                if let State::Up { probe_us, .. } = &mut self.state {
                    *probe_us = now_us.min(*probe_us);
                }
            }
            Input::Started(result) => return self.started(now_us, result),
            Input::Probed(result) => self.probed(now_us, result),
        }
        self.next(now_us)
    }

    fn started(&mut self, now_us: u64, result: Result<(), String>) -> Option<Order> {
        let State::Starting { reason } = &mut self.state else { return None };
        if let Err(reason) = result {
            self.fail(now_us, reason);
            return None;
        }
        self.state = State::Proving { reason: mem::take(reason) };
        Some(Order::Probe)
    }

    fn probed(&mut self, now_us: u64, result: Result<(), String>) {
        let since_us = match self.state {
            State::Checking { since_us } => since_us,
            State::Proving { .. } => now_us,
            State::Down { .. } | State::Starting { .. } | State::Up { .. } | State::Sick { .. } => return,
        };
        match result {
            Ok(()) => self.state = State::Up { since_us, probe_us: now_us.saturating_add(self.every_us) },
            Err(reason) => {
                if now_us.saturating_sub(since_us) >= LONGEST_PAUSE_US {
                    self.pause_us = FIRST_PAUSE_US;
                }
                self.state = State::Sick { reason };
            }
        }
    }

    fn next(&mut self, now_us: u64) -> Option<Order> {
        if self.busy {
            return None;
        }
        match &mut self.state {
            State::Down { reason, at_us } if *at_us <= now_us => {
                self.state = State::Starting { reason: mem::take(reason) };
                Some(Order::Start)
            }
            State::Up { since_us, probe_us } if *probe_us <= now_us => {
                self.state = State::Checking { since_us: *since_us };
                Some(Order::Probe)
            }
            State::Sick { reason } => {
                let reason = mem::take(reason);
                self.fail(now_us, reason);
                Some(Order::Stop)
            }
            State::Down { .. }
            | State::Up { .. }
            | State::Starting { .. }
            | State::Proving { .. }
            | State::Checking { .. } => None,
        }
    }

    fn fail(&mut self, now_us: u64, reason: String) {
        self.state = State::Down { reason, at_us: now_us.saturating_add(self.pause_us) };
        self.pause_us = self.pause_us.saturating_mul(2).min(LONGEST_PAUSE_US);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVERY_US: u64 = 30_000_000;

    fn bad(reason: &str) -> Result<(), String> {
        Err(reason.to_owned())
    }

    /// Started and proven at `now_us`.
    fn up(now_us: u64) -> Watch {
        let mut watch = Watch::new(EVERY_US);
        assert_eq!(watch.step(now_us, Input::Tick), Some(Order::Start));
        assert_eq!(watch.step(now_us, Input::Started(Ok(()))), Some(Order::Probe));
        assert_eq!(watch.out(), Some("its tools are being started"), "out until the probe has passed");
        assert_eq!(watch.step(now_us, Input::Probed(Ok(()))), None);
        assert_eq!((watch.out(), watch.deadline_us()), (None, Some(now_us + EVERY_US)));
        watch
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew_after_a_good_minute() {
        let mut watch = Watch::new(EVERY_US);
        let (mut now_us, mut pauses) = (0, Vec::new());
        for _ in 0..8 {
            assert_eq!(watch.step(now_us, Input::Tick), Some(Order::Start));
            assert_eq!(watch.step(now_us, Input::Started(bad("no such port"))), None);
            let at_us = watch.deadline_us().unwrap();
            pauses.push((at_us - now_us) / 1_000_000);
            assert_eq!(watch.step(at_us - 1, Input::Tick), None);
            now_us = at_us;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(watch.out(), Some("no such port"));
        watch.step(now_us, Input::Tick);
        watch.step(now_us, Input::Started(Ok(())));
        watch.step(now_us, Input::Probed(Ok(())));
        for _ in 0..3 {
            now_us += EVERY_US;
            assert_eq!(watch.step(now_us, Input::Tick), Some(Order::Probe));
            watch.step(now_us, Input::Probed(Ok(())));
        }
        now_us += EVERY_US;
        watch.step(now_us, Input::Tick);
        assert_eq!(watch.step(now_us, Input::Probed(bad("it has ended"))), Some(Order::Stop));
        assert_eq!(watch.deadline_us(), Some(now_us + FIRST_PAUSE_US));
    }

    #[test]
    fn a_run_keeps_its_tools_and_trouble_is_looked_at_when_it_is_over() {
        let mut watch = up(5);
        assert_eq!(watch.step(6, Input::Busy(true)), None);
        assert_eq!(watch.step(7, Input::Trouble), None);
        assert_eq!(watch.step(EVERY_US * 3, Input::Tick), None, "no probe under a run");
        assert_eq!(watch.deadline_us(), None);
        assert_eq!(watch.step(EVERY_US * 3, Input::Busy(false)), Some(Order::Probe));
        assert_eq!(watch.step(EVERY_US * 3, Input::Busy(true)), None);
        assert_eq!(watch.step(EVERY_US * 3, Input::Probed(bad("gone"))), None, "another run has come meanwhile");
        assert_eq!(watch.out(), Some("gone"));
        assert_eq!(watch.step(EVERY_US * 4, Input::Busy(false)), Some(Order::Stop));
    }

    fn any_input() -> impl Strategy<Value = Input> {
        let result = || prop_oneof![2 => Just(Ok(())), 1 => "[a-c]".prop_map(Err)];
        prop_oneof![
            4 => Just(Input::Tick),
            2 => any::<bool>().prop_map(Input::Busy),
            1 => Just(Input::Trouble),
            3 => result().prop_map(Input::Started),
            3 => result().prop_map(Input::Probed),
        ]
    }

    /// What is known of the tools from the outside: by orders and answers alone.
    #[derive(Default)]
    struct Outside {
        pending: Option<Order>,
        there: bool,
        proven: bool,
        busy: bool,
        /// When they failed last, and how long it was waited then.
        failed_us: Option<u64>,
    }

    impl Outside {
        /// An answer that nobody waits for never comes from the edge.
        fn can_come(&self, input: &Input) -> bool {
            match input {
                Input::Started(_) => self.pending == Some(Order::Start),
                Input::Probed(_) => self.pending == Some(Order::Probe),
                Input::Tick | Input::Busy(_) | Input::Trouble => true,
            }
        }

        fn takes(&mut self, now_us: u64, input: &Input) {
            match input {
                Input::Busy(busy) => self.busy = *busy,
                Input::Started(result) => {
                    self.pending = None;
                    self.there = result.is_ok();
                    if result.is_err() {
                        self.failed_us = Some(now_us);
                    }
                }
                Input::Probed(result) => {
                    self.pending = None;
                    self.proven = result.is_ok();
                }
                Input::Tick | Input::Trouble => {}
            }
        }

        fn is_told(&mut self, now_us: u64, order: Order, input: &Input) -> Result<(), TestCaseError> {
            prop_assert_eq!(self.pending, None, "one at a time");
            // A fresh start is proven even if a run has slipped in: without that it could not use it either.
            let proves = matches!(input, Input::Started(Ok(())));
            prop_assert!(!self.busy || proves, "{:?} under a run", order);
            match order {
                Order::Start => {
                    prop_assert!(!self.there);
                    let since = self.failed_us.map(|failed_us| now_us - failed_us);
                    prop_assert!(since.is_none_or(|since| since >= FIRST_PAUSE_US), "{:?} after a failure", since);
                    self.pending = Some(order);
                }
                Order::Probe => {
                    prop_assert!(self.there);
                    self.pending = Some(order);
                }
                Order::Stop => {
                    prop_assert!(self.there && !self.proven);
                    self.there = false;
                    self.failed_us = Some(now_us);
                }
            }
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn a_slot_is_in_only_after_a_passed_probe_and_never_forgotten(
            history in prop::collection::vec((0_u64..20_000_000, any_input()), 1..200)
        ) {
            let mut watch = Watch::new(EVERY_US);
            let (mut outside, mut now_us) = (Outside::default(), 0);
            for (later_us, input) in history {
                now_us += later_us;
                if !outside.can_come(&input) {
                    continue;
                }
                outside.takes(now_us, &input);
                if let Some(order) = watch.step(now_us, input.clone()) {
                    outside.is_told(now_us, order, &input)?;
                }
                prop_assert_eq!(watch.out().is_none(), outside.there && outside.proven);
                // Somebody always looks again: an answer is awaited, a run is waited for, or a time is set.
                let waits = outside.pending.is_some() || outside.busy || watch.deadline_us().is_some();
                prop_assert!(waits, "{:?}", watch);
                let latest_us = now_us + LONGEST_PAUSE_US.max(EVERY_US);
                prop_assert!(watch.deadline_us().is_none_or(|at_us| at_us <= latest_us));
            }
        }

        #[test]
        fn whatever_went_before_good_tools_come_back(
            history in prop::collection::vec((0_u64..20_000_000, any_input()), 0..100)
        ) {
            let mut watch = Watch::new(EVERY_US);
            let (mut outside, mut now_us) = (Outside::default(), 0);
            for (later_us, input) in history {
                now_us += later_us;
                if outside.can_come(&input) {
                    outside.takes(now_us, &input);
                    if let Some(order) = watch.step(now_us, input.clone()) {
                        outside.is_told(now_us, order, &input)?;
                    }
                }
            }
            let mut input = Input::Busy(false);
            for _ in 0..8 {
                let order = watch.step(now_us, input);
                let pending = order.filter(|order| *order != Order::Stop).or(outside.pending.take());
                input = match pending {
                    Some(Order::Start) => Input::Started(Ok(())),
                    Some(Order::Probe) => Input::Probed(Ok(())),
                    Some(Order::Stop) | None => {
                        now_us = now_us.max(watch.deadline_us().unwrap_or(now_us));
                        Input::Tick
                    }
                };
                if watch.out().is_none() && pending.is_none() {
                    break;
                }
            }
            prop_assert_eq!(watch.out(), None);
        }
    }
}
