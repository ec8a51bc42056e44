//! Hostile policies and hostile scripts in a running lab: they end as they must, sound jobs beside them do not notice, and nothing of
//! them is left over: no process, no file, no descriptor, no memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use headend_integration::client::{request, slots, test};
use headend_integration::hostile::{self, bomb, load, uploaded};
use headend_integration::{Lab, eventually};
use headend_wire::api::{ModeRef, PluginItem, PluginList, TestRequest};
use reqwest::Method;
use serde_json::json;

use super::scripts;

/// The farm waits for its policies however busy the machine is; what they may take is in their manifests.
const PATIENT: &[(&str, &str)] = &[("HEADEND_LEASE_MS", "60000"), ("HEADEND_POLICY_DEADLINE_MS", "60000")];

/// Policies that are put aside, of each kind of fault.
const POLICIES: [&str; 18] = [
    "loop-in-propose",
    "loop-in-build",
    "loop-of-fills",
    "memory-growth",
    "recursion",
    "unreachable",
    "calls-nothing",
    "unknown-test",
    "target-twice",
    "skips-more-than-left",
    "a-million-wishes",
    "list-of-two-thousand-million",
    "realloc-misaligned",
    "rhai-loop-in-propose",
    "rhai-slow-operations",
    "rhai-hoards",
    "rhai-recursion",
    "rhai-lie-target-twice",
];

/// Scripts, and whether they come to a result of their own.
const SCRIPTS: [&str; 14] = [
    "rhai/endless-loop.rhai",
    "rhai/replace-product.rhai",
    "rhai/string-doubling.rhai",
    "rhai/function-recursion.rhai",
    "rhai/closure-recursion.rhai",
    "rhai/array-growth.rhai",
    "rhai/sleep.rhai",
    "rhai/eval-recursion.rhai",
    "rhai/import.rhai",
    "wasm/endless-fill.wat",
    "wasm/memory-growth.wat",
    "wasm/recursion.wat",
    "wasm/unreachable.wat",
    "wasm/huge-string.wat",
];

/// What a process may have more of in the end than before, in KiB: pages that the allocator keeps, and what the lab remembers of its jobs.
const KEPT_KIB: u64 = 64 << 10;
/// Descriptors that pools of connections may have open.
const KEPT_FILES: usize = 8;

async fn found(lab: &Lab, name: &str) -> PluginItem {
    let list: PluginList = lab.client.get("/plugins").await.json();
    list.plugins.into_iter().find(|plugin| plugin.name == name).unwrap()
}

/// Two sound scripts on three slots under a policy.
async fn submit(lab: &Lab, policy: &str) -> u64 {
    let tests = ["a.rhai", "b.rhai"].map(|name| TestRequest { mode: ModeRef::Name(policy.into()), ..test(name) });
    lab.client.submit(&request(policy, &slots("rack1", 1..=3), tests)).await.job
}

/// A sound policy: the first test that has not been there.
const SOUND: &str = r"
    fn propose(plan, free) {
        let answer = [];
        for ix in free {
            for target in plan.targets {
                if target.ix != ix { continue; }
                for n in 0..plan.tests.len() {
                    let test = plan.tests[n];
                    if test.left > 0 && !(test.ix in target.seen) {
                        answer.push([test.ix, ix]);
                        plan.tests[n].left -= 1;
                        break;
                    }
                }
            }
        }
        answer
    }
";

/// What a lab's processes have.
#[derive(Debug)]
struct Footprint {
    /// Processes below the server and the rack.
    processes: BTreeSet<u32>,
    /// Of server and rack: open descriptors, and resident memory in KiB.
    files: [usize; 2],
    memory_kib: [u64; 2],
    cgroups: usize,
    /// Names in the temporary folder and in the rack's folders for runs at work.
    left: Vec<PathBuf>,
}

impl Footprint {
    fn of(lab: &Lab) -> Self {
        let (server, rack) = (lab.server.as_ref().unwrap().pid(), lab.rack.as_ref().unwrap().pid());
        let both = [server, rack];
        Self {
            processes: below(&both),
            files: both.map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()),
            memory_kib: both.map(resident_kib),
            cgroups: cgroups(lab),
            left: names(&lab.folder.path().join("tmp")),
        }
    }

    /// Nothing of a hostile guest runs any more, and it has left nothing behind.
    fn is_quiet(&self, before: &Self) -> bool {
        let gone = self.processes.len() <= before.processes.len() && self.cgroups <= before.cgroups;
        gone && self.left.len() <= before.left.len()
    }

    /// And nothing is open for it.
    fn is_closed(&self, before: &Self) -> bool {
        (0..2).all(|one| self.files[one] <= before.files[one] + KEPT_FILES) && self.is_quiet(before)
    }
}

/// All processes that descend from these.
fn below(roots: &[u32]) -> BTreeSet<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parents: BTreeMap<u32, u32> = all.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let descends = |pid: &u32| {
        let line = std::iter::successors(parents.get(pid).copied(), |above| parents.get(above).copied());
        line.take(64).any(|above| roots.contains(&above))
    };
    parents.keys().copied().filter(descends).collect()
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Control groups of the rack, wherever they are mounted: a folder for the rack, and inside one for each run.
fn cgroups(lab: &Lab) -> usize {
    let data = lab.folder.path().join("rack1");
    let name = format!("headend-{}", &blake3::hash(data.as_os_str().as_encoded_bytes()).to_hex()[..16]);
    folders(Path::new("/sys/fs/cgroup")).iter().filter(|path| path.iter().any(|part| part == name.as_str())).count()
}

/// All folders below this one.
fn folders(of: &Path) -> Vec<PathBuf> {
    let plain = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
    let inside = names(of).into_iter().filter(plain);
    inside.flat_map(|path| folders(&path).into_iter().chain([path])).collect()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

async fn upload(lab: &Lab) {
    let pass = scripts::PASS.as_bytes();
    let mut files = vec![("a.rhai".to_owned(), pass.to_vec()), ("b.rhai".to_owned(), pass.to_vec())];
    files.extend(SCRIPTS.map(hostile::script));
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    lab.client.upload("public", &files).await;
}

/// A job of all hostile scripts on the fourth slot.
async fn submit_scripts(lab: &Lab) -> u64 {
    let tests = SCRIPTS.map(|script| test(&uploaded(script)));
    lab.client.submit(&request("hostile scripts", &slots("rack1", [4]), tests)).await.job
}

async fn sound_job(lab: &Lab) {
    let detail = lab.client.finished(submit(lab, "sound").await).await;
    assert_eq!((detail.item.passed, detail.item.runs), (6, 6), "{:#?}\n{}", detail.run_list, last_words(lab).await);
}

/// What the processes printed last, and how often the rack has spoken: why a run did not start stands there.
async fn last_words(lab: &Lab) -> String {
    let logs = lab.logs();
    let tail: Vec<&str> = logs.lines().rev().take(80).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    let racks = lab.client.get("/racks").await.text();
    let metrics = lab.client.get("/../../metrics").await.text();
    let counters: Vec<&str> = metrics.lines().filter(|line| line.starts_with("headend_rack_")).collect();
    format!("{}\n--- racks\n{racks}\n--- counters\n{}", tail.join("\n"), counters.join("\n"))
}

#[tokio::test]
async fn sound_jobs_do_not_notice_hostile_ones_and_nothing_of_these_is_left() {
    let folder = tempfile::Builder::new().prefix("headend-lab-").tempdir().unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let temporary = temporary.to_str().unwrap().to_owned();
    let environment: Vec<_> = PATIENT.iter().copied().chain([("TMPDIR", temporary.as_str())]).collect();
    let mut lab = Lab::start_in(folder, 4, &environment).await;
    lab.rack.take().unwrap().stop();
    lab.start_rack(&[("TMPDIR", temporary.as_str())]).await;
    lab.rack_online().await;
    upload(&lab).await;
    load(&lab, "sound", "p.rhai", SOUND.as_bytes(), &BTreeMap::from([("deadline_ms".into(), 1_000)])).await;
    // Pools and caches fill: that is how a lab at rest looks.
    sound_job(&lab).await;
    let job = lab.client.submit(&request("warm", &slots("rack1", 1..=4), [test("a.rhai")])).await.job;
    assert_eq!(lab.client.finished(job).await.item.passed, 4);
    let before = Footprint::of(&lab);

    let hostile_scripts = submit_scripts(&lab).await;
    let policies = hostile::policies(&POLICIES);
    for case in &policies {
        case.load(&lab).await;
        let job = submit(&lab, &case.name).await;
        sound_job(&lab).await;
        let detail = lab.client.finished(job).await;
        assert_eq!(
            (detail.item.passed, detail.item.runs),
            (6, 6),
            "{}: {:#?}\n{}",
            case.name,
            detail.run_list,
            last_words(&lab).await
        );
        // The last strikes may come with another job, if this one was short of questions.
        eventually(&format!("{} to be put aside", case.name), || async {
            let plugin = found(&lab, &case.name).await;
            if plugin.state == "quarantined" {
                // Three in a row, or too many of its last answers.
                let often =
                    plugin.reason.as_ref().is_some_and(|why| why.contains("of its last 32 answers were failures"));
                assert!(plugin.reason.is_some() && (plugin.strikes >= 3 || often), "{plugin:?}");
                return Some(());
            }
            lab.client.finished(submit(&lab, &case.name).await).await;
            None
        })
        .await;
    }
    let detail = lab.client.finished(hostile_scripts).await;
    assert_eq!((detail.item.passed, detail.item.runs), (0, SCRIPTS.len() as u32), "{:#?}", detail.run_list);
    let sound = found(&lab, "sound").await;
    assert_eq!((sound.state.as_str(), sound.strikes), ("live", 0), "{sound:?}");
    sound_job(&lab).await;

    // What is in quarantine keeps no process; the pool of guests is as large as ever.
    until(&lab, "all processes of hostile guests to be gone", &before, Footprint::is_quiet).await;
    for case in &policies {
        let gone = lab.client.request(Method::DELETE, &format!("/plugins/{}?force=true", case.name));
        assert!(lab.client.send(gone).await.unwrap().status.is_success());
    }
    sound_job(&lab).await;
    // Compiled code is kept open for as long as its plugin is loaded.
    let after = until(&lab, "all that was open for hostile guests to be closed", &before, Footprint::is_closed).await;
    for one in 0..2 {
        let grown = after.memory_kib[one].saturating_sub(before.memory_kib[one]);
        assert!(grown <= KEPT_KIB, "{grown} KiB more than before\n{before:#?}\n{after:#?}");
    }
}

/// Looks until the footprint is so, and says now and then why it is not.
async fn until(lab: &Lab, what: &str, before: &Footprint, so: fn(&Footprint, &Footprint) -> bool) -> Footprint {
    let mut looks = 0;
    eventually(what, || {
        looks += 1;
        let now = Footprint::of(lab);
        let settled = so(&now, before);
        if !settled && looks % 100 == 0 {
            eprintln!("not yet as before:\n{before:#?}\n{now:#?}");
        }
        async move { settled.then_some(now) }
    })
    .await
}

/// A compiler that is made to work for long holds up neither requests nor jobs, and ends by its limits.
#[tokio::test]
async fn a_compile_bomb_costs_its_sender_an_answer_and_nobody_else_anything() {
    let lab = Lab::start_with(3, PATIENT).await;
    upload(&lab).await;
    load(&lab, "sound", "p.rhai", SOUND.as_bytes(), &BTreeMap::from([("deadline_ms".into(), 1_000)])).await;
    let server = lab.server.as_ref().unwrap().pid();
    let before = (below(&[server]).len(), resident_kib(server));
    let folder = lab.folder.path().join("plugins/bomb");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("p.wasm"), bomb()).unwrap();
    let manifest =
        "name = \"bomb\"\nversion = \"1\"\nkind = \"coverage-policy\"\nworld = \"2.0.0\"\nfile = \"p.wasm\"\n";
    fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    let client = lab.client.clone();
    let sent = tokio::spawn(async move { client.post("/plugins/load", &json!({ "path": folder })).await });
    eventually("the compiling child", || async { (below(&[server]).len() > before.0).then_some(()) }).await;
    sound_job(&lab).await;
    let problem = sent.await.unwrap().problem();
    assert_eq!(problem.code, "bad_plugin");
    assert!(problem.detail.contains("the compiler"), "{}", problem.detail);
    eventually("the child to be gone", || async { (below(&[server]).len() <= before.0).then_some(()) }).await;
    let grown = resident_kib(server).saturating_sub(before.1);
    assert!(grown <= KEPT_KIB, "{grown} KiB more than before: the bomb went off in the server");
    sound_job(&lab).await;
}
