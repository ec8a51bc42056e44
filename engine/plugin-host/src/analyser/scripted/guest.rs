//! The child's side: parses the script, runs it on what it is given, answers.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Map, Scope};

use super::super::desk::{Fault, Handle};
use super::calls::{self, Frame, Picture, Sound};
use super::protocol::{Call, FromChild, Reply, ToChild, WireFrame, WireNews, WireReference, WireSound};
use super::values::{news_map, verdict};
use crate::rhai_child::{engine, limit_process, live};

/// Most bytes of an error's text.
const MAX_WORDS: usize = 500;

/// The life of an analyser's child: `headend guest analyser`. JSON lines on standard input and output. Ends when its input ends.
pub fn guest_main() -> ExitCode {
    live("analyser", || serve(&Link::default()))
}

/// The way to the host, shared by all handles of a script.
#[derive(Clone, Debug, Default)]
pub(super) struct Link(Arc<Mutex<Vec<Handle>>>);

impl Link {
    /// A handle that the script has let go of; told with the next call.
    pub(super) fn gone(&self, handle: Handle) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
    }

    /// Asks the desk.
    pub(super) fn call(&self, call: Call) -> Result<Reply, String> {
        let gone = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        say(&FromChild::Call { gone, call }).map_err(|error| error.to_string())?;
        match hear().map_err(|error| error.to_string())? {
            Some(ToChild::Reply(Ok(reply))) => Ok(reply),
            Some(ToChild::Reply(Err(fault))) => Err(Fault::text(fault).to_owned()),
            // Nobody is there any more, or nobody that makes sense.
            _ => std::process::exit(0),
        }
    }
}

/// Says something to the host.
pub(super) fn say(what: &FromChild) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

fn hear() -> io::Result<Option<ToChild>> {
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}

fn serve(link: &Link) -> io::Result<()> {
    let mut script = None;
    while let Some(asked) = hear()? {
        let answer = match asked {
            ToChild::Load { source, memory_mib } => {
                limit_process(memory_mib)?;
                match Script::open(&source, link) {
                    Ok(opened) => {
                        script = Some(opened);
                        FromChild::Done
                    }
                    Err(answer) => answer,
                }
            }
            asked => match &mut script {
                Some(script) => script.answer(asked),
                None => FromChild::Refused("nothing is loaded".into()),
            },
        };
        say(&answer)?;
    }
    Ok(())
}

/// A parsed script and its state.
struct Script {
    engine: Engine,
    ast: AST,
    link: Link,
    /// The script's own, as `this`.
    state: Dynamic,
    /// The last frame's, for verdicts that do not say.
    number: u64,
    at: i64,
}

impl Script {
    fn open(source: &str, link: &Link) -> Result<Self, FromChild> {
        let mut engine = engine();
        calls::register(&mut engine, link);
        let ast = engine.compile(source).map_err(|error| FromChild::Refused(error.to_string()))?;
        let state = Dynamic::from_map(Map::new());
        let script = Self { engine, ast, link: link.clone(), state, number: 0, at: 0 };
        if !["feed", "hear", "read"].into_iter().any(|name| script.defines(name, 1)) {
            return Err(FromChild::Misfit(
                "the script defines none of `fn feed(frame)`, `fn hear(sound)` and `fn read(news)`".into(),
            ));
        }
        if !script.ast.statements().is_empty() {
            return Err(FromChild::Misfit(
                "the script has statements outside of functions; they would never run".into(),
            ));
        }
        Ok(script)
    }

    fn defines(&self, name: &str, params: usize) -> bool {
        self.ast.iter_functions().any(|function| function.name == name && function.params.len() == params)
    }

    fn answer(&mut self, asked: ToChild) -> FromChild {
        let answer = match asked {
            ToChild::Build { parameters, references } => self.build(&parameters, references),
            ToChild::Feed(frame) => self.feed(frame),
            ToChild::Hear(sound) => self.hear(sound),
            ToChild::Read(news) => self.read(news),
            ToChild::Finish => self.told("finish", None),
            ToChild::Load { .. } | ToChild::Reply(_) => Err("it was asked for nothing".into()),
        };
        answer.unwrap_or_else(FromChild::Threw)
    }

    fn build(&mut self, parameters: &str, references: Vec<WireReference>) -> Result<FromChild, String> {
        let parameters = self.engine.parse_json(parameters, true);
        let parameters = parameters.map_err(|error| format!("its parameters cannot be read: {error}"))?;
        let picture = |handle| Dynamic::from(Picture::new(handle, &self.link));
        let reference = |reference: WireReference| {
            let mask = reference.mask.map_or(Dynamic::UNIT, picture);
            let both = Map::from([("picture".into(), picture(reference.picture)), ("mask".into(), mask)]);
            (reference.name.into(), Dynamic::from_map(both))
        };
        let references: Map = references.into_iter().map(reference).collect();
        let setup = Map::from([
            ("parameters".into(), Dynamic::from_map(parameters)),
            ("references".into(), Dynamic::from_map(references)),
        ]);
        if !self.defines("build", 1) {
            if let Some(state) = self.state.write_lock::<Map>().as_deref_mut() {
                state.extend(setup);
            }
            return Ok(FromChild::Done);
        }
        // A sentence is a refusal; anything else is an answer to nobody's question.
        match self.call("build", vec![Dynamic::from_map(setup)])?.into_string() {
            Ok(what) => Ok(FromChild::Declined(what)),
            Err(_) => Ok(FromChild::Done),
        }
    }

    fn feed(&mut self, frame: WireFrame) -> Result<FromChild, String> {
        (self.number, self.at) = (frame.number, frame.at);
        let frame = Dynamic::from(Frame::new(frame, &self.link));
        self.told("feed", Some(frame))
    }

    fn hear(&mut self, sound: WireSound) -> Result<FromChild, String> {
        self.at = sound.at;
        let sound = Dynamic::from(Sound::new(sound, &self.link));
        self.told("hear", Some(sound))
    }

    fn read(&mut self, news: WireNews) -> Result<FromChild, String> {
        self.at = news.lines.last().map_or(news.now, |(at, _)| *at);
        self.told("read", Some(Dynamic::from_map(news_map(news))))
    }

    /// Calls a function that the script may leave out.
    fn told(&mut self, name: &str, argument: Option<Dynamic>) -> Result<FromChild, String> {
        if !self.defines(name, usize::from(argument.is_some())) {
            return Ok(FromChild::Verdict(None));
        }
        let answer = self.call(name, argument.into_iter().collect())?;
        let verdict = verdict(answer, self.number, self.at).map_err(|what| format!("`{name}` answered {what}"))?;
        Ok(FromChild::Verdict(verdict))
    }

    fn call(&mut self, name: &str, args: Vec<Dynamic>) -> Result<Dynamic, String> {
        let options = CallFnOptions::new().eval_ast(false).bind_this_ptr(&mut self.state);
        self.engine
            .call_fn_with_options(options, &mut Scope::new(), &self.ast, name, args)
            .map_err(|error: Box<EvalAltResult>| error.to_string().chars().take(MAX_WORDS).collect())
    }
}
