//! What goes on at a slot while the script does something else: a film, a timer that is armed, the last seconds for a film strip.
//!
//! A device in virtual time stands still between calls: the session looks on its behalf whenever it lets time pass (`walk`). One in real time
//! is followed by a task of the session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::looker::{Looker, View};
use super::video::Camera;
use crate::driver::Driver;
use crate::record::strip::Strip;

/// Of one slot. Shared with the thread that looks.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) driver: Arc<dyn Driver>,
    state: Arc<Mutex<State>>,
    strip: Arc<Mutex<Strip>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) camera: Option<Camera>,
    pub(super) armed: Option<Looker>,
    /// A task looks.
    followed: bool,
}

impl Scene {
    pub(super) fn new(driver: Arc<dyn Driver>) -> Self {
        Self { driver, state: Arc::default(), strip: Arc::default() }
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
        let wanted = self.strip().due_us().is_some_and(|due| due <= view.now_us());
        let shot = if wanted { view.shot().ok() } else { view.taken() };
        let mut strip = self.strip();
        strip.pass_over(view.now_us());
        if let Some(shot) = shot {
            strip.offer(shot);
        }
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
            self.strip().offer(shot);
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
        [camera, armed].into_iter().flatten().min()
    }

    fn follow(&mut self, view: &View<'_>) {
        if let Some(armed) = &mut self.armed {
            armed.look(view);
        }
        if let Some(camera) = &mut self.camera {
            camera.look(view);
        }
    }
}
