//! Between the component's functions and the trait.

use std::cell::RefCell;

use super::{Answer, Change, CoveragePolicy, Instant, News, Placement, Plan, TargetIx};

#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/v2/policy",
        world: "coverage-policy",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "headend_sdk::policy::coverage::bindings",
        additional_derives: [PartialEq],
    });
}

/// The policy of this instance. `None` before `build`.
///
/// Components have one thread and are never entered twice at once, so the cell is never borrowed twice.
pub struct Seat<P>(RefCell<Option<P>>);

impl<P: CoveragePolicy> Seat<P> {
    #[allow(clippy::new_without_default, reason = "made by the macro only, as a constant")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    pub fn build(&self, plan: &Plan) -> Result<(), String> {
        let mut policy = P::build(plan)?;
        plan.past.iter().for_each(|news| tell(&mut policy, news));
        *self.0.borrow_mut() = Some(policy);
        Ok(())
    }

    pub fn note(&self, news: &[News]) {
        self.with(|policy| news.iter().for_each(|news| tell(policy, news)));
    }

    pub fn propose(&self, now: Instant, free: &[TargetIx]) -> Answer {
        self.with(|policy| policy.propose(now, free).into())
    }

    pub fn reason(&self, of: Placement) -> String {
        self.with(|policy| policy.reason(of))
    }

    pub fn report(&self) -> String {
        self.with(P::report)
    }

    #[allow(clippy::expect_used, reason = "the host calls `build` first; a panic here ends the instance, as it should")]
    fn with<T>(&self, work: impl FnOnce(&mut P) -> T) -> T {
        work(self.0.borrow_mut().as_mut().expect("`build` comes before every other call"))
    }
}

fn tell<P: CoveragePolicy>(policy: &mut P, news: &News) {
    let at = news.at;
    match &news.what {
        Change::Started(placement) => policy.started(*placement, at),
        Change::Ended(ending) => policy.ended(ending.of, ending.code, at),
        Change::TargetLost(target) => policy.target_lost(*target, at),
        Change::Dropped(dropped) => policy.dropped(dropped.test, dropped.runs, at),
    }
}

/// The guest's functions over a seat in a `thread_local`.
#[doc(hidden)]
#[macro_export]
macro_rules! __coverage_instance_of {
    ($policy:ty) => {
        ::std::thread_local! {
            static SEAT: $crate::policy::coverage::Seat<$policy> = const { $crate::policy::coverage::Seat::new() };
        }
        struct Exported;
        impl $crate::policy::coverage::bindings::exports::headend::policy::coverage::Guest for Exported {
            fn build(plan: $crate::policy::Plan) -> ::std::result::Result<(), ::std::string::String> {
                SEAT.with(|seat| seat.build(&plan))
            }
            fn note(news: ::std::vec::Vec<$crate::policy::News>) {
                SEAT.with(|seat| seat.note(&news));
            }
            fn propose(
                now: $crate::policy::Instant,
                free: ::std::vec::Vec<$crate::policy::TargetIx>,
            ) -> $crate::policy::Answer {
                SEAT.with(|seat| seat.propose(now, &free))
            }
            fn reason(of: $crate::policy::Placement) -> ::std::string::String {
                SEAT.with(|seat| seat.reason(of))
            }
            fn report() -> ::std::string::String {
                SEAT.with(|seat| seat.report())
            }
        }
        $crate::policy::coverage::bindings::export!(Exported with_types_in $crate::policy::coverage::bindings);
    };
}

pub use __coverage_instance_of as instance_of;
