//! Analysers over what a slot shows or plays, and over stored pictures: `WaitColorMatch`, `OCRSlot`, `CompareImageEx` and the like.

use std::sync::Arc;

use headend_media::Picture;
use headend_plugin_host::analyser::{Frame, Reference};
use headend_wire::session::{CallError, Question, SlotAnswer, Until, Watched};
use serde_json::{Value, json};

use super::calls::value;
use super::files::Places;
use super::looker::{Hours, Looker, fault_error, watched};
use super::walk::Lookers;
use super::{Chosen, Session};
use crate::analysers::{Analysers, Built, NoAnalyser};
use crate::record::pictures;

/// Things found that the log tells; the answer has them all.
const FOUND_IN_LOG: usize = 20;

/// Lines of a day ago are of no interest any more.
const MOST_BACK_S: f64 = 86_400.0;

/// A question with its pictures in memory.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) analyser: String,
    parameters: Value,
    references: Arc<[Reference]>,
    /// Where they are kept, below the run's folder: `{name, path}` each. Those that cannot be are left out.
    kept: Arc<[Value]>,
}

impl Asked {
    /// An instance. Not for an event loop.
    pub(super) fn build(&self, analysers: &Analysers, from_us: Option<u64>) -> Result<Built, CallError> {
        let from_us = from_us.map(|from| i64::try_from(from).unwrap_or(i64::MAX));
        analysers.build(&self.analyser, &self.references, &self.parameters, from_us).map_err(|no| refusal(&no))
    }

    /// Lines that came so long before count, too: the parameter `back_s` of analysers that read, in microseconds.
    pub(super) fn back_us(&self) -> u64 {
        let seconds = self.parameters.get("back_s").and_then(Value::as_f64).unwrap_or_default();
        (seconds.clamp(0.0, MOST_BACK_S) * 1e6) as u64
    }
}

fn refusal(no: &NoAnalyser) -> CallError {
    match no {
        NoAnalyser::Fault(fault) => fault_error(fault),
        NoAnalyser::Load { .. } => CallError { code: "analyser".to_owned(), message: no.to_string() },
        NoAnalyser::Unknown { .. } | NoAnalyser::Parameters(_) => {
            CallError { code: "bad_call".to_owned(), message: no.to_string() }
        }
    }
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watching {
    pub(super) until: Until,
    pub(super) timeout_ms: u64,
    pub(super) gap_ms: u64,
}

impl Session {
    pub(super) async fn watch(
        &mut self,
        question: Question,
        watching: Watching,
        slot: Option<u32>,
    ) -> Result<Value, CallError> {
        let answers = self.watched(question, watching, slot).await?;
        let answers = answers.into_iter().map(|(slot, value, _)| SlotAnswer { slot, value });
        Ok(value(&answers.collect::<Vec<_>>()))
    }

    /// What came of it at each slot, and the picture that it was said of.
    pub(super) async fn watched(
        &mut self,
        question: Question,
        watching: Watching,
        slot: Option<u32>,
    ) -> Result<Vec<(u32, Watched, Option<Picture>)>, CallError> {
        let chosen = self.chosen(&format!("waiting for {}", question.analyser), slot)?;
        let asked = self.asked(question).await?;
        self.driven = true;
        let mut lookers = self.lookers(&asked, watching, &chosen).await?;
        self.told(&asked, lookers.values().next().map(|(_, looker)| looker));
        let longest = watching.timeout_ms.saturating_mul(1_000).saturating_add(1_000_000);
        let walked = self.walk(longest, &mut lookers).await;
        self.collect_serial();
        walked?;
        let mut answers = Vec::with_capacity(chosen.len());
        let mut failed = None;
        for (number, place, _) in chosen {
            let Some((_, looker)) = lookers.remove(&place) else { continue };
            match self.answer("watch", number, &asked, looker).await {
                Ok((watched, picture)) => answers.push((number, watched, picture)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(answers), Err)
    }

    /// The question, with its pictures read and kept: whoever asks again later needs them.
    pub(super) async fn asked(&mut self, question: Question) -> Result<Asked, CallError> {
        let places = self.places();
        let Question { analyser, parameters, references } = question;
        let read = move || {
            let reference = |file: &headend_wire::session::ReferenceFile| {
                let stored = places.read(&file.path)?;
                Ok(Reference { name: file.name.clone(), picture: stored.picture, mask: stored.mask })
            };
            references.iter().map(reference).collect::<Result<Arc<[Reference]>, CallError>>()
        };
        let references = blocking(read).await??;
        let kept = self.keep_references(&references).await?.into();
        Ok(Asked { analyser, parameters, references, kept })
    }

    /// Each once, as long as there is room. Nothing hangs on it.
    async fn keep_references(&mut self, references: &Arc<[Reference]>) -> Result<Vec<Value>, CallError> {
        let all = references.clone();
        let names: Vec<String> = blocking(move || all.iter().map(pictures::reference_name).collect()).await?;
        let mut kept = Vec::new();
        for (reference, path) in references.iter().zip(names) {
            if !self.recorder.has_reference(&path) {
                let Some(folder) = self.recorder.folder_for_picture() else { continue };
                let (reference, name) = (reference.clone(), path.clone());
                let written = blocking(move || pictures::write_reference(&folder, &name, &reference)).await?;
                if let Err(error) = written {
                    tracing::warn!(%error, folder = %self.recorder.folder().display(), "a reference of a run is not kept");
                    continue;
                }
                self.recorder.add_reference(path.clone());
            }
            kept.push(json!({ "name": reference.name, "path": path }));
        }
        Ok(kept)
    }

    pub(super) fn places(&self) -> Places {
        Places::of(&self.setup.info, &self.readable)
    }

    /// One for each slot.
    async fn lookers(
        &self,
        asked: &Asked,
        Watching { until, timeout_ms, gap_ms }: Watching,
        chosen: &[Chosen],
    ) -> Result<Lookers, CallError> {
        let mut lookers = Lookers::new();
        for (number, place, driver) in chosen {
            let built = self.built(asked.clone(), None).await?;
            let (timeout_us, gap_us) = (timeout_ms.saturating_mul(1_000), gap_ms.saturating_mul(1_000));
            let hours = Hours { began_us: driver.now_us(), timeout_us, gap_us };
            let looker = Looker::new(built, until, hours, driver.frame_us());
            let looker = looker.reading_from(self.serial_began(*place), asked.back_us());
            lookers.insert(*place, (*number, looker));
        }
        Ok(lookers)
    }

    pub(super) async fn built(&self, asked: Asked, from_us: Option<u64>) -> Result<Built, CallError> {
        let analysers = self.setup.analysers.clone();
        blocking(move || asked.build(&analysers, from_us)).await?
    }

    /// The log names each analyser's version once.
    pub(super) fn told(&mut self, asked: &Asked, looker: Option<&Looker>) {
        let Some(looker) = looker else { return };
        let told = (asked.analyser.clone(), looker.version().to_owned());
        if self.versions.insert(told) {
            let kept = json!({ "name": asked.analyser, "version": looker.version() });
            self.recorder.event("analyser", false, &kept);
        }
    }

    /// What came of it, with its picture kept and an event in the log.
    pub(super) async fn answer(
        &mut self,
        kind: &str,
        number: u32,
        asked: &Asked,
        looker: Looker,
    ) -> Result<(Watched, Option<Picture>), CallError> {
        let (mut watched, picture) = blocking(move || looker.answer(number)).await??;
        if let Some(picture) = picture.clone() {
            watched.picture = self.keep_picture(format!("{}_{number}.png", asked.analyser), picture).await;
        }
        self.keep_watched(kind, Some(number), asked, &watched);
        Ok((watched, picture))
    }

    fn keep_watched(&mut self, kind: &str, number: Option<u32>, asked: &Asked, watched: &Watched) {
        let found = &watched.found[..watched.found.len().min(FOUND_IN_LOG)];
        let references: Vec<&str> = asked.references.iter().map(|reference| reference.name.as_str()).collect();
        let kept = json!({
            "slot": number, "analyser": asked.analyser, "parameters": asked.parameters, "references": references,
            "reference_files": asked.kept[..],
            "met": watched.met, "passed": watched.passed, "score": watched.score, "sentence": watched.sentence,
            "values": watched.values, "found": found, "at_us": watched.at_us, "looks": watched.looks,
            "seconds": watched.seconds, "path": watched.picture,
        });
        self.recorder.event(kind, true, &kept);
    }

    /// A picture as evidence. `None`: there are enough of them, or it cannot be written; nothing hangs on it.
    pub(super) async fn keep_picture(&mut self, name: String, picture: Picture) -> Option<String> {
        let folder = self.recorder.folder_for_picture()?;
        let written = blocking(move || pictures::write(&folder, &name, &picture)).await.ok()?;
        match written {
            Ok(path) => Some(path.display().to_string()),
            Err(error) => {
                tracing::warn!(%error, folder = %self.recorder.folder().display(), "a picture of a run is not kept");
                None
            }
        }
    }

    pub(super) async fn analyse(&mut self, question: Question, picture: String) -> Result<Value, CallError> {
        let (frame, file) = self.stored(picture).await?;
        Ok(value(&self.said_of(question, frame, file).await?))
    }

    /// A picture that a call names; and its file, if it is one.
    pub(super) async fn stored(&mut self, picture: String) -> Result<(Frame, Option<String>), CallError> {
        if let Some((at_us, picture)) = self.frame_named(&picture).await? {
            return Ok((Frame { number: 0, at_us, picture }, None));
        }
        let (places, name) = (self.places(), picture.clone());
        let stored = blocking(move || places.read(&name)).await??;
        Ok((Frame { number: 0, at_us: 0, picture: stored.picture }, Some(picture)))
    }

    /// The verdict on one picture, with an event in the log. `file`: where it lies.
    pub(super) async fn said_of(
        &mut self,
        question: Question,
        frame: Frame,
        file: Option<String>,
    ) -> Result<Watched, CallError> {
        let asked = self.asked(question).await?;
        let mut built = self.built(asked.clone(), None).await?;
        if !built.senses.sight {
            return Self::refuse("bad_call", format!("{} does not look: it says nothing of a picture", asked.analyser));
        }
        let said = blocking(move || match built.instance.feed(&frame) {
            Ok(None) => built.instance.finish(),
            said => said,
        });
        let said = said.await?.map_err(|fault| fault_error(&fault))?;
        let nothing = || Watched { sentence: "the analyser has said nothing".to_owned(), ..Watched::default() };
        let answer = Watched { looks: 1, ..said.map_or_else(nothing, watched) };
        self.keep_watched("analyse", None, &asked, &Watched { picture: file, ..answer.clone() });
        Ok(answer)
    }
}

/// On a thread where that does no harm.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CallError> {
    let broke = |_| CallError { code: "device".to_owned(), message: "the work broke off".to_owned() };
    tokio::task::spawn_blocking(work).await.map_err(broke)
}
