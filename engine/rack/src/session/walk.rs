//! Letting time pass, and looking on the way.

use std::collections::BTreeMap;

use headend_wire::session::CallError;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Session;
use super::looker::Looker;

/// Lookers of a call by place in the lease, with the script's numbers of the slots.
pub(super) type Lookers = BTreeMap<usize, (u32, Looker)>;

impl Session {
    /// `WaitSec`: all devices of the run wait together.
    pub(super) async fn wait(&mut self, ms: u64) -> Result<Value, CallError> {
        self.recorder.event("wait", false, &json!({ "ms": ms }));
        let us = ms.saturating_mul(1_000);
        if self.scenes.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
            return Ok(Value::Null);
        }
        self.plan_strips(us);
        self.walk(us, &mut Lookers::new()).await?;
        self.collect_serial();
        Ok(Value::Null)
    }

    /// A script that has driven nothing has nothing to be explained by a film strip.
    fn plan_strips(&self, us: u64) {
        if !self.driven {
            return;
        }
        for (_, place) in self.slots.chosen(None) {
            if let Some(scene) = self.scenes.get(place).filter(|scene| !scene.driver.shows_past()) {
                let now = scene.driver.now_us();
                scene.strip().plan(now, now.saturating_add(us));
            }
        }
    }

    /// Lets this much time pass for all devices of the run, or less when all lookers are done. Virtual clocks are put forward from one look
    /// to the next; a real one is waited for.
    pub(super) async fn walk(&mut self, us: u64, lookers: &mut Lookers) -> Result<(), CallError> {
        self.settle_clocks().await;
        let bases: Vec<u64> = self.scenes.iter().map(|scene| scene.driver.now_us()).collect();
        loop {
            for (place, (number, looker)) in lookers.iter() {
                if !looker.ended() {
                    self.device(*number, *place)?;
                }
            }
            self.look_around(lookers).await?;
            let waited_for = !lookers.is_empty();
            if waited_for && lookers.values().all(|(_, looker)| looker.ended()) {
                return Ok(());
            }
            let gone = self.scenes.iter().zip(&bases).map(|(scene, base)| scene.driver.now_us().saturating_sub(*base));
            let gone = gone.min().unwrap_or(us);
            if gone >= us {
                return Ok(());
            }
            let next = self.next_us(&bases, lookers).map_or(us, |next| next.clamp(gone + 1, us));
            // Where all are to get to is settled first: several devices may go by one clock.
            let targets: Vec<u64> = bases.iter().map(|base| base.saturating_add(next)).collect();
            let moves = self.scenes.iter().zip(targets).map(|(scene, target)| scene.driver.reach(target));
            futures::future::join_all(moves).await;
        }
    }

    /// Boxes in virtual time go by one clock within a run: what a key took at one of them passes for the others before all go on together.
    async fn settle_clocks(&self) {
        let boxes = || self.scenes.iter().map(|scene| &scene.driver).filter(|driver| driver.is_virtual());
        if let Some(latest) = boxes().map(|driver| driver.now_us()).max() {
            futures::future::join_all(boxes().map(|driver| driver.reach(latest))).await;
        }
    }

    /// From the beginning of the walk to the next look that somebody wants.
    fn next_us(&self, bases: &[u64], lookers: &Lookers) -> Option<u64> {
        let due = |(place, base): (usize, &u64)| {
            let looker = lookers.get(&place).and_then(|(_, looker)| looker.due_us());
            let scene = self.scenes.get(place).and_then(super::scene::Scene::due_us);
            [looker, scene].into_iter().flatten().min().map(|due| due.saturating_sub(*base))
        };
        bases.iter().enumerate().filter_map(due).min()
    }

    /// All slots at which it is time for a look, at the same time.
    async fn look_around(&mut self, lookers: &mut Lookers) -> Result<(), CallError> {
        let mut looks = JoinSet::new();
        for (place, scene) in self.scenes.iter().enumerate() {
            let now = scene.driver.now_us();
            let looker_due = lookers.get(&place).and_then(|(_, looker)| looker.due_us());
            let due = [looker_due, scene.due_us()].into_iter().flatten().min().is_some_and(|due| due <= now);
            if !due {
                continue;
            }
            let scene = scene.clone();
            let mut looker = lookers.remove(&place);
            looks.spawn_blocking(move || {
                scene.look(looker.as_mut().map(|(_, looker)| looker));
                (place, looker)
            });
        }
        while let Some(looked) = looks.join_next().await {
            let broke = |_| CallError { code: "device".to_owned(), message: "a look broke off".to_owned() };
            let (place, looker) = looked.map_err(broke)?;
            lookers.extend(looker.map(|looker| (place, looker)));
        }
        Ok(())
    }
}
