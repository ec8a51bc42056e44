//! Between the component's functions and the trait.

use std::cell::RefCell;

use super::{Device, Job, QueuePolicy};

#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/v2/policy",
        world: "queue-policy",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "headend_sdk::policy::queue::bindings",
    });
}

/// The policy of this instance. `None` before `build`. Components have one thread and are never entered twice at once.
pub struct Seat<P>(RefCell<Option<P>>);

impl<P: QueuePolicy> Seat<P> {
    #[allow(clippy::new_without_default, reason = "made by the macro only, as a constant")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    pub fn build(&self, parameters: &str) -> Result<(), String> {
        *self.0.borrow_mut() = Some(P::build(parameters)?);
        Ok(())
    }

    #[allow(clippy::expect_used, reason = "the host calls `build` first; a panic here ends the instance, as it should")]
    fn with<T>(&self, work: impl FnOnce(&P) -> T) -> T {
        work(self.0.borrow().as_ref().expect("`build` comes before every other call"))
    }

    pub fn rank(&self, of: &[Job]) -> Vec<i64> {
        self.with(|policy| of.iter().map(|job| policy.rank(job)).collect())
    }

    pub fn slot_rank(&self, of: &[Device]) -> Vec<i64> {
        self.with(|policy| of.iter().map(|device| policy.slot_rank(device)).collect())
    }
}

/// The guest's functions over a seat in a `thread_local`.
#[doc(hidden)]
#[macro_export]
macro_rules! __queue_instance_of {
    ($policy:ty) => {
        ::std::thread_local! {
            static SEAT: $crate::policy::queue::Seat<$policy> = const { $crate::policy::queue::Seat::new() };
        }
        struct Exported;
        impl $crate::policy::queue::bindings::exports::headend::policy::queue::Guest for Exported {
            fn build(parameters: ::std::string::String) -> ::std::result::Result<(), ::std::string::String> {
                SEAT.with(|seat| seat.build(&parameters))
            }
            fn rank(of: ::std::vec::Vec<$crate::policy::Job>) -> ::std::vec::Vec<i64> {
                SEAT.with(|seat| seat.rank(&of))
            }
            fn slot_rank(of: ::std::vec::Vec<$crate::policy::Device>) -> ::std::vec::Vec<i64> {
                SEAT.with(|seat| seat.slot_rank(&of))
            }
        }
        $crate::policy::queue::bindings::export!(Exported with_types_in $crate::policy::queue::bindings);
    };
}

pub use __queue_instance_of as instance_of;
