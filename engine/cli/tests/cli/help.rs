//! Help texts are read more than any page.

use crate::fake::{headend, show};

fn help(arguments: &[&str]) -> String {
    show(&headend(arguments).output().unwrap())
}

#[test]
fn exit_codes() {
    insta::assert_snapshot!(help(&["exit-codes"]));
}

#[test]
fn submit() {
    insta::assert_snapshot!(help(&["submit", "--help"]));
}

#[test]
fn watch() {
    insta::assert_snapshot!(help(&["watch", "-h"]));
}

#[test]
fn files_upload() {
    insta::assert_snapshot!(help(&["files", "upload", "-h"]));
}

#[test]
fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = help(&["completions", shell]);
        assert!(said.starts_with("exit 0") && said.contains("plugin"), "{shell}: {said}");
    }
}

#[cfg(feature = "host")]
#[test]
fn everything() {
    insta::assert_snapshot!(help(&["--help"]));
}

#[cfg(feature = "host")]
#[test]
fn what_runs_for_long() {
    for command in ["up", "serve", "rack", "run"] {
        insta::assert_snapshot!(command, help(&[command, "-h"]));
    }
}
