//! Timers that a key starts: armed before, followed from the key on, asked for later (`StartZapMeasurement`, `GetZapTimes`).

use std::sync::Arc;

use headend_wire::session::{CallError, Question, SlotAnswer, Until, Watched};
use serde_json::{Value, json};

use super::Session;
use super::calls::value;
use super::look::{Asked, blocking};
use super::looker::{Hours, Looker};
use super::walk::Lookers;
use crate::driver::{Driver, Shot};

/// A follower is given this much longer than it was told, in microseconds.
const SLACK_US: u64 = 10_000_000;

/// Armed, and the key has not been pressed yet.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    asked: Asked,
    key: Option<String>,
    left: u32,
    timeout_us: u64,
}

/// The key is about to be pressed: what the screen shows before, and when that is.
pub(super) struct Start {
    ready: Ready,
    before: Option<Shot>,
    from_us: u64,
}

/// Which press starts a timer, and how long that runs.
#[derive(Clone, Debug)]
pub(super) struct Trigger {
    pub(super) key: Option<String>,
    pub(super) presses: u32,
    pub(super) timeout_ms: u64,
}

impl Session {
    pub(super) async fn arm(
        &mut self,
        question: Question,
        Trigger { key, presses, timeout_ms }: Trigger,
        slot: Option<u32>,
    ) -> Result<Value, CallError> {
        let chosen = self.chosen(&format!("arming {}", question.analyser), slot)?;
        let asked = self.asked(question).await?;
        // A mistake is told now, not at the key; and the plugin is loaded by then.
        let tried = self.built(asked.clone(), Some(0)).await?;
        drop(tried);
        let ready = Ready { asked, key, left: presses.max(1), timeout_us: timeout_ms.saturating_mul(1_000) };
        let mut answers = Vec::with_capacity(chosen.len());
        for (number, place, _) in chosen {
            self.forget_armed(place).await?;
            self.armed.insert(place, ready.clone());
            answers.push(SlotAnswer { slot: number, value: true });
        }
        let kept = json!({ "analyser": ready.asked.analyser, "key": ready.key, "timeout_ms": timeout_ms });
        self.keep_slots("arm", &kept, &answers);
        Ok(value(&answers))
    }

    async fn forget_armed(&mut self, place: usize) -> Result<(), CallError> {
        if let Some(scene) = self.scenes.get(place).cloned() {
            let old = blocking(move || {
                let mut state = scene.lock();
                (state.armed.take(), state.reel.take())
            });
            drop(old.await?);
        }
        Ok(())
    }

    /// A key is about to be pressed: if it is the one that a timer waits for, here is its beginning.
    pub(super) async fn before_press(
        &mut self,
        place: usize,
        key: &str,
        driver: &Arc<dyn Driver>,
    ) -> Result<Option<Start>, CallError> {
        let Some(ready) = self.armed.get_mut(&place) else { return Ok(None) };
        if ready.key.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(key)) {
            return Ok(None);
        }
        ready.left -= 1;
        if ready.left > 0 {
            return Ok(None);
        }
        let Some(ready) = self.armed.remove(&place) else { return Ok(None) };
        let looking = driver.clone();
        let before = blocking(move || looking.capture().ok()).await?;
        Ok(Some(Start { ready, before, from_us: driver.now_us() }))
    }

    /// The key has been pressed.
    pub(super) async fn after_press(&mut self, place: usize, start: Start) -> Result<(), CallError> {
        let Some(scene) = self.scenes.get(place).cloned() else { return Ok(()) };
        let Start { ready, before, from_us } = start;
        let built = self.built(ready.asked.clone(), Some(from_us)).await?;
        let hours = Hours { began_us: from_us, timeout_us: ready.timeout_us, gap_us: 0 };
        let looker = Looker::new(built, Until::Match, hours, scene.driver.frame_us());
        let mut looker = looker.reading_from(self.serial_began(place), ready.asked.back_us());
        let reel = self.reel(place, hours, scene.driver.frame_us());
        let set = move || {
            looker.leave_a_trail();
            if let Some(before) = &before
                && looker.looks_at_pictures()
            {
                looker.see(before);
            }
            let mut state = scene.lock();
            (state.armed, state.reel) = (Some(looker), reel);
        };
        blocking(set).await?;
        self.timed.insert(place, ready.asked);
        self.follow(place);
        Ok(())
    }

    pub(super) async fn armed(&mut self, slot: Option<u32>) -> Result<Value, CallError> {
        let chosen = self.chosen("asking for what was armed", slot)?;
        for (number, place, _) in &chosen {
            if !self.armed.contains_key(place) && !self.timed.contains_key(place) {
                return Self::refuse("bad_call", format!("nothing is armed at slot {number}; arm it before the key"));
            }
        }
        let mut answers = Vec::with_capacity(chosen.len());
        for (number, place, _) in chosen {
            let watched = match self.timed.remove(&place) {
                Some(asked) => self.measured(number, place, &asked).await?,
                None => self.never_pressed(number, place),
            };
            answers.push(SlotAnswer { slot: number, value: watched });
        }
        Ok(value(&answers))
    }

    fn never_pressed(&mut self, number: u32, place: usize) -> Watched {
        let key = self.armed.remove(&place).and_then(|ready| ready.key);
        let which = key.map_or_else(|| "no key".to_owned(), |key| format!("the key {key} not"));
        let sentence = format!("{which} has been pressed since the timer was armed");
        self.recorder.event("armed", true, &json!({ "slot": number, "met": false, "sentence": sentence }));
        Watched { sentence, ..Watched::default() }
    }

    /// Lets time pass until the timer has its verdict or its time is over.
    async fn measured(&mut self, number: u32, place: usize, asked: &Asked) -> Result<Watched, CallError> {
        let Some(scene) = self.scenes.get(place).cloned() else {
            return Self::refuse("no_slot", format!("slot {number} has no device"));
        };
        let looking = scene.clone();
        let due = blocking(move || looking.lock().armed.as_ref().map(Looker::deadline_us)).await?;
        let give_up = due.unwrap_or_default().saturating_add(SLACK_US);
        while !scene.armed_ended() && scene.driver.now_us() < give_up {
            self.device(number, place)?;
            self.walk(scene.driver.frame_us(), &mut Lookers::new()).await?;
        }
        let taking = scene.clone();
        let Some(mut looker) = blocking(move || taking.lock().armed.take()).await? else {
            return Self::refuse("device", format!("the timer of slot {number} was lost"));
        };
        self.told(asked, Some(&looker));
        let trail = looker.take_trail();
        let (watched, _) = self.answer("armed", number, asked, looker).await?;
        if let Some(trail) = trail {
            self.keep_moments(number, &asked.analyser, trail, &watched).await;
        }
        Ok(watched)
    }
}
