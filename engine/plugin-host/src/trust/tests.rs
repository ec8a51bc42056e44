use minisign::KeyPair;

use super::*;

/// A key and its signature of `test`, as published with minisign: one of the whole, one of the hash.
const PUBLISHED: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966\tfile:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";
const PREHASHED: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==";

fn trust(mode: SignatureMode, keys: &[&str]) -> Trust {
    Trust { mode, keys: keys.iter().map(|key| TrustedKey::parse(key).unwrap()).collect(), folder: None }
}

fn claim<'a>(bytes: &'a [u8], signature: Option<&'a str>) -> Claim<'a> {
    Claim { what: "p.tar", bytes, signature, covers_code: true }
}

fn signed(bytes: &[u8]) -> (String, String) {
    let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().unwrap();
    let text = minisign::sign(Some(&pk), &sk, bytes, Some("made for a test"), None).unwrap();
    (pk.to_base64(), text.to_string())
}

#[test]
fn both_forms_of_signature_are_taken_and_their_comment_shown() {
    let trust = trust(SignatureMode::Require, &[PUBLISHED]);
    for (text, comment) in
        [(LEGACY, "timestamp:1555779966 file:test"), (PREHASHED, "timestamp:1633700835 file:test prehashed")]
    {
        let SignatureInfo::Good(signer) = trust.look(&claim(b"test", Some(text))).unwrap() else { panic!("{text}") };
        assert_eq!((signer.key.as_str(), signer.comment.as_str()), ("E7620F1842B4E81F", comment));
        let fault = trust.look(&claim(b"tesu", Some(text))).unwrap_err();
        assert!(matches!(&fault, SignatureFault::Tampered { .. }), "{fault}");
        let other_comment = text.replace("file:test", "file:best");
        let fault = trust.look(&claim(b"test", Some(&other_comment))).unwrap_err();
        assert!(matches!(&fault, SignatureFault::Tampered { .. }), "the comment is signed too: {fault}");
    }
}

#[test]
fn only_trusted_keys_count() {
    let (key, text) = signed(b"bytes");
    let (stranger, _) = signed(b"bytes");
    let good = trust(SignatureMode::Require, &[&stranger, &key]).look(&claim(b"bytes", Some(&text))).unwrap();
    assert!(matches!(good, SignatureInfo::Good(signer) if signer.comment == "made for a test"));
    let fault = trust(SignatureMode::Require, &[&stranger]).look(&claim(b"bytes", Some(&text))).unwrap_err();
    assert!(fault.to_string().contains("not trusted here; trusted are "), "{fault}");
    let fault = trust(SignatureMode::Require, &[]).look(&claim(b"bytes", Some(&text))).unwrap_err();
    assert!(fault.to_string().contains("no key is; name the signer's key with --trusted-key"), "{fault}");
}

#[test]
fn what_is_no_signature_is_told_apart() {
    let (key, text) = signed(b"bytes");
    let trust = trust(SignatureMode::Require, &[&key]);
    let fault = trust.look(&claim(b"bytes", None)).unwrap_err();
    assert!(fault.to_string().contains("put p.tar.minisig beside it"), "{fault}");
    let half = &text[..text.len() / 2];
    for text in ["", "a\nb\nc\nd", half, "\u{fffd}\n\u{fffd}\n\u{fffd}\n"] {
        let fault = trust.look(&claim(b"bytes", Some(text))).unwrap_err();
        assert!(matches!(&fault, SignatureFault::Malformed { .. }), "{text:?}: {fault}");
    }
    let uncovered = Claim { covers_code: false, ..claim(b"bytes", Some(&text)) };
    assert_eq!(trust.look(&uncovered), Err(SignatureFault::CodeNotCovered));
}

#[test]
fn modes_differ_in_what_they_do_about_it() {
    assert_eq!(trust(SignatureMode::Off, &[]).look(&claim(b"", Some("x"))), Ok(SignatureInfo::NotChecked));
    let doubt = trust(SignatureMode::Warn, &[]).look(&claim(b"", None)).unwrap();
    assert!(matches!(doubt, SignatureInfo::Doubtful(SignatureFault::Missing { .. })));
}

#[test]
fn a_folder_of_keys_is_read_anew_and_bad_files_only_shorten_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (key, text) = signed(b"bytes");
    let trust = Trust { mode: SignatureMode::Require, keys: Vec::new(), folder: Some(folder.path().into()) };
    assert!(trust.look(&claim(b"bytes", Some(&text))).is_err());
    std::fs::write(folder.path().join("broken.pub"), "nothing").unwrap();
    let file = folder.path().join("lab.pub");
    std::fs::write(&file, format!("untrusted comment: ours\n{key}\n")).unwrap();
    let SignatureInfo::Good(signer) = trust.look(&claim(b"bytes", Some(&text))).unwrap() else { panic!("not good") };
    assert_eq!(signer.name, "lab");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(trust.look(&claim(b"bytes", Some(&text))).is_err(), "a key that anybody may write is nobody's");
}
