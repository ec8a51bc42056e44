//! The child's side: reads requests, runs the script, answers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use rhai::{AST, Array, CallFnOptions, Dynamic, Engine, EvalAltResult, FuncArgs, INT, Map, Scope};

use super::books::Books;
use super::engine::engine;
use super::protocol::{Answer, Entry, Envelope, Request};
use crate::guest::{ProcessLimits, own_address_space};

/// Room for the engine, the plan's books and a line of JSON, beyond what the manifest gives to the script.
const OVERHEAD_MIB: u64 = 96;
/// Most placements taken from one answer. More cannot be meant: there are not that many slots.
const MAX_PLACEMENTS: usize = 50_000;

/// The life of a policy child: `headend guest policy`. JSON lines on standard input, one answer each on standard output. Ends when its input
/// ends.
pub fn guest_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "policy guest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut desk = None;
    let (stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    for line in stdin.lines() {
        let envelope: Envelope = serde_json::from_str(&line?)?;
        let answer = match envelope.request {
            Request::Load { source, entry, memory_mib } => {
                limit_process(memory_mib)?;
                Desk::open(&source, entry).map_or_else(
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

fn limit_process(memory_mib: u32) -> io::Result<()> {
    let memory = own_address_space()? + ((u64::from(memory_mib) + OVERHEAD_MIB) << 20);
    ProcessLimits { memory, cpu_s: None }.apply()
}

/// A parsed script and the plans it serves.
struct Desk {
    engine: Engine,
    script: AST,
    plans: BTreeMap<u64, Books>,
}

impl Desk {
    fn open(source: &str, entry: Entry) -> Result<Self, Answer> {
        let engine = engine();
        let script = engine.compile(source).map_err(|error| Answer::Refused(error.to_string()))?;
        let desk = Self { engine, script, plans: BTreeMap::new() };
        let (name, params, form) = match entry {
            Entry::Coverage => ("propose", 2, "fn propose(plan, free)"),
            Entry::Queue => ("rank", 1, "fn rank(job)"),
        };
        if !desk.defines(name, params) {
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

    fn answer(&mut self, gone: &[u64], request: Request) -> Answer {
        for plan in gone {
            self.plans.remove(plan);
        }
        let result = match request {
            Request::Load { .. } => Err("a script is loaded already".into()),
            Request::Build { plan, view } => self.build(plan, view),
            Request::Note { plan, changes } => self.note(plan, &changes),
            Request::Propose { plan, now, free } => self.propose(plan, now, &free),
            Request::Reason { plan, of } => self.reason(plan, of),
            Request::Rank { id, owner, priority, accepted } => self.rank(id, owner, priority, accepted),
        };
        result.unwrap_or_else(Answer::Threw)
    }

    fn build(&mut self, plan: u64, mut view: super::protocol::WirePlan) -> Result<Answer, String> {
        // The past is told to the script like any news, so that it needs one way of counting only.
        let past = std::mem::take(&mut view.past);
        self.plans.insert(plan, Books::new(view));
        self.note(plan, &past)
    }

    fn note(&mut self, plan: u64, changes: &[PlanChange]) -> Result<Answer, String> {
        for change in changes {
            self.books(plan)?.note(change);
            match change {
                PlanChange::Started(Placement { test, target }) => {
                    self.tell(plan, "started", (INT::from(test.0), INT::from(target.0)), 2)?;
                }
                PlanChange::Ended { placement: Placement { test, target }, code } => {
                    let args = (INT::from(test.0), INT::from(target.0), INT::from(*code));
                    self.tell(plan, "ended", args, 3)?;
                }
                PlanChange::TargetLost(target) => self.tell(plan, "lost", (INT::from(target.0),), 1)?,
            }
        }
        Ok(Answer::Done)
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
        placements(self.call(plan, "propose", (view, free))?)
    }

    fn reason(&mut self, plan: u64, of: Placement) -> Result<Answer, String> {
        if !self.defines("reason", 2) {
            return Ok(Answer::Text(format!("the script chose test {} for target {}", of.test.0, of.target.0)));
        }
        let text = self.call(plan, "reason", (INT::from(of.test.0), INT::from(of.target.0)))?;
        text.into_string().map(Answer::Text).map_err(|is| format!("`reason` answered with {is}, not with a string"))
    }

    fn rank(&mut self, id: u64, owner: String, priority: u8, accepted: i64) -> Result<Answer, String> {
        let job = Map::from([
            ("id".into(), Dynamic::from_int(id as INT)),
            ("owner".into(), owner.into()),
            ("priority".into(), Dynamic::from_int(INT::from(priority))),
            ("accepted".into(), Dynamic::from_int(accepted)),
        ]);
        let mut this = Dynamic::UNIT;
        let rank = run(&self.engine, &self.script, &mut this, "rank", (job,))?;
        rank.as_int().map(Answer::Rank).map_err(|is| format!("`rank` answered with {is}, not with a whole number"))
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

/// From `[[test, target], ...]` or `[#{test: .., target: ..}, ...]`.
fn placements(answer: Dynamic) -> Result<Answer, String> {
    let list = answer.into_array().map_err(|is| format!("`propose` answered with {is}, not with an array"))?;
    if list.len() > MAX_PLACEMENTS {
        return Err(format!("`propose` answered with {} placements; at most {MAX_PLACEMENTS} are taken", list.len()));
    }
    list.into_iter().map(placement).collect::<Option<_>>().map(Answer::Placements).ok_or_else(|| {
        "`propose` answered with something else than [test, target] or #{test: .., target: ..} in its array".into()
    })
}

fn placement(item: Dynamic) -> Option<(u32, u32)> {
    let number = |item: &Dynamic| u32::try_from(item.as_int().ok()?).ok();
    if let Some(map) = item.read_lock::<Map>() {
        return Some((number(map.get("test")?)?, number(map.get("target")?)?));
    }
    match item.into_array().ok()?.as_slice() {
        [test, target] => Some((number(test)?, number(target)?)),
        _ => None,
    }
}
