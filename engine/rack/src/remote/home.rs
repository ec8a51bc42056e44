//! What a person's machine makes of the log that has come: paths of this machine, and the sources of the script, which never leave it.

use std::io;
use std::path::Path;

use headend_wire::session::SessionInfo;
use serde_json::Value;

use super::far::relocate;
use crate::options::LogLimits;
use crate::record::{page, playable};
use crate::session::{Kept, Places, Sources, blocking};

/// The log of a session, by its name in the folder of its files.
const LOG: &str = "log.jsonl";

/// A session that is over, with folders of this machine.
pub(super) struct Home {
    pub(super) info: SessionInfo,
    /// The output folder there.
    pub(super) there: String,
    pub(super) sources: Sources,
}

impl Home {
    /// Settles the log and its page, if the rack has sent them. What goes wrong costs the copies, not the session.
    pub(super) async fn settle(self) {
        let folder = Path::new(&self.info.out).to_owned();
        let settled = blocking(move || self.rewrite()).await;
        match settled {
            Ok(Ok(true)) => playable::show_those_there(&folder).await,
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => tracing::warn!(%error, folder = %folder.display(), "a session's page has no sources"),
        }
    }

    /// `false`: there is no page.
    fn rewrite(self) -> io::Result<bool> {
        let folder = Path::new(&self.info.out);
        if !folder.join(page::FILE).is_file() {
            return Ok(false);
        }
        let script = Path::new(&self.info.script);
        let copies = match script.parent().filter(|_| script.is_absolute()) {
            Some(beside) => self.sources.copy(&Places::by_hand(beside), script, folder),
            None => Vec::new(),
        };
        let log = std::fs::read_to_string(folder.join(LOG))?;
        let (log, how) = retold(&log, (&self.there, &self.info.out), &copies);
        let partial = folder.join("log.jsonl.partial");
        std::fs::write(&partial, log)?;
        std::fs::rename(&partial, folder.join(LOG))?;
        let sources: Vec<_> = copies.into_iter().map(|kept| kept.source).collect();
        let about = page::About { info: &self.info, how: &how, sources: &sources };
        page::write(folder, &about, LogLimits { log_bytes: u64::MAX, ..LogLimits::default() });
        Ok(true)
    }
}

/// The log with paths of this machine and the sources before its end; and how it ended.
fn retold(log: &str, (there, here): (&str, &str), copies: &[Kept]) -> (String, String) {
    let (mut lines, mut how) = (String::with_capacity(log.len()), String::new());
    let mut line = |text: &str| {
        lines.push_str(text);
        lines.push('\n');
    };
    for text in log.lines() {
        let Ok(mut event) = serde_json::from_str::<Value>(text) else {
            line(text);
            continue;
        };
        relocate(&mut event, there, here);
        if event["kind"] == "end" {
            event["text"].as_str().unwrap_or_default().clone_into(&mut how);
            for kept in copies {
                line(&script_event(&event["at"], &kept.told).to_string());
            }
        }
        line(&event.to_string());
    }
    (lines, how)
}

fn script_event(at: &Value, told: &Value) -> Value {
    let mut event = told.clone();
    event["at"] = at.clone();
    event["kind"] = "script".into();
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn home(out: &Path, script: &Path) -> Home {
        let info = SessionInfo {
            job: 0,
            run: 7,
            attempt: 1,
            script: script.display().to_string(),
            args: Vec::new(),
            public: None,
            out: out.display().to_string(),
            rack: "rack1".to_owned(),
            port: 8001,
            slots: vec![1],
            under_daemon: false,
        };
        let mut sources = Sources::default();
        sources.begin();
        sources.note(vec!["keys.py:2".to_owned(), "zap.py:3".to_owned(), "gone.py:1".to_owned()]);
        Home { info, there: "/rack/sessions/7-1".to_owned(), sources }
    }

    #[tokio::test]
    async fn a_log_that_has_come_gets_paths_and_sources_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let (out, script) = (folder.path().join("out"), folder.path().join("zap.py"));
        std::fs::create_dir(&out).unwrap();
        std::fs::write(&script, "import keys\n\nkeys.zap()\n").unwrap();
        std::fs::write(folder.path().join("keys.py"), "def zap():\n    PressButton('Ok')\n").unwrap();
        let events = [
            json!({ "at": 1, "kind": "press", "ok": true, "key": "Ok", "slots": [1], "source": ["keys.py:2", "zap.py:3"] }),
            json!({ "at": 2, "kind": "capture", "ok": true, "slot": 1, "path": "/rack/sessions/7-1/menu.png" }),
            json!({ "at": 3, "kind": "end", "text": "pass" }),
        ];
        let log = events.map(|event| event.to_string()).join("\n") + "\nspoilt\n";
        std::fs::write(out.join(LOG), log).unwrap();
        home(&out, &script).settle().await;
        assert!(!out.join("src").exists(), "without a page nothing was worth keeping");

        std::fs::write(out.join(page::FILE), "the rack's").unwrap();
        home(&out, &script).settle().await;
        let log = std::fs::read_to_string(out.join(LOG)).unwrap();
        let told: Vec<_> = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_default()).collect();
        let kinds: Vec<_> = told.iter().map(|event| event["kind"].as_str().unwrap_or("-")).collect();
        assert_eq!(kinds, ["press", "capture", "script", "script", "end", "-"]);
        assert_eq!(told[1]["path"], out.join("menu.png").display().to_string());
        assert_eq!(
            (&told[2]["name"], &told[3]["name"], &told[3]["at"]),
            (&json!("zap.py"), &json!("keys.py"), &json!(3))
        );
        assert!(log.ends_with("spoilt\n"), "{log}");
        assert_eq!(
            std::fs::read(out.join("src/keys.py")).unwrap(),
            std::fs::read(folder.path().join("keys.py")).unwrap()
        );
        let page = std::fs::read_to_string(out.join(page::FILE)).unwrap();
        assert!(page.contains("PressButton(") && page.contains("#s1-2"), "the page leads to the line: {page}");
        assert!(page.contains("class=\"how\">pass<") && page.contains("menu.png"), "{page}");
    }
}
