//! The folder of plugins is followed while the host is in use.

use std::fs;
use std::sync::mpsc::{self, Receiver};

use headend_plugin_host::lifecycle::{FolderChange, FolderWatch};

use super::fixture::Fixture;
use super::support::{Lab, name, wait_for};

const LONG: &str = "[limits]\ndeadline_ms = 30000";

fn watch(lab: &Lab) -> (FolderWatch, Receiver<FolderChange>) {
    let (tell, told) = mpsc::channel();
    let watch = lab.host.watch(&lab.plugins(), move |change| {
        let _ = tell.send(change);
    });
    (watch.unwrap(), told)
}

fn loaded(told: &Receiver<FolderChange>) -> String {
    wait_for("a load", || match told.try_recv().ok()? {
        FolderChange::Loaded(info) => Some(format!("{} {}", info.name, info.hash)),
        // A folder that is still being written may fail first.
        FolderChange::Failed { .. } => None,
        FolderChange::Removed(name) => panic!("{name} was removed"),
        FolderChange::Gone(folder) => panic!("{} has gone", folder.display()),
    })
}

#[test]
fn what_appears_is_loaded_what_changes_is_replaced_what_goes_is_removed() {
    let lab = Lab::new();
    lab.write("first", "p.wasm", &Fixture::default().wasm(), LONG);
    let (_watch, told) = watch(&lab);
    assert!(loaded(&told).starts_with("first "), "what is there already is loaded");

    lab.write("second", "p.rhai", b"fn propose(plan, free) { [] }", LONG);
    let before = loaded(&told);
    assert!(before.starts_with("second "), "{before}");

    lab.write("second", "p.rhai", b"fn propose(plan, free) { let nothing = []; nothing }", LONG);
    let after = loaded(&told);
    assert!(after.starts_with("second ") && after != before, "{after}");

    fs::remove_dir_all(lab.plugins().join("second")).unwrap();
    let removed = wait_for("the removal", || match told.try_recv().ok()? {
        FolderChange::Removed(name) => Some(name),
        // Its files go one by one.
        FolderChange::Failed { .. } | FolderChange::Loaded(_) | FolderChange::Gone(_) => None,
    });
    assert_eq!(removed, name("second"));
    assert_eq!(lab.host.list().iter().map(|info| info.name.to_string()).collect::<Vec<_>>(), ["first"]);
}

#[test]
fn a_half_written_file_does_no_harm_and_the_rest_of_it_is_taken_up() {
    let lab = Lab::new();
    let (_watch, told) = watch(&lab);
    let whole = Fixture::default().wasm();
    lab.write("slow", "p.wasm", &whole[..whole.len() / 2], LONG);
    wait_for("the failure", || match told.try_recv().ok()? {
        FolderChange::Failed { folder, .. } => folder.ends_with("slow").then_some(()),
        FolderChange::Loaded(_) | FolderChange::Removed(_) | FolderChange::Gone(_) => None,
    });
    lab.write("slow", "p.wasm", &whole, LONG);
    assert!(loaded(&told).starts_with("slow "));
}

#[test]
fn a_broken_one_that_goes_away_is_told_to_have_gone() {
    let lab = Lab::new();
    let (_watch, told) = watch(&lab);
    let folder = lab.write("odd", "p.rhai", b"no rhai {", LONG);
    wait_for("the failure", || matches!(told.try_recv().ok()?, FolderChange::Failed { .. }).then_some(()));
    fs::remove_dir_all(&folder).unwrap();
    let gone = wait_for("the end of it", || match told.try_recv().ok()? {
        FolderChange::Gone(folder) => Some(folder),
        // Its files go one by one.
        _ => None,
    });
    assert!(gone.ends_with("odd"), "{}", gone.display());
}
