//! Films of what a slot shows: `StartVideoLog`, `StopVideoLog`.
//!
//! In virtual time a film has the pictures that pass while a call lets time pass; what stands still between two calls takes no room in it.

use std::path::PathBuf;

use headend_wire::session::{CallError, SlotAnswer};
use serde_json::{Value, json};

use super::calls::value;
use super::looker::View;
use super::{Session, capture};
use crate::record::avi::Avi;
use crate::record::pictures::{create, jpeg, shrunk};

/// Pictures a second.
const RATE: u32 = 10;
/// Widest picture, in pixels.
const WIDTH: u32 = 640;
const QUALITY: u8 = 70;
/// Longest film, in bytes: what is larger is not handed over to the server.
const LONGEST: u64 = 60 << 20;
/// Turns that a missing picture is made up for by the one before, at a time.
const MOST_AGAIN: u64 = 600;

/// A film under way.
#[derive(Debug)]
pub(super) struct Camera {
    film: Option<Avi>,
    size: (u32, u32),
    next_us: u64,
    path: PathBuf,
    /// Why it ended before it was told to.
    trouble: Option<String>,
}

impl Camera {
    /// Begins with a first picture, whose size is the film's.
    pub(super) fn begin(folder: &std::path::Path, name: &str, view: &View<'_>) -> Result<Self, String> {
        let shot = view.shot().map_err(ToString::to_string)?;
        let failed = |error: std::io::Error| format!("cannot begin the film {name} in {}: {error}", folder.display());
        let first = shrunk(&shot.picture, WIDTH).map_err(failed)?;
        let size = (first.width(), first.height());
        let (file, path) = create(folder, name).map_err(failed)?;
        let avi = Avi::begin(file, size, RATE).map_err(failed)?;
        let mut camera = Self { film: Some(avi), size, next_us: view.now_us(), path, trouble: None };
        camera.look(view);
        Ok(camera)
    }

    pub(super) fn due_us(&self) -> Option<u64> {
        self.film.is_some().then_some(self.next_us)
    }

    /// Takes a picture, if it is time.
    pub(super) fn look(&mut self, view: &View<'_>) {
        let now = view.now_us();
        let Some(film) = self.film.as_mut().filter(|_| now >= self.next_us) else { return };
        let turn = 1_000_000 / u64::from(RATE);
        let missed = ((now - self.next_us) / turn).min(MOST_AGAIN);
        self.next_us = self.next_us.saturating_add(turn * (missed + 1)).max(now + 1);
        let taken = (0..missed).try_for_each(|_| film.again()).and_then(|()| match view.shot() {
            Ok(shot) => film.picture(&jpeg(&fitted(&shot.picture, self.size)?, QUALITY)?),
            Err(_no_picture) => film.again(),
        });
        if let Err(error) = taken {
            self.stop(Some(error.to_string()));
        } else if film.bytes() >= LONGEST {
            self.stop(Some(format!("it has reached {} MiB", LONGEST >> 20)));
        }
    }

    /// Closes the file.
    fn stop(&mut self, why: Option<String>) {
        let Some(film) = self.film.take() else { return };
        let closed = film.finish().err().map(|error| error.to_string());
        self.trouble = why.or(closed);
    }
}

fn fitted(picture: &headend_media::Picture, (width, height): (u32, u32)) -> std::io::Result<headend_media::Picture> {
    picture.scale(width, height).map_err(|fault| std::io::Error::other(format!("cannot scale it: {fault:?}")))
}

impl Session {
    pub(super) async fn video_start(&mut self, prefix: Option<&str>, slot: Option<u32>) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        for (number, place, _) in self.chosen("StartVideoLog", slot)? {
            let path = self.film_slot(prefix, number, place).await?;
            answers.push(SlotAnswer { slot: number, value: path });
        }
        self.driven = true;
        Ok(value(&answers))
    }

    /// The film's path; `None`: the slot is filmed already.
    async fn film_slot(
        &mut self,
        prefix: Option<&str>,
        number: u32,
        place: usize,
    ) -> Result<Option<String>, CallError> {
        let Some(scene) = self.scenes.get(place).cloned() else { return Ok(None) };
        let folder = self.folder_for_capture()?;
        let now = jiff::Zoned::now();
        let name = format!("{}Vid_{number}_{}.avi", prefix.unwrap_or_default(), now.strftime("%Y-%m-%d_%H.%M.%S"));
        let name = capture::plain_name(&name).unwrap_or_else(|| format!("Vid_{number}.avi"));
        let filming = scene.clone();
        let begun = tokio::task::spawn_blocking(move || {
            let mut state = filming.lock();
            if state.camera.as_ref().is_some_and(|camera| camera.film.is_some()) {
                return Ok(None);
            }
            let camera = Camera::begin(&folder, &name, &View::of(filming.driver.as_ref()))?;
            let path = camera.path.display().to_string();
            state.camera = Some(camera);
            Ok(Some(path))
        });
        let begun = begun.await.unwrap_or_else(|_| Err("the film broke off".to_owned()));
        let path = begun
            .map_err(|why: String| CallError { code: "device".to_owned(), message: format!("slot {number}: {why}") })?;
        self.recorder.event("video_start", true, &json!({ "slot": number, "path": path, "ok": path.is_some() }));
        self.follow(place);
        Ok(path)
    }

    pub(super) async fn video_stop(&mut self, slot: Option<u32>) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        for (number, place) in self.slots.chosen(slot) {
            if let Some(whole) = self.end_film(number, place).await {
                answers.push(SlotAnswer { slot: number, value: whole });
            }
        }
        Ok(value(&answers))
    }

    /// Whether the film is whole; `None`: there was none.
    pub(super) async fn end_film(&mut self, number: u32, place: usize) -> Option<bool> {
        let scene = self.scenes.get(place).filter(|scene| scene.may_be_filmed()).cloned()?;
        let ended = tokio::task::spawn_blocking(move || {
            let mut camera = scene.lock().camera.take()?;
            let (frames, seconds) = camera.film.as_ref().map_or((0, 0.0), |film| (film.frames(), film.seconds()));
            camera.stop(None);
            Some((camera.path, frames, seconds, camera.trouble))
        });
        let (path, frames, seconds, trouble) = ended.await.ok().flatten()?;
        let kept = json!({
            "slot": number, "path": path.display().to_string(), "frames": frames, "seconds": seconds, "trouble": trouble
        });
        self.recorder.event("video_stop", true, &kept);
        Some(trouble.is_none())
    }
}
