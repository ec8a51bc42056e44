//! Between the component's function and the trait.

use std::marker::PhantomData;

use super::QueuePolicy;

#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/v1/policy",
        world: "queue-policy",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "headend_sdk::policy::queue::bindings",
    });
}

/// The guest's function for a policy type.
pub struct Adapter<P>(PhantomData<P>);

impl<P: QueuePolicy> bindings::exports::headend::policy::queue::Guest for Adapter<P> {
    fn rank(of: super::Job) -> i64 {
        P::rank(&of)
    }
}
