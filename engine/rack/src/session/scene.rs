//! What goes on at a slot while the script does something else: a film, a timer that is armed, the last seconds for a film strip.
//!
//! A device in virtual time stands still between calls: the session looks on its behalf whenever it lets time pass (`walk`). One in real time
//! is followed by a task of the session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::frames::Reel;
use super::looker::{Looker, View};
use super::video::Camera;
use crate::driver::{Driver, Shot};
use crate::record::strip::{self, KEPT_US, LastSeconds, PAST_GAP_US, Strip};

/// Of one slot. Shared with the thread that looks.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) driver: Arc<dyn Driver>,
    /// When the session began, by the device's clock: what was before is nobody's business here.
    pub(super) began_us: u64,
    state: Arc<Mutex<State>>,
    strip: Arc<Mutex<Strip>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) camera: Option<Camera>,
    pub(super) armed: Option<Looker>,
    /// Keeps pictures of what came after a key.
    pub(super) reel: Option<Reel>,
    /// A task looks.
    followed: bool,
}

impl Scene {
    pub(super) fn new(driver: Arc<dyn Driver>) -> Self {
        Self { began_us: driver.now_us(), driver, state: Arc::default(), strip: Arc::default() }
    }

    /// Held while somebody looks: not for long, but not for an event loop.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // What a look leaves behind when it panics is a film or a strip that lacks a picture.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last seconds. Never held for long.
    pub(super) fn strip(&self) -> MutexGuard<'_, Strip> {
        self.strip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be filmed. `true` as well while somebody looks.
    pub(super) fn may_be_filmed(&self) -> bool {
        self.state.try_lock().map_or(true, |state| state.camera.is_some())
    }

    /// Whether the armed timer is done, or there is none. `false` as well while somebody looks.
    pub(super) fn armed_ended(&self) -> bool {
        self.state.try_lock().is_ok_and(|state| state.armed.as_ref().is_none_or(Looker::ended))
    }

    /// Whether a picture of this number after a key may still come. `true` as well while somebody looks.
    pub(super) fn reel_turns(&self, index: u32) -> bool {
        self.state.try_lock().map_or(true, |state| state.reel.as_ref().is_some_and(|reel| reel.may_get(index)))
    }

    /// When somebody wants to look for whom the session has to let time pass.
    pub(super) fn due_us(&self) -> Option<u64> {
        let stepped = if self.driver.is_virtual() { self.lock().followed_due_us() } else { None };
        [stepped, self.strip().due_us()].into_iter().flatten().min()
    }

    /// Looks for all for whom it is time. `looker`: one of the call that is under way.
    pub(super) fn look(&self, looker: Option<&mut Looker>) {
        let view = View::of(self.driver.as_ref());
        if let Some(looker) = looker {
            looker.look(&view);
        }
        if self.driver.is_virtual() {
            self.lock().follow(&view);
        }
        self.remember(&view);
    }

    /// For the day when something fails.
    fn remember(&self, view: &View<'_>) {
        let wanted = self.strip().due_us().is_some_and(|due| due <= view.now_us());
        let shot = if wanted { view.shot().ok() } else { view.taken() };
        self.strip().pass_over(view.now_us());
        if let Some(shot) = shot {
            self.offer(shot);
        }
    }

    /// A picture that was looked at. Takes some milliseconds if it is kept.
    pub(super) fn offer(&self, shot: &Shot) {
        if self.driver.shows_past() || !self.strip().wants(shot.at_us) {
            return;
        }
        if let Ok(small) = strip::small(&shot.picture) {
            self.strip().keep(shot.at_us, small);
        }
    }

    /// What it has shown in the last seconds: again if it can, else as far as somebody has looked. Takes its time. `look`: with what it shows now.
    pub(super) fn last_seconds(&self, look: bool) -> Option<LastSeconds> {
        let now_us = self.driver.now_us();
        let from_us = now_us.saturating_sub(KEPT_US).max(self.began_us);
        if let Some(past) = self.driver.past(from_us, now_us, PAST_GAP_US) {
            if !self.strip().is_later(now_us) {
                return None;
            }
            return LastSeconds::of(past.map(|shot| (shot.at_us, shot.picture)), now_us);
        }
        if look && let Ok(shot) = View::of(self.driver.as_ref()).shot() {
            self.offer(shot);
        }
        let failed_us = self.driver.now_us();
        let last = self.strip().last();
        LastSeconds::of_kept(last, failed_us)
    }

    /// The task of a device in real time, unless there is one at work. Ends when nobody wants to look any more.
    pub(super) fn task(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        if self.driver.is_virtual() || std::mem::replace(&mut self.lock().followed, true) {
            return None;
        }
        let scene = self.clone();
        Some(async move {
            loop {
                let looking = scene.clone();
                let next = tokio::task::spawn_blocking(move || looking.follow_once()).await;
                match next {
                    Ok(Some(next)) => scene.driver.reach(next).await,
                    _ => return,
                }
            }
        })
    }

    fn follow_once(&self) -> Option<u64> {
        let view = View::of(self.driver.as_ref());
        let mut state = self.lock();
        state.follow(&view);
        if let Some(shot) = view.taken() {
            self.offer(shot);
        }
        let next = state.followed_due_us();
        state.followed = next.is_some();
        next
    }
}

impl State {
    fn followed_due_us(&self) -> Option<u64> {
        let camera = self.camera.as_ref().and_then(Camera::due_us);
        let armed = self.armed.as_ref().and_then(Looker::due_us);
        let reel = self.reel.as_ref().and_then(Reel::due_us);
        [camera, armed, reel].into_iter().flatten().min()
    }

    fn follow(&mut self, view: &View<'_>) {
        if let Some(armed) = &mut self.armed {
            armed.look(view);
        }
        if let Some(reel) = &mut self.reel {
            reel.look(view);
        }
        if let Some(camera) = &mut self.camera {
            camera.look(view);
        }
    }
}
