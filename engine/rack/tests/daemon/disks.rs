//! A rack whose journal cannot be written: it starts nothing, says so, and goes on when there is room again.

use std::path::{Path, PathBuf};
use std::process::Command;

use headend_model::RunId;
use headend_rack::Rack;

use crate::lab::Lab;
use crate::server::eventually;

/// A file system of a few megabytes, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with a printed reason, where nobody may mount.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs"]).arg(at).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            Ok(output) => {
                println!("skipped: no tmpfs can be mounted here: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                println!("skipped: `mount` cannot be run: {error}");
                None
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all that is free.
    fn fill(&self) {
        let mut file = std::fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        let mut piece = 1 << 20;
        while piece > 0 {
            if std::io::Write::write_all(&mut file, &vec![0; piece]).is_err() {
                piece /= 2;
            }
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_starts_nothing_is_told_and_passes() {
    let lab = Lab::new().await;
    let data = lab.folder.path().join("rack");
    let Some(disk) = SmallDisk::mount(&data) else { return };
    let rack = lab.rack().await;
    let first = lab.server.submit("result(PASS);", 1);
    assert!(lab.server.outcome(first).await.is_pass());
    disk.fill();
    let mut runs = Vec::new();
    // The journal's last page may have room for a few records yet.
    let reason = loop {
        let run = lab.server.submit("result(PASS);", 1);
        runs.push(run);
        let refused = eventually("the run ends or is not taken", || {
            let farm = lab.server.farm();
            let ended = farm.ends.iter().any(|end| end.claim.run == run);
            farm.not_taking.clone().map(Some).or(ended.then_some(None))
        });
        if let Some(reason) = refused.await {
            break reason;
        }
        disk.fill();
    };
    assert!(reason.contains("journal cannot be written") && reason.contains("No space left"), "{reason}");
    let waits = lab.server.submit("result(PASS);", 2);
    let exchanges = lab.server.farm().exchanges;
    eventually("it was offered a few times", || (lab.server.farm().exchanges > exchanges + 5).then_some(())).await;
    let journal = std::fs::read_to_string(data.join("journal")).unwrap();
    let recorded = |run: RunId| journal.contains(&format!("\"run\":{}", run.0));
    assert_eq!((lab.count("drive_begin", waits.0), recorded(waits)), (0, false), "{journal}");
    for run in &runs {
        let started = lab.count("drive_begin", run.0) > 0;
        assert!(recorded(*run) || !started, "run {run} was started without a record");
    }
    assert!(lab.server.farm().declined.is_empty(), "it waits: nothing was refused for ever");

    disk.free();
    assert!(lab.server.outcome(waits).await.is_pass());
    for run in runs {
        lab.server.end(run).await;
        assert_eq!(lab.count("drive_begin", run.0), 1);
    }
    eventually("it takes runs again", || lab.server.farm().not_taking.is_none().then_some(())).await;
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rack_with_a_full_disk_can_be_stopped_and_tells_its_runs_as_lost() {
    let lab = Lab::new().await;
    let data = lab.folder.path().join("rack");
    let Some(disk) = SmallDisk::mount(&data) else { return };
    let rack = lab.rack().await;
    let run = lab.server.submit("connect(); reserve_slot(1); loop { press(\"Ok\"); wait(1); }", 1);
    eventually("it drives", || (lab.count("press", run.0) > 0).then_some(())).await;
    let mut more = Vec::new();
    while lab.server.farm().not_taking.is_none() {
        disk.fill();
        let next = lab.server.submit("result(PASS);", 2);
        more.push(next);
        eventually("it ends or is not taken", || {
            let farm = lab.server.farm();
            (farm.not_taking.is_some() || farm.ends.iter().any(|end| end.claim.run == next)).then_some(())
        })
        .await;
    }
    rack.stop().await;
    assert_eq!(lab.count("drive_end", run.0), 1, "nothing of it is left");
    disk.free();
    let rack = Rack::start(lab.options()).await.unwrap();
    assert!(lab.server.outcome(run).await.code() == 1, "its start was in the journal, so its end is told");
    for run in more {
        // Passed, lost with the old life, or started by the new one: each once.
        lab.server.end(run).await;
        assert!(lab.count("drive_begin", run.0) <= 1, "run {run} was started twice");
    }
    rack.stop().await;
}
