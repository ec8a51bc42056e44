//! Screens: several regions looked for together (`WaitScreenDefMatch`), and what tests share under names.
//!
//! Of a screen with still regions one of them is waited for; when it is there, all are looked at in the very picture that it was found in.
//! Movement and sound are looked for after that. Each look leaves an event of its own in the log, the screen one that sums them up.

use std::collections::BTreeMap;

use headend_media::Picture;
use headend_plugin_host::analyser::Frame;
use headend_wire::session::{CallError, RegionSeen, Resource, Screened, SlotAnswer, Until, Watched};
use serde_json::{Value, json};

use super::calls::{device_error, value};
use super::look::{Watching, blocking};
use super::walk::Lookers;
use super::{Chosen, Session, capture};
use crate::driver::Shot;
use crate::screen::{Asked, Leaf, Screen, Size, named, stored};

/// How long a screen is waited for, and from one look to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) timeout_ms: u64,
    pub(super) gap_ms: u64,
}

/// Sizes of the images that regions compare with, by file.
type Images = BTreeMap<String, Result<Size, CallError>>;

/// A screen that is looked for.
struct Wanted {
    screen: Screen,
    images: Images,
}

/// What a look goes by.
struct Sight {
    /// And its file in the output folder; else why there is none.
    picture: Result<(Frame, Option<String>), CallError>,
    size: Option<Size>,
    looks: u64,
    /// What was said already of this picture, with the region's place.
    said: Option<(usize, Watched)>,
    /// Movement and sound are of this slot; `None`: of a stored picture nothing can be said of them.
    slot: Option<u32>,
}

/// A slot whose turn to be looked at comes round.
struct Turn {
    at: Chosen,
    began_us: u64,
    seen: Screened,
    /// What `seen` was said of, where no file has it yet.
    picture: Option<Picture>,
}

impl Turn {
    fn new(at: Chosen) -> Self {
        Self { began_us: at.2.now_us(), at, seen: Screened::default(), picture: None }
    }

    fn left_us(&self, patience: Patience) -> u64 {
        let until_us = self.began_us.saturating_add(patience.timeout_ms.saturating_mul(1_000));
        until_us.saturating_sub(self.at.2.now_us())
    }
}

impl Session {
    pub(super) async fn screens(&mut self, file: String) -> Result<Value, CallError> {
        let places = self.places();
        let screens = blocking(move || stored::load(&places, &file)).await?.map_err(bad)?;
        Ok(value(&screens))
    }

    pub(super) async fn named(&mut self, kind: Resource, name: String, slot: Option<u32>) -> Result<Value, CallError> {
        let places = self.places();
        blocking(move || named::find(&places, kind, &name, slot)).await?.map_err(bad)
    }

    pub(super) async fn save_screen(&mut self, screen: Value, name: &str) -> Result<Value, CallError> {
        let plain = capture::plain_name(name);
        let plain = plain.ok_or_else(|| bad(format!("{name:?} is no name for the file of a screen")))?;
        let (places, folder) = (self.places(), self.folder_for_capture()?);
        let path = blocking(move || stored::save(&places, &folder, &plain, screen)).await?.map_err(bad)?;
        let path = path.display().to_string();
        self.recorder.event("save_screen", true, &json!({ "path": path }));
        Ok(path.into())
    }

    pub(super) async fn match_screen(&mut self, screen: &Value, picture: String) -> Result<Value, CallError> {
        let wanted = self.wanted(screen).await?;
        let (frame, file) = self.stored(picture).await?;
        let size = Some([frame.picture.width(), frame.picture.height()]);
        let sight = Sight { picture: Ok((frame, file)), size, looks: 1, said: None, slot: None };
        let (seen, _) = self.look_at_all(&wanted, sight).await?;
        self.keep_screened(None, &seen);
        Ok(value(&seen))
    }

    pub(super) async fn wait_screen(
        &mut self,
        screen: &Value,
        patience: Patience,
        slot: Option<u32>,
    ) -> Result<Value, CallError> {
        let wanted = self.wanted(screen).await?;
        let chosen = self.chosen(&format!("waiting for the screen {}", wanted.screen.name), slot)?;
        let mut turns: Vec<Turn> = chosen.into_iter().map(Turn::new).collect();
        loop {
            let left_us = self.look_round(&wanted, &mut turns, patience).await?;
            if left_us == 0 {
                break;
            }
            let frame_us = turns.iter().map(|turn| turn.at.2.frame_us()).max().unwrap_or_default();
            let pause_us = patience.gap_ms.saturating_mul(1_000).max(frame_us).clamp(1, left_us);
            self.walk(pause_us, &mut Lookers::new()).await?;
        }
        self.collect_serial();
        let mut rows = Vec::with_capacity(turns.len());
        for Turn { at: (slot, ..), mut seen, picture, .. } in turns {
            if let Some(picture) = picture {
                seen.picture = self.keep_picture(format!("screen_{slot}.png"), picture).await;
            }
            self.keep_screened(Some(slot), &seen);
            rows.push(SlotAnswer { slot, value: seen });
        }
        Ok(value(&rows))
    }

    /// A look at each slot where the screen is not yet. For how long there may be more of them, in microseconds.
    async fn look_round(&mut self, wanted: &Wanted, turns: &mut [Turn], patience: Patience) -> Result<u64, CallError> {
        let alone = turns.len() == 1;
        let mut left_us = 0;
        for turn in turns.iter_mut().filter(|turn| !turn.seen.met) {
            // One slot may be waited at; several take turns.
            let timeout_ms = if alone { turn.left_us(patience) / 1_000 } else { 0 };
            self.look(wanted, turn, Patience { timeout_ms, ..patience }).await?;
            if !turn.seen.met {
                left_us = left_us.max(turn.left_us(patience));
            }
        }
        Ok(left_us)
    }

    async fn wanted(&self, screen: &Value) -> Result<Wanted, CallError> {
        let (places, mut screen) = (self.places(), screen.clone());
        let wanted = move || {
            stored::look_up(&places, &mut screen)?;
            let screen = Screen::read(&screen)?;
            let files = screen.leaves().into_iter().filter_map(|leaf| leaf.region.image().map(str::to_owned));
            let size = |file: String| {
                let size = places.read(&file).map(|image| [image.picture.width(), image.picture.height()]);
                (file, size)
            };
            Ok(Wanted { images: files.map(size).collect(), screen })
        };
        blocking(wanted).await?.map_err(bad)
    }

    /// One look at one slot, after its first still region was waited for.
    async fn look(&mut self, wanted: &Wanted, turn: &mut Turn, patience: Patience) -> Result<(), CallError> {
        self.device(turn.at.0, turn.at.1)?;
        let sight = self.sight(wanted, &turn.at, patience).await?;
        // What is kept already needs no file of its own.
        let picture = sight.picture.as_ref().ok().filter(|(_, file)| file.is_none());
        turn.picture = picture.map(|(frame, _)| frame.picture.clone());
        let (seen, at_us) = self.look_at_all(wanted, sight).await?;
        let at_us = if at_us == 0 { turn.at.2.now_us() } else { at_us };
        let seconds = at_us.saturating_sub(turn.began_us) as f64 / 1e6;
        turn.seen = Screened { seconds, looks: turn.seen.looks + seen.looks, ..seen };
        Ok(())
    }

    /// The picture in which the first still region that counts was as wanted, or the last one.
    async fn sight(
        &mut self,
        wanted: &Wanted,
        (number, _, driver): &Chosen,
        patience: Patience,
    ) -> Result<Sight, CallError> {
        let showing = driver.clone();
        let shown = blocking(move || showing.capture()).await?;
        let size = shown.ok().map(|shot| [shot.picture.width(), shot.picture.height()]);
        let leaves = wanted.screen.leaves();
        let first = leaves.iter().enumerate().find(|(_, leaf)| leaf.counts && leaf.region.is_still());
        // What cannot be asked is told when its turn comes.
        let Patience { timeout_ms, gap_ms } = patience;
        if timeout_ms > 0
            && let Some((place, leaf)) = first
            && let Ok(Asked::Picture(question)) = wanted.asked(leaf, size)
        {
            let until = if leaf.region.inverted { Until::NoMatch } else { Until::Match };
            let watching = Watching { until, timeout_ms, gap_ms };
            let found = self.watched(question, watching, Some(*number)).await;
            if let Some((_, watched, Some(picture))) = within(found)?.unwrap_or_default().pop() {
                let size = Some([picture.width(), picture.height()]);
                let frame = Frame { number: 0, at_us: watched.at_us, picture };
                let picture = Ok((frame, watched.picture.clone()));
                let (looks, said) = (watched.looks, Some((place, watched)));
                return Ok(Sight { picture, size, looks, said, slot: Some(*number) });
            }
        }
        let showing = driver.clone();
        let shot = blocking(move || showing.capture()).await?.map_err(|error| device_error(*number, &error));
        let at_us = |shot: &Shot| i64::try_from(shot.at_us).unwrap_or(i64::MAX);
        let picture = shot.map(|shot| (Frame { number: 0, at_us: at_us(&shot), picture: shot.picture }, None));
        Ok(Sight { picture, size, looks: 1, said: None, slot: Some(*number) })
    }

    /// Looks at all regions, also when one is not as wanted: each tells what it has seen. Gives the latest time that something was said of, too.
    async fn look_at_all(&mut self, wanted: &Wanted, sight: Sight) -> Result<(Screened, u64), CallError> {
        let mut regions = Vec::new();
        let mut at_us = sight.picture.as_ref().map_or(0, |(frame, _)| frame.at_us);
        for (place, leaf) in wanted.screen.leaves().into_iter().enumerate() {
            let said = match &sight.said {
                Some((known, watched)) if *known == place => Ok(watched.clone()),
                _ => self.look_at_one(wanted, &leaf, &sight).await,
            };
            // What could not be looked at is never as wanted, not even where no match is.
            let (met, seen) = match said {
                Ok(seen) => (seen.passed != leaf.region.inverted, seen),
                Err(error) if ends_it(&error) => return Err(error),
                Err(error) => (false, Watched { sentence: error.message, ..Watched::default() }),
            };
            at_us = at_us.max(seen.at_us);
            let kind = leaf.region.kind().to_owned();
            regions.push(RegionSeen { name: leaf.name, kind, met, counts: leaf.counts, seen });
        }
        let as_wanted: Vec<bool> = regions.iter().map(|region| region.met).collect();
        let met = wanted.screen.is_there(&as_wanted);
        let picture = sight.picture.ok().and_then(|(_, file)| file);
        let name = wanted.screen.name.clone();
        let seen = Screened { met, name, regions, seconds: 0.0, looks: sight.looks, picture };
        Ok((seen, u64::try_from(at_us).unwrap_or_default()))
    }

    async fn look_at_one(&mut self, wanted: &Wanted, leaf: &Leaf<'_>, sight: &Sight) -> Result<Watched, CallError> {
        match (wanted.asked(leaf, sight.size)?, sight.slot) {
            (Asked::Picture(question), _) => {
                let (frame, file) = sight.picture.clone()?;
                self.said_of(question, frame, file).await
            }
            (Asked::Stream { question, timeout_ms, gap_ms }, Some(slot)) => {
                // Where nothing is to move, it must stay so for the whole time: a match ends it too.
                let watching = Watching { until: Until::Match, timeout_ms, gap_ms };
                let found = self.watched(question, watching, Some(slot)).await?.pop();
                Ok(found.map(|(_, watched, _)| watched).unwrap_or_default())
            }
            (Asked::Stream { .. }, None) => {
                Self::refuse("bad_call", "movement and sound cannot be told of a stored picture")
            }
        }
    }

    fn keep_screened(&mut self, slot: Option<u32>, seen: &Screened) {
        let region = |region: &RegionSeen| {
            json!({ "name": region.name, "kind": region.kind, "met": region.met, "counts": region.counts,
                    "sentence": region.seen.sentence })
        };
        let regions: Vec<Value> = seen.regions.iter().map(region).collect();
        let kept = json!({
            "slot": slot, "name": seen.name, "met": seen.met, "regions": regions, "looks": seen.looks,
            "seconds": seen.seconds, "path": seen.picture,
        });
        self.recorder.event("screen", true, &kept);
    }
}

impl Wanted {
    fn asked(&self, leaf: &Leaf<'_>, screen: Option<Size>) -> Result<Asked, CallError> {
        let image = leaf.region.image().and_then(|file| self.images.get(file)).cloned().transpose()?;
        leaf.region.asked(leaf.design, screen, image).map_err(bad)
    }
}

/// What a region cannot be looked at for is said of that region; what ends the session ends the call.
fn within<T>(found: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match found {
        Err(error) if ends_it(&error) => Err(error),
        found => Ok(found.ok()),
    }
}

fn ends_it(error: &CallError) -> bool {
    matches!(error.code.as_str(), "lease_lost" | "no_slot" | "not_connected")
}

fn bad(message: String) -> CallError {
    CallError { code: "bad_call".to_owned(), message }
}
