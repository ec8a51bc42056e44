//! The server of the real program, on a port of its own. No device is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use headend_drivers::Tool;
use headend_drivers::tools::adb::{Options, start};
use tokio::process::Command;

use crate::common;

/// Ends the server however the test ends.
struct Real {
    program: PathBuf,
    port: u16,
    home: tempfile::TempDir,
}

impl Real {
    fn arguments(&self, verb: &str) -> [String; 3] {
        ["-P".to_owned(), self.port.to_string(), verb.to_owned()]
    }

    async fn start(program: &Path) -> Self {
        let real = Self { program: program.to_owned(), port: free_port(), home: tempfile::tempdir().unwrap() };
        let mut command = Command::new(program);
        command.args(real.arguments("start-server")).kill_on_drop(true);
        // Its keys and its log stay out of the way.
        command.env("HOME", real.home.path()).env("TMPDIR", real.home.path());
        let status = tokio::time::timeout(Duration::from_mins(1), command.status()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
        real
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let mut command = std::process::Command::new(&self.program);
        let _ = command.args(self.arguments("kill-server")).env("HOME", self.home.path()).status();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn the_real_server_answers() {
    let Some(program) = common::program("adb") else { return };
    let real = Real::start(&program).await;
    let (_folder, place) = common::place(1);
    let options = Options { server: format!("127.0.0.1:{}", real.port), ..Options::of("nobody") };
    let adb = start(&options, &place).await.unwrap();
    // Version and list were understood: it is the missing device that is told.
    let error = adb.probe().await.unwrap_err().to_string();
    assert!(error.starts_with("adb server knows no device nobody, but "), "{error}");
    let error = headend_drivers::Remote::press(&adb, "Ok").await.unwrap_err().to_string();
    assert!(error.contains("refused host:transport:nobody: device 'nobody' not found"), "{error}");
}
