//! Does nothing but report: what a run costs.

use headend_sdk::script::{Result, Session, TestResult};

headend_sdk::script!(|_: &mut Session| -> Result<TestResult> { Ok(TestResult::Pass) });
