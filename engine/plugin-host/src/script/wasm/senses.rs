//! The calls that see, hear and measure, as a component imports them.

use headend_wire::session::{self as wire, Call, Watched};

use super::super::desk::refused;
use super::host::bindings::headend::script::senses::{
    Film, Finding, Frames, Host, Number, Question, Seen, SerialLine, SerialNews, SignalState, Until,
};
use super::host::bindings::headend::script::session::{CallError, Captured, Rect, SlotAnswer};
use super::host::{Imported, State, answers, imported};

impl Host for State {
    fn watch(
        &mut self,
        question: Question,
        until: Until,
        timeout_ms: u64,
        gap_ms: u64,
        slot: Option<u32>,
    ) -> Imported<Vec<Seen>> {
        let question = match asked(question) {
            Ok(question) => question,
            Err(error) => return Ok(Err(error)),
        };
        let until = match until {
            Until::Passed => wire::Until::Match,
            Until::Failed => wire::Until::NoMatch,
            Until::End => wire::Until::End,
        };
        imported(self.desk.call(Call::Watch { question, until, timeout_ms, gap_ms, slot }).map(all_seen))
    }

    fn analyse(&mut self, question: Question, picture: String) -> Imported<Seen> {
        match asked(question) {
            Ok(question) => imported(self.desk.call(Call::Analyse { question, picture }).map(|said| seen(0, said))),
            Err(error) => Ok(Err(error)),
        }
    }

    fn arm(
        &mut self,
        question: Question,
        key: Option<String>,
        presses: u32,
        timeout_ms: u64,
        slot: Option<u32>,
    ) -> Imported<Vec<SlotAnswer>> {
        match asked(question) {
            Ok(question) => {
                imported(self.desk.call(Call::Arm { question, key, presses, timeout_ms, slot }).map(answers))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    fn armed(&mut self, slot: Option<u32>) -> Imported<Vec<Seen>> {
        imported(self.desk.call(Call::Armed { slot }).map(all_seen))
    }

    fn keep_frames(&mut self, most: u32, slot: Option<u32>) -> Imported<Vec<SlotAnswer>> {
        imported(self.desk.call(Call::KeepFrames { most, first: 0, skip: 0, slot }).map(answers))
    }

    fn kept_frames(&mut self, slot: Option<u32>) -> Imported<Vec<Frames>> {
        let frames = |wire::SlotAnswer { slot, value: wire::Frames { count, width, height } }| Frames {
            slot,
            count,
            width,
            height,
        };
        let kept = self.desk.call::<Vec<wire::SlotAnswer<wire::Frames>>>(Call::KeptFrames { slot });
        imported(kept.map(|kept| kept.into_iter().map(frames).collect()))
    }

    fn kept_frame(&mut self, index: u32, slot: Option<u32>) -> Imported<Vec<Captured>> {
        let kept = self.desk.call::<Vec<wire::SlotAnswer<Option<wire::Captured>>>>(Call::KeptFrame { index, slot });
        imported(kept.map(|kept| kept.into_iter().filter_map(kept_picture).collect()))
    }

    fn serial_send(&mut self, bytes: Vec<u8>, slot: Option<u32>) -> Imported<Vec<SlotAnswer>> {
        let bytes = bytes.into_iter().map(char::from).collect();
        imported(self.desk.call(Call::SerialSend { bytes, slot }).map(answers))
    }

    fn serial_read(&mut self, start: u64, slot: Option<u32>) -> Imported<Vec<SerialNews>> {
        let line = |wire::SerialLine { at_us, text }| SerialLine { at_us, text };
        let news = |wire::SlotAnswer { slot, value: wire::SerialRead { lines, next, lost } }| SerialNews {
            slot,
            lines: lines.into_iter().map(line).collect(),
            next,
            lost,
        };
        let read = self.desk.call::<Vec<wire::SlotAnswer<wire::SerialRead>>>(Call::SerialRead { from: start, slot });
        imported(read.map(|answers| answers.into_iter().map(news).collect()))
    }

    fn video_start(&mut self, prefix: Option<String>, slot: Option<u32>) -> Imported<Vec<Film>> {
        let film = |wire::SlotAnswer { slot, value: path }| Film { slot, path };
        let films = self.desk.call::<Vec<wire::SlotAnswer<Option<String>>>>(Call::VideoStart { prefix, slot });
        imported(films.map(|films| films.into_iter().map(film).collect()))
    }

    fn video_stop(&mut self, slot: Option<u32>) -> Imported<Vec<SlotAnswer>> {
        imported(self.desk.call(Call::VideoStop { slot }).map(answers))
    }

    fn signal(&mut self, slot: Option<u32>) -> Imported<Vec<SignalState>> {
        let state = |wire::SlotAnswer { slot, value: wire::Signal { present, width, height, rate } }| SignalState {
            slot,
            present,
            width,
            height,
            rate,
        };
        let states = self.desk.call::<Vec<wire::SlotAnswer<wire::Signal>>>(Call::Signal { slot });
        imported(states.map(|states| states.into_iter().map(state).collect()))
    }

    fn inject(&mut self, fault: String, slot: Option<u32>) -> Imported<Vec<SlotAnswer>> {
        imported(self.desk.call(Call::Inject { fault, slot }).map(answers))
    }

    fn measure(&mut self, name: String, value: f64, unit: Option<String>) -> Imported<()> {
        self.measure_within(name, value, unit, None, None).map(|kept| kept.map(drop))
    }

    fn measure_within(
        &mut self,
        name: String,
        value: f64,
        unit: Option<String>,
        low: Option<f64>,
        high: Option<f64>,
    ) -> Imported<bool> {
        // JSON has no words for these: they would come out as null.
        if let Some(odd) = [Some(value), low, high].into_iter().flatten().find(|number| !number.is_finite()) {
            let text = format!("{name}: {odd} is not a finite number, as a measurement and its limits are");
            return imported(Err(refused("bad_call", text)));
        }
        let within = self.desk.call::<Option<bool>>(Call::Measure { name, value, unit, low, high });
        imported(within.map(|within| within.unwrap_or(true)))
    }

    fn artifact(&mut self, path: String, name: Option<String>) -> Imported<()> {
        imported(self.desk.call(Call::Artifact { path, name }))
    }
}

/// The file of a kept picture; `None`: the slot has none of this number.
fn kept_picture(wire::SlotAnswer { slot, value }: wire::SlotAnswer<Option<wire::Captured>>) -> Option<Captured> {
    value.map(|wire::Captured { path, width, height }| Captured { slot, path, width, height })
}

fn asked(Question { analyser, parameters, pictures }: Question) -> Result<wire::Question, CallError> {
    let parameters = if parameters.trim().is_empty() { "null" } else { &parameters };
    let parameters = serde_json::from_str(parameters).map_err(|error| CallError {
        code: "bad_call".to_owned(),
        message: format!("the parameters for {analyser} are no JSON: {error}"),
    })?;
    let file = |picture: super::host::bindings::headend::script::senses::PictureFile| wire::ReferenceFile {
        name: picture.name,
        path: picture.path,
    };
    Ok(wire::Question { analyser, parameters, references: pictures.into_iter().map(file).collect() })
}

fn all_seen(answers: Vec<wire::SlotAnswer<Watched>>) -> Vec<Seen> {
    answers.into_iter().map(|answer| seen(answer.slot, answer.value)).collect()
}

pub(super) fn seen(slot: u32, said: Watched) -> Seen {
    let finding = |wire::Found { area: [x, y, width, height], tone, label }| Finding {
        area: Rect { x, y, width, height },
        tone,
        label,
    };
    Seen {
        slot,
        met: said.met,
        passed: said.passed,
        score: said.score,
        sentence: said.sentence,
        numbers: said.values.into_iter().map(|(name, value)| Number { name, value }).collect(),
        found: said.found.into_iter().map(finding).collect(),
        at_us: said.at_us,
        looks: said.looks,
        seconds: said.seconds,
        picture: said.picture,
    }
}
