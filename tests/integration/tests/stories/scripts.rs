//! Small scripts that the stories upload.

/// Takes a slot, presses a key, passes.
pub(crate) const PASS: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    press("Menu");
    result(PASS);
"#;

/// Waits a while of the box's time, then passes.
pub(crate) const SLOW: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    wait(2.0);
    press("Menu");
    result(PASS);
"#;

/// A Python script with this body after the usual opening.
pub(crate) fn python(body: &str) -> String {
    format!(
        "import os, sys, time, signal\nimport stormtest.ClientAPI as StormTest\nfrom stormtest.ClientAPI import TM\n\
         StormTest.ConnectToServer('any', 'story')\nStormTest.ReserveSlot(1, 'default')\n{body}\n"
    )
}
