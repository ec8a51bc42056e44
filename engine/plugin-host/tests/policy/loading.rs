//! Each step of loading fails by itself, and says so.

use std::fs;

use headend_model::Timestamp;
use headend_plugin_host::lifecycle::{Grants, LoadError};
use headend_plugin_host::wasm::CompileError;
use headend_plugin_host::{GuestProgram, PolicyHost, PolicyHostConfig};

use super::fixture::Fixture;
use super::support::{Lab, free, manifest, name, plan};

#[test]
fn no_folder_no_manifest_no_code() {
    let lab = Lab::new();
    let error = lab.host.load(&lab.plugins().join("nowhere")).unwrap_err();
    assert!(matches!(&error, LoadError::Read { path, .. } if path.ends_with("nowhere/headend-plugin.toml")), "{error}");
    let folder = lab.write("p", "p.wasm", b"", "");
    fs::remove_file(folder.join("p.wasm")).unwrap();
    let error = lab.host.load(&folder).unwrap_err();
    assert!(matches!(&error, LoadError::Read { path, .. } if path.ends_with("p/p.wasm")), "{error}");
}

#[test]
fn code_that_is_no_plain_file_is_not_opened() {
    let lab = Lab::new();
    let folder = lab.write("p", "p.wasm", b"", "");
    fs::remove_file(folder.join("p.wasm")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("p.wasm")).unwrap();
    assert!(matches!(lab.host.load(&folder), Err(LoadError::Read { .. })));
}

#[test]
fn more_than_32_mib_are_not_read() {
    let lab = Lab::new();
    let folder = lab.write("p", "p.wasm", b"", "");
    fs::File::create(folder.join("p.wasm")).unwrap().set_len((32 << 20) + 1).unwrap();
    let error = lab.host.load(&folder).unwrap_err();
    assert!(matches!(&error, LoadError::TooLarge { most: 33_554_432, .. }), "{error}");
}

#[test]
fn a_manifest_mistake_has_its_line() {
    let lab = Lab::new();
    let folder = lab.write("p", "p.wasm", b"", "colour = \"red\"");
    let error = lab.host.load(&folder).unwrap_err();
    assert!(matches!(&error, LoadError::Manifest(at) if at.line == 6), "{error}");
    assert!(error.to_string().contains("unknown key `colour`"), "{error}");
}

#[test]
fn kinds_and_versions_that_are_not_served_here() {
    let lab = Lab::new();
    let with = |from: &str, to: &str| {
        let folder = lab.write("p", "p.wasm", b"", "");
        fs::write(folder.join("headend-plugin.toml"), manifest("p", "p.wasm", "").replace(from, to)).unwrap();
        lab.host.load(&folder).unwrap_err()
    };
    let error = with("coverage-policy", "analyser");
    assert!(matches!(&error, LoadError::Kind { .. }), "{error}");
    let error = with("world = \"1.0.0\"", "world = \"9.0.0\"");
    assert_eq!(
        error.to_string(),
        "plugin p 1.0.0 was written against contract 9.0.0; this server offers 2.0.0 and older 2.x; 1.0.0 and older 1.x"
    );
}

#[test]
fn a_capability_that_is_not_granted() {
    let lab = Lab::new();
    let mut config = PolicyHostConfig::new(GuestProgram::headend("/nowhere"), lab.home.path().join("strict"));
    config.grants = Grants::none();
    let host = PolicyHost::new(config).unwrap();
    let folder = lab.write("p", "p.wasm", b"", "capabilities = [\"log\"]");
    let error = host.load(&folder).unwrap_err();
    assert_eq!(
        error.to_string(),
        "plugin p 1.0.0 asks for `log`, which nobody has granted to it; grant it with `headend plugin grant p log` or start the server with --plugin-grant"
    );
    host.set_grants(Grants(["p=log".parse().unwrap()].into()));
    assert!(!matches!(host.load(&folder), Err(LoadError::Capability { .. })));
}

#[test]
fn malformed_modules_are_refused_by_the_compiler() {
    let lab = Lab::new();
    let good = Fixture::default().wasm();
    let mut flipped = good.clone();
    flipped[20] ^= 0xff;
    let cases: [(&[u8], &str); 4] = [
        (b"", "it is not WebAssembly"),
        (b"#!/bin/sh\n", "it is not WebAssembly"),
        (&good[..good.len() / 2], "cannot make a component"),
        (&flipped, "cannot make a component"),
    ];
    for (code, words) in cases {
        let error = lab.host.load(&lab.write("p", "p.wasm", code, "")).unwrap_err();
        let LoadError::Compile { source: CompileError::Refused(why), .. } = &error else { panic!("{error}") };
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(lab.host.list(), []);
}

#[test]
fn a_module_without_its_wit_is_refused() {
    let error = Lab::new().wat("p", "(module (func (export \"run\")))", "").unwrap_err();
    assert!(matches!(&error, LoadError::Compile { .. } | LoadError::Link { .. }), "{error}");
}

#[test]
fn a_guest_program_that_is_not_there_is_named() {
    let lab = Lab::new();
    let config = PolicyHostConfig::new(GuestProgram::headend("/nowhere/headend"), lab.home.path().join("other"));
    let error = PolicyHost::new(config).unwrap().load(&lab.write("p", "p.wasm", &Fixture::default().wasm(), ""));
    let LoadError::Compile { source, .. } = error.unwrap_err() else { panic!("not a compile error") };
    assert!(source.to_string().contains("/nowhere/headend"), "{source}");
}

#[test]
fn compiled_code_is_kept_and_a_damaged_copy_is_made_again() {
    let lab = Lab::new();
    let folder = lab.write("p", "p.wasm", &Fixture::default().wasm(), "[limits]\ndeadline_ms = 30000");
    lab.host.load(&folder).unwrap();
    let kept = || -> Vec<_> {
        fs::read_dir(lab.home.path().join("cache")).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let [cached] = &kept()[..] else { panic!("{:?}", kept()) };

    // The cache serves without the compiler.
    let config = PolicyHostConfig::new(GuestProgram::headend("/nowhere"), lab.home.path().join("cache"));
    let mut config = config;
    config.most.deadline_ms = 60_000;
    PolicyHost::new(config).unwrap().load(&folder).unwrap();

    fs::remove_file(cached).unwrap();
    fs::write(cached, b"not machine code").unwrap();
    lab.host.reload(&name("p")).unwrap();
    assert_eq!(kept().len(), 1);
    let mut instance = lab.host.instance(&name("p"), &plan(&[1], 1)).unwrap();
    assert_eq!(instance.propose(Timestamp::EPOCH, &free(&[0])).unwrap().start, []);
}
