//! Plugins in one file, and files that only look like one.

use std::io::Write;

use headend_plugin_host::lifecycle::{LoadError, Origin, Step, Upload};

use super::support::{Lab, manifest};

const CODE: &str = "fn propose(plan, free) { [] }";
const LONG: &str = "[limits]\ndeadline_ms = 30000";

fn upload(file: &str, bytes: Vec<u8>) -> Upload {
    Upload { file: file.into(), bytes, signature: None }
}

/// A tar of these files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Names as they are, also such as no honest packer writes.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn a_folder_and_each_kind_of_bundle_of_it_have_the_same_hash() {
    let lab = Lab::new();
    let text = manifest("p", "p.rhai", LONG);
    let files: [(&str, &[u8]); 2] = [("headend-plugin.toml", text.as_bytes()), ("p.rhai", CODE.as_bytes())];
    let nested: [(&str, &[u8]); 3] =
        [("./p/p.rhai", CODE.as_bytes()), ("./p/headend-plugin.toml", text.as_bytes()), ("./p/src/more.txt", b"?")];
    let folder = lab.write("p", "p.rhai", CODE.as_bytes(), LONG);
    let hash = lab.host.load(&folder).unwrap().hash;
    let taken = lab.host.install(upload("p.tar", tar(&files)), None).unwrap_err();
    assert!(matches!(&taken, LoadError::NameTaken { taken: Origin::Path(at), .. } if *at == folder), "{taken}");
    lab.host.remove(&super::support::name("p")).unwrap();
    for (file, bytes) in [
        ("p.tar", tar(&files)),
        ("p.tar", tar(&nested)),
        ("p.tar.gz", gzip(&tar(&files))),
        ("p.TGZ", gzip(&tar(&nested))),
        ("p.zip", zip(&files)),
        ("p.zip", zip(&nested)),
    ] {
        let info = lab.host.install(upload(file, bytes.clone()), None).unwrap();
        assert_eq!((info.hash, info.origin), (hash.clone(), Origin::Upload(file.into())));
        let path = lab.home.path().join(file);
        std::fs::write(&path, bytes).unwrap();
        lab.host.remove(&info.name).unwrap();
        let loaded = lab.host.load(&path).unwrap();
        assert_eq!((&loaded.hash, loaded.origin), (&hash, Origin::Path(path)));
        lab.host.remove(&info.name).unwrap();
    }
}

#[test]
fn a_file_with_its_manifest_inside_is_a_plugin() {
    let lab = Lab::new();
    let source = format!(
        "//! Does nothing.\n//! ```headend-plugin\n//! name = \"inner\"\n//! version = \"1\"\n//! kind = \"coverage-policy\"\n\
         //! world = \"1.0.0\"\n//! [limits]\n//! deadline_ms = 30000\n//! ```\n{CODE}\n"
    );
    let info = lab.host.install(upload("inner.rhai", source.clone().into_bytes()), None).unwrap();
    assert_eq!((info.name.as_str(), info.limits.deadline_ms), ("inner", 30_000));
    let wrong = source.replace("deadline_ms", "deadline");
    let error = lab.host.install(upload("inner.rhai", wrong.into_bytes()), None).unwrap_err();
    assert!(error.to_string().starts_with("inner.rhai, line 8: unknown key `limits.deadline`"), "{error}");
    let error = lab.host.install(upload("bare.rhai", CODE.into()), None).unwrap_err();
    assert!(error.to_string().contains("has no manifest inside"), "{error}");
}

#[test]
fn what_is_no_honest_bundle_is_refused_and_says_why() {
    let lab = Lab::new();
    let text = manifest("p", "p.rhai", "");
    let (toml, code) = (("headend-plugin.toml", text.as_bytes()), ("p.rhai", CODE.as_bytes()));
    let whole = tar(&[toml, code]);
    let link = {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "p.rhai", "/etc/passwd").unwrap();
        tar.into_inner().unwrap()
    };
    let zeros = vec![0; 40 << 20];
    let many: Vec<(String, Vec<u8>)> = (0..300).map(|n| (format!("f{n}"), vec![])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let cases: [(&str, Vec<u8>, &str); 13] = [
        ("p.tar", tar(&[code]), "must hold one headend-plugin.toml"),
        ("p.tar", tar(&[toml]), "\"p.rhai\", which its manifest names, is not beside"),
        ("p.tar", tar(&[("a/headend-plugin.toml", toml.1), ("b/headend-plugin.toml", toml.1)]), "must hold one"),
        ("p.tar", tar(&[toml, toml, code]), "holds headend-plugin.toml twice"),
        ("p.tar", tar(&[toml, ("../p.rhai", code.1)]), "leads out of it"),
        ("p.tar", tar(&[toml, ("/p.rhai", code.1)]), "leads out of it"),
        ("p.tar", link, "is a link"),
        ("p.tar", tar(&many), "more than 256 entries"),
        ("p.tar.gz", gzip(&tar(&[toml, code, ("big", &zeros)])), "more than 36 MiB"),
        ("p.zip", zip(&[toml, code, ("big", &zeros)]), "more than 36 MiB"),
        ("p.tar", whole[..700].to_vec(), ""),
        ("p.zip", whole.clone(), ""),
        ("p.tar.gz", whole, ""),
    ];
    for (file, bytes, words) in cases {
        let error = lab.host.install(upload(file, bytes), None).unwrap_err();
        assert!(matches!(&error, LoadError::Bundle { .. }), "{file}: {error}");
        assert_eq!(error.step(), Step::Read);
        assert!(error.to_string().contains(words), "{file}: {error}");
    }
    assert_eq!(lab.host.list(), []);
}

#[test]
fn a_trial_tells_each_step_and_changes_nothing() {
    let lab = Lab::new();
    let try_out = |text: String, code: &str| {
        let bytes = tar(&[("headend-plugin.toml", text.as_bytes()), ("p.rhai", code.as_bytes())]);
        lab.host.try_out(upload("p.tar", bytes), None)
    };
    let good = try_out(manifest("p", "p.rhai", LONG), CODE);
    assert!(good.error.is_none() && good.info.is_some());
    let told: Vec<String> = good.steps().map(|(step, how)| format!("{step} {how}")).collect();
    assert_eq!(told[..2], ["read passed", "manifest passed"]);
    assert_eq!(told[8..], ["self-check passed", "keep not reached", "switch not reached"]);
    let failed = |text: String, code: &str| {
        let tried = try_out(text, code);
        let step = tried.steps().find(|(_, how)| *how == "failed").map(|(step, _)| step);
        (step.unwrap(), tried.info.is_some())
    };
    let good = manifest("p", "p.rhai", LONG);
    assert_eq!(failed(good.replace("name", "nmae"), CODE), (Step::Manifest, false));
    assert_eq!(failed(good.replace("world = \"1", "world = \"7"), CODE), (Step::World, true));
    assert_eq!(failed(good.clone(), "fn propose("), (Step::Compile, true));
    assert_eq!(failed(good.clone(), "fn other() { }"), (Step::Link, true));
    assert_eq!(failed(good, "fn propose(plan, free) { throw 1; }"), (Step::SelfCheck, true));
    assert_eq!(lab.host.list(), []);
}
