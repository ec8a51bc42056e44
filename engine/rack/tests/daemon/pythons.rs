//! Python scripts through the whole daemon.

use headend_model::run::Incomplete;
use headend_model::{Outcome, TestResult};

use crate::lab::Lab;
use crate::server::eventually;

impl Lab {
    async fn python(&self, text: &str) -> Outcome {
        let run = self.server.lease(self.server.order(("test1/script.py", text), &[2]));
        self.server.outcome(run).await
    }
}

const DRIVE: &str = r#"
import sys, os
import stormtest.ClientAPI as StormTest
from stormtest.ClientAPI import *
assert sys.argv[1:] == ["one", "two words"], sys.argv
assert IsUnderDaemon()
assert os.path.isabs(STORMTEST_PUBLIC), STORMTEST_PUBLIC
assert os.path.samefile(os.getcwd(), os.path.dirname(os.path.abspath(__file__)))
assert "public" in os.path.abspath(__file__).split(os.sep)
open("written.txt", "w").close()
assert GetPhysicalAllocations()[1] == [2]
ConnectToServer("nowhere", "test")
assert ReserveSlot(7, "default")
PressButton("Menu")
WaitSec(3600)
print("hello from the script")
ReturnTestResult(TM.PASS)
ReleaseServerConnection()
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_python_script_drives_its_box_and_reports() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let run = lab.server.lease(lab.server.order(("test1/script.py", DRIVE), &[2]));
    let outcome = lab.server.outcome(run).await;
    assert!(outcome.is_pass(), "{outcome}");
    assert_eq!(lab.count("press", run.0), 1);
    let console = eventually("the console is with the server", || {
        lab.server.farm().files.get(&format!("{run}/console.txt")).cloned()
    });
    assert!(String::from_utf8(console.await).unwrap().contains("hello from the script"));
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_of_python_scripts_are_told_with_their_last_words() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let Outcome::Incomplete(Incomplete::Crashed(text)) = lab.python("import nowhere\n").await else { panic!() };
    assert!(text.contains("nowhere"), "{text}");
    let Outcome::Incomplete(Incomplete::NoResult(text)) = lab.python("import sys\nsys.exit(3)\n").await else {
        panic!()
    };
    assert!(text.contains("exit code 3"), "{text}");
    assert!(matches!(lab.python("pass\n").await, Outcome::Incomplete(Incomplete::NoResult(_))));
    let reported = "from stormtest.ClientAPI import *\nReturnTestResult(TM.FAIL)\nReturnTestResult(TM.PASS)\nraise ValueError('late')\n";
    let Outcome::Done { result, comment } = lab.python(reported).await else { panic!() };
    assert_eq!(result, TestResult::Fail);
    assert!(comment.contains("late"), "{comment}");
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_leaves_behind_is_killed_and_said() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    // Leaves its session, forks twice, ignores SIGTERM and keeps standard output.
    let script = r"
import os, signal, time
from stormtest.ClientAPI import *
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
time.sleep(0.2)
ReturnTestResult(TM.PASS)
";
    let outcome = lab.python(script).await;
    assert!(outcome.is_pass() && outcome.to_string().contains("leaky"), "{outcome}");
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_ignores_sigterm_is_killed_after_the_grace() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let script = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)\n";
    let mut order = lab.server.order(("test1/script.py", script), &[1]);
    order.time_limit_ms = 500;
    let run = lab.server.lease(order);
    let outcome = lab.server.outcome(run).await;
    assert!(matches!(&outcome, Outcome::Incomplete(Incomplete::Limit(_))), "{outcome}");
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_scripts_find_python_2_where_there_is_one() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let outcome = lab.python("from stormtest.ClientAPI import *\nprint 'old', 031\nReturnTestResult(TM.PASS)\n").await;
    let named =
        lab.python("# headend: python=2.7\nfrom stormtest.ClientAPI import *\nReturnTestResult(TM.PASS)\n").await;
    let has_two = std::env::var_os("HEADEND_PYTHON2").is_some() || named.is_pass();
    if has_two {
        assert!(outcome.is_pass() && named.is_pass(), "{outcome}; {named}");
    } else {
        // No Python 2 on this host: the script that asks for it says so, the other shows Python 3's complaint.
        assert!(named.to_string().contains("asks for Python 2.7"), "{named}");
        assert!(!outcome.is_pass(), "{outcome}");
    }
    rack.stop().await;
}
