//! A failed run is understood without its device: the page with sources and console, the last seconds, the pictures of a zap.

use headend_integration::client::{request, slots, test};
use headend_integration::{Lab, eventually};

const SCRIPT: &str = r#"import stormtest.ClientAPI as StormTest
from stormtest.ClientAPI import TM
from keys import zap

StormTest.ConnectToServer("", "explained")
StormTest.ReserveSlot(1)
StormTest.PressDigits(3)
StormTest.PressButton("Ok")
StormTest.WaitSec(8)
print("before the zap")
zap("Channel+")
print("after the zap")
StormTest.WaitSec(4)
StormTest.BeginTestStep("menu")
StormTest.PressButton("Menu")
StormTest.EndTestStep("menu", TM.FAIL, "no menu")
StormTest.ReturnTestResult(TM.FAIL)
"#;

const MODULE: &str = r"import stormtest.ClientAPI as StormTest

def zap(key):
    StormTest.StartZapMeasurement(key, 1, (0, 0, 1280, 400), timeout=10.0)
    StormTest.PressButton(key)
    StormTest.WaitSec(3)
    return StormTest.GetZapTimes()[0]
";

#[tokio::test]
async fn a_failed_run_explains_itself() {
    let lab = Lab::start(1).await;
    let files: [(&str, &[u8]); 2] = [("zaps/explained.py", SCRIPT.as_bytes()), ("zaps/keys.py", MODULE.as_bytes())];
    lab.client.upload("public", &files).await;
    let job = lab.client.submit(&request("explained", &slots("rack1", [1]), [test("zaps/explained.py")])).await.job;
    let detail = lab.client.finished(job).await;
    let run = &detail.run_list[0];
    assert_eq!(i64::from(run.result), 100, "{}\n{}", run.comment, lab.logs());
    let folder = lab.folder.path().join(format!("rack1/runs/{}-1", run.run));
    eventually("the evidence is with the server", || async { folder.join(".delivered").is_file().then_some(()) }).await;

    let kept = async |path: &str| {
        let answer = lab.client.get(&format!("/runs/{}/files/{path}", run.run)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.body
    };
    assert_eq!(kept("src/explained.py").await, SCRIPT.as_bytes());
    assert_eq!(kept("src/keys.py").await, MODULE.as_bytes());
    assert!(kept("lastseconds_1.avi").await.starts_with(b"RIFF"));
    assert!(kept("filmstrip_1.png").await.starts_with(b"\x89PNG"));
    for moment in ["before", "black", "new"] {
        assert!(kept(&format!("zap-timer_1_{moment}.jpg")).await.starts_with(&[0xff, 0xd8]), "{moment}");
    }

    let page = String::from_utf8(kept("logfile.html").await).unwrap();
    // Where every device tool is, ffmpeg is.
    if std::env::var_os("HEADEND_DEVICE_TOOLS").is_some_and(|value| value == "1") {
        assert_eq!(&kept("lastseconds_1.mp4").await[4..8], b"ftyp", "{}", lab.logs());
        assert!(page.contains("<video controls preload=\"metadata\" src=\"./lastseconds_1.mp4\">"), "{page}");
    }
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing in {page}"));
    let order =
        ["before the zap</span>", "PressButton(Channel+)", "after the zap</span>", "PressButton(Menu)"].map(place);
    assert!(order.is_sorted(), "{page}");
    for part in [
        "<a href=\"#s1-5\">keys.py:5</a> \u{2190} <a href=\"#s0-11\">explained.py:11</a>",
        "<a href=\"#s0-16\">explained.py:16</a>",
        "<li id=\"s1-5\">    StormTest.PressButton(key)",
        "<td>analyser zap-timer<td>1.",
        "<td>public files<td>",
        "<td>source keys.py<td>",
        "href=\"./lastseconds_1.avi\"",
        "href=\"./zap-timer_1_black.jpg\"",
    ] {
        place(part);
    }
}
