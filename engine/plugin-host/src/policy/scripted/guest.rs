//! The child's side: reads requests, runs the script, answers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use headend_model::TestIx;
use headend_scheduler::action::{Noted, PlanChange};
use headend_scheduler::event::{Placement, Skip};
use rhai::{AST, Array, CallFnOptions, Dynamic, Engine, EvalAltResult, FuncArgs, INT, Map, Scope};

use super::super::words::sentence;
use super::books::Books;
use super::engine;
use super::protocol::{Answer, Entry, Envelope, Request, WirePlan};
use crate::rhai_child::{limit_process, live};

/// Most placements taken from one answer. More cannot be meant: there are not that many slots.
const MAX_PLACEMENTS: usize = 50_000;

/// The life of a policy child: `headend guest policy`. JSON lines on standard input, one answer each on standard output. Ends when its input
/// ends.
pub fn guest_main() -> ExitCode {
    live("policy", serve)
}

fn serve() -> io::Result<()> {
    let mut desk = None;
    let (stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    for line in stdin.lines() {
        let envelope: Envelope = serde_json::from_str(&line?)?;
        let answer = match envelope.request {
            Request::Load { source, entry, world, memory_mib } => {
                limit_process(memory_mib)?;
                Desk::open(&source, entry, world).map_or_else(
                    |answer| answer,
                    |opened| {
                        desk = Some(opened);
                        Answer::Done
                    },
                )
            }
            request => match &mut desk {
                Some(desk) => desk.answer(&envelope.gone, request),
                None => Answer::Refused("nothing is loaded".into()),
            },
        };
        serde_json::to_writer(&mut stdout, &answer)?;
        stdout.write_all(b"\n")?;
        stdout.flush()?;
    }
    Ok(())
}

/// A parsed script and the plans it serves.
pub(super) struct Desk {
    pub(super) engine: Engine,
    script: AST,
    /// Major number of the contract that the script was written against.
    world: u32,
    plans: BTreeMap<u64, Books>,
}

impl Desk {
    pub(super) fn open(source: &str, entry: Entry, world: u32) -> Result<Self, Answer> {
        let engine = engine();
        let script = engine.compile(source).map_err(|error| Answer::Refused(error.to_string()))?;
        let desk = Self { engine, script, world, plans: BTreeMap::new() };
        let (name, params, form) = match entry {
            Entry::Coverage => ("propose", 2, "fn propose(plan, free)"),
            Entry::Queue => ("rank", 1, "fn rank(job)"),
        };
        let with_parameters = entry == Entry::Queue && desk.defines(name, 2);
        if !desk.defines(name, params) && !with_parameters {
            return Err(Answer::Misfit(format!("the script does not define `{form}`")));
        }
        if !desk.script.statements().is_empty() {
            return Err(Answer::Misfit("the script has statements outside of functions; they would never run".into()));
        }
        Ok(desk)
    }

    fn defines(&self, name: &str, params: usize) -> bool {
        self.script.iter_functions().any(|function| function.name == name && function.params.len() == params)
    }

    pub(super) fn answer(&mut self, gone: &[u64], request: Request) -> Answer {
        for plan in gone {
            self.plans.remove(plan);
        }
        let result = match request {
            Request::Load { .. } => Err("a script is loaded already".into()),
            Request::Build { plan, view } => self.build(plan, view),
            Request::Note { plan, changes } => self.note(plan, &changes),
            Request::Propose { plan, now, free } => self.propose(plan, now, &free),
            Request::Reason { plan, of } => self.reason(plan, of),
            Request::Reasons { plan, of, begin_within_ms } => Ok(self.reasons(plan, &of, begin_within_ms)),
            Request::Report { plan, now } => self.report(plan, now),
            Request::Rank { parameters, of } => self.rank(&parameters, &of),
        };
        result.unwrap_or_else(Answer::Threw)
    }

    fn build(&mut self, plan: u64, mut view: WirePlan) -> Result<Answer, String> {
        // The past is told to the script like any news, so that it needs one way of counting only.
        let past = std::mem::take(&mut view.past);
        let parameters = self.parameters(&view.parameters)?;
        let accepted = view.accepted;
        self.plans.insert(plan, Books::new(view, self.world, parameters));
        if self.world > 1 && self.defines("build", 1) {
            let view = self.books(plan)?.view(accepted);
            // A sentence is a refusal of the plan; anything else is an answer to nobody's question.
            if let Ok(what) = self.call(plan, "build", (view,))?.into_string() {
                self.plans.remove(&plan);
                return Ok(Answer::Declined(what));
            }
        }
        self.note(plan, &past)
    }

    fn parameters(&self, text: &str) -> Result<Map, String> {
        if self.world < 2 || text.is_empty() {
            return Ok(Map::new());
        }
        self.engine.parse_json(text, true).map_err(|error| format!("its parameters cannot be read: {error}"))
    }

    fn note(&mut self, plan: u64, changes: &[Noted]) -> Result<Answer, String> {
        for Noted { at, change } in changes {
            self.books(plan)?.note(change);
            let at = at.micros();
            match change {
                PlanChange::Started(Placement { test, target }) => {
                    let (test, target) = (INT::from(test.0), INT::from(target.0));
                    self.tell(plan, "started", (test, target), 2)?;
                    self.tell_later(plan, "started", (test, target, at), 3)?;
                }
                PlanChange::Ended { placement: Placement { test, target }, code } => {
                    let (test, target, code) = (INT::from(test.0), INT::from(target.0), INT::from(*code));
                    self.tell(plan, "ended", (test, target, code), 3)?;
                    self.tell_later(plan, "ended", (test, target, code, at), 4)?;
                }
                PlanChange::TargetLost(target) => self.tell(plan, "lost", (INT::from(target.0),), 1)?,
                PlanChange::Dropped { test, runs } => {
                    self.tell_later(plan, "dropped", (INT::from(test.0), INT::from(*runs)), 2)?;
                }
            }
        }
        Ok(Answer::Done)
    }

    /// As `tell`; scripts of the first contract may have functions of that name for themselves.
    fn tell_later(&mut self, plan: u64, name: &str, args: impl FuncArgs, params: usize) -> Result<(), String> {
        if self.world > 1 { self.tell(plan, name, args, params) } else { Ok(()) }
    }

    /// Calls one of the functions that a script may leave out.
    fn tell(&mut self, plan: u64, name: &str, args: impl FuncArgs, params: usize) -> Result<(), String> {
        if self.defines(name, params) {
            let _answer = self.call(plan, name, args)?;
        }
        Ok(())
    }

    fn propose(&mut self, plan: u64, now: i64, free: &[u32]) -> Result<Answer, String> {
        let view = self.books(plan)?.view(now);
        let free: Array = free.iter().map(|target| Dynamic::from_int(INT::from(*target))).collect();
        let reasoned = self.defines("reason", 2);
        wishes(self.call(plan, "propose", (view, free))?, self.world, reasoned)
    }

    fn report(&mut self, plan: u64, now: i64) -> Result<Answer, String> {
        if self.world < 2 || !self.defines("report", 1) {
            return Ok(Answer::Text(String::new()));
        }
        let view = self.books(plan)?.view(now);
        let told = self.call(plan, "report", (view,))?;
        match told.try_cast_result::<Map>() {
            // Not Rhai's own way: it writes control characters as no JSON has them.
            Ok(map) => {
                serde_json::to_string(&Dynamic::from_map(map)).map(Answer::Text).map_err(|error| error.to_string())
            }
            Err(told) => told
                .into_string()
                .map(Answer::Text)
                .map_err(|is| format!("`report` answered with {is}, not with a map or JSON text")),
        }
    }

    fn reason(&mut self, plan: u64, of: Placement) -> Result<Answer, String> {
        if self.defines("reason", 2) {
            self.reason_of(plan, of).map(Answer::Text)
        } else {
            Ok(Answer::Text(String::new()))
        }
    }

    fn reasons(&mut self, plan: u64, of: &[Placement], begin_within_ms: u64) -> Answer {
        let (begin, within) = (Instant::now(), Duration::from_millis(begin_within_ms));
        let mut texts = Vec::with_capacity(of.len());
        for placement in of.iter().take_while(|_| begin.elapsed() < within) {
            match self.reason_of(plan, *placement) {
                Ok(text) => texts.push(text),
                Err(what) => return Answer::Reasons { texts, threw: Some(what) },
            }
        }
        Answer::Reasons { texts, threw: None }
    }

    fn reason_of(&mut self, plan: u64, of: Placement) -> Result<String, String> {
        let text = self.call(plan, "reason", (INT::from(of.test.0), INT::from(of.target.0)))?;
        let text = text.into_string().map_err(|is| format!("`reason` answered with {is}, not with a string"))?;
        Ok(sentence(&text))
    }

    fn rank(&self, parameters: &str, of: &super::queue::Of) -> Result<Answer, String> {
        let call = |name: &str, args: Vec<Dynamic>| {
            let mut this = Dynamic::UNIT;
            run(&self.engine, &self.script, &mut this, name, args)
        };
        super::queue::answer(parameters, of, |name, params| self.defines(name, params), call)
    }

    fn books(&mut self, plan: u64) -> Result<&mut Books, String> {
        self.plans.get_mut(&plan).ok_or_else(|| format!("there is no plan {plan} here"))
    }

    fn call(&mut self, plan: u64, name: &str, args: impl FuncArgs) -> Result<Dynamic, String> {
        let books = self.plans.get_mut(&plan).ok_or_else(|| format!("there is no plan {plan} here"))?;
        run(&self.engine, &self.script, &mut books.state, name, args)
    }
}

fn run(engine: &Engine, script: &AST, this: &mut Dynamic, name: &str, args: impl FuncArgs) -> Result<Dynamic, String> {
    let options = CallFnOptions::new().eval_ast(false).bind_this_ptr(this);
    engine
        .call_fn_with_options(options, &mut Scope::new(), script, name, args)
        .map_err(|error: Box<EvalAltResult>| error.to_string().chars().take(500).collect())
}

/// From an array of placements, or, from the second contract on, `#{start: [..], skip: [[test, runs, reason], ..]}`.
fn wishes(answer: Dynamic, world: u32, reasoned: bool) -> Result<Answer, String> {
    let (start, skip) = match answer.try_cast_result::<Map>() {
        Ok(mut map) if world > 1 => {
            (map.remove("start").unwrap_or_else(empty), map.remove("skip").unwrap_or_else(empty))
        }
        Ok(map) => (Dynamic::from_map(map), empty()),
        Err(answer) => (answer, empty()),
    };
    let start =
        list(start, "placements")?.into_iter().map(placement).collect::<Option<_>>().ok_or(
            "`propose` answered with something else than [test, target] or #{test: .., target: ..} in its array",
        )?;
    let skip = list(skip, "skips")?.into_iter().map(skip_of).collect::<Option<_>>().ok_or(
        "`propose` answered with something else than [test, runs, reason] or #{test: .., runs: .., reason: ..} in `skip`",
    )?;
    Ok(Answer::Wishes { start, skip, reasoned })
}

fn empty() -> Dynamic {
    Dynamic::from_array(Array::new())
}

fn list(answer: Dynamic, what: &str) -> Result<Array, String> {
    let list = answer.into_array().map_err(|is| format!("`propose` answered with {is}, not with an array"))?;
    if list.len() > MAX_PLACEMENTS {
        return Err(format!("`propose` answered with {} {what}; at most {MAX_PLACEMENTS} are taken", list.len()));
    }
    Ok(list)
}

fn number(item: &Dynamic) -> Option<u32> {
    u32::try_from(item.as_int().ok()?).ok()
}

fn skip_of(item: Dynamic) -> Option<Skip> {
    let (test, runs, reason) = if let Some(map) = item.read_lock::<Map>() {
        (number(map.get("test")?)?, number(map.get("runs")?)?, map.get("reason").cloned().unwrap_or_default())
    } else {
        match item.into_array().ok()?.as_slice() {
            [test, runs, reason] => (number(test)?, number(runs)?, reason.clone()),
            _ => return None,
        }
    };
    let reason = if reason.is_unit() { String::new() } else { reason.into_string().ok()? };
    Some(Skip { test: TestIx(test), runs, reason: sentence(&reason) })
}

fn placement(item: Dynamic) -> Option<(u32, u32)> {
    if let Some(map) = item.read_lock::<Map>() {
        return Some((number(map.get("test")?)?, number(map.get("target")?)?));
    }
    match item.into_array().ok()?.as_slice() {
        [test, target] => Some((number(test)?, number(target)?)),
        _ => None,
    }
}
