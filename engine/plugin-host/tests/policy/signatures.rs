//! Whose plugins are let in.

use headend_plugin_host::lifecycle::{LoadError, Upload};
use headend_plugin_host::trust::{SignatureFault, SignatureInfo, SignatureMode, TrustedKey};
use minisign::KeyPair;
use sha2::{Digest, Sha256};

use super::bundles::tar;
use super::support::{Lab, manifest, name};

const CODE: &[u8] = b"fn propose(plan, free) { [] }";
const LONG: &str = "[limits]\ndeadline_ms = 30000";

fn sign(keys: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(Some(&keys.pk), &keys.sk, bytes, Some("by the lab"), None).unwrap().to_string()
}

fn lab(mode: SignatureMode, keys: &KeyPair) -> Lab {
    Lab::with(|config| {
        config.trust.mode = mode;
        config.trust.keys = vec![TrustedKey::parse(&keys.pk.to_base64()).unwrap()];
    })
}

fn bundle(more: &str) -> Vec<u8> {
    let text = manifest("p", "p.rhai", more);
    tar(&[("headend-plugin.toml", text.as_bytes()), ("p.rhai", CODE)])
}

fn fault(error: LoadError) -> SignatureFault {
    match error {
        LoadError::Signature { source, .. } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn only_what_a_trusted_key_has_signed_is_let_in() {
    let (keys, stranger) =
        (KeyPair::generate_unencrypted_keypair().unwrap(), KeyPair::generate_unencrypted_keypair().unwrap());
    let lab = lab(SignatureMode::Require, &keys);
    let send = |bytes: &[u8], signature: Option<String>| {
        lab.host.install(Upload { file: "p.tar".into(), bytes: bytes.to_vec(), signature }, None)
    };
    let bytes = bundle(LONG);
    assert!(matches!(fault(send(&bytes, None).unwrap_err()), SignatureFault::Missing { .. }));
    assert!(matches!(
        fault(send(&bytes, Some(sign(&stranger, &bytes))).unwrap_err()),
        SignatureFault::UnknownKey { .. }
    ));
    let other = bundle("description = \"other\"\n[limits]\ndeadline_ms = 30000");
    assert!(matches!(fault(send(&other, Some(sign(&keys, &bytes))).unwrap_err()), SignatureFault::Tampered { .. }));
    assert_eq!(lab.host.list(), []);
    let info = send(&bytes, Some(sign(&keys, &bytes))).unwrap();
    assert!(matches!(&info.signature, SignatureInfo::Good(signer) if signer.comment == "by the lab"));
    let again = lab.host.reload(&name("p")).unwrap();
    assert_eq!(again.signature, info.signature, "what is kept is looked at again");
}

#[test]
fn a_folder_is_signed_by_its_manifest_which_names_the_code() {
    let keys = KeyPair::generate_unencrypted_keypair().unwrap();
    let lab = lab(SignatureMode::Require, &keys);
    let signed = |more: &str| {
        let folder = lab.write("p", "p.rhai", CODE, more);
        let text = std::fs::read(folder.join("headend-plugin.toml")).unwrap();
        std::fs::write(folder.join("headend-plugin.toml.minisig"), sign(&keys, &text)).unwrap();
        folder
    };
    assert_eq!(fault(lab.host.load(&signed(LONG)).unwrap_err()), SignatureFault::CodeNotCovered);
    let folder = signed(&format!("sha256 = \"{}\"\n{LONG}", hex::encode(Sha256::digest(CODE))));
    lab.host.load(&folder).unwrap();
    std::fs::write(folder.join("p.rhai"), "fn propose(plan, free) { [ ] }").unwrap();
    assert!(matches!(lab.host.load(&folder), Err(LoadError::OtherCode { .. })));
    assert!(lab.host.roll_back(&name("p"), Some(&lab.host.list()[0].hash)).is_ok(), "kept with its signature");
}

#[test]
fn in_mode_warn_it_is_let_in_and_said() {
    let lab = lab(SignatureMode::Warn, &KeyPair::generate_unencrypted_keypair().unwrap());
    let info = lab.host.load(&lab.write("p", "p.rhai", CODE, LONG)).unwrap();
    assert!(matches!(info.signature, SignatureInfo::Doubtful(SignatureFault::Missing { .. })));
}
