//! Between the component's functions and the trait.

use std::cell::RefCell;

use super::{Analyser, Frame, News, Setup, Sound, Verdict};

#[allow(missing_docs, clippy::pedantic, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/v1/analyser",
        world: "analyser",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "headend_sdk::analyser::seat::bindings",
    });
}

/// The analyser of this instance. `None` before `build`. Components have one thread and are never entered twice at once.
pub struct Seat<A>(RefCell<Option<A>>);

impl<A: Analyser> Seat<A> {
    #[allow(clippy::new_without_default, reason = "made by the macro only, as a constant")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    pub fn build(&self, setup: Setup) -> Result<(), String> {
        *self.0.borrow_mut() = Some(A::build(setup)?);
        Ok(())
    }

    pub fn feed(&self, frame: &Frame) -> Option<Verdict> {
        self.with(|analyser| analyser.feed(frame))
    }

    pub fn hear(&self, sound: &Sound) -> Option<Verdict> {
        self.with(|analyser| analyser.hear(sound))
    }

    pub fn read(&self, news: &News) -> Option<Verdict> {
        self.with(|analyser| analyser.read_lines(news))
    }

    pub fn finish(&self) -> Option<Verdict> {
        self.with(A::finish)
    }

    #[allow(clippy::expect_used, reason = "the host calls `build` first; a panic here ends the instance, as it should")]
    fn with<T>(&self, work: impl FnOnce(&mut A) -> T) -> T {
        work(self.0.borrow_mut().as_mut().expect("`build` comes before every other call"))
    }
}

/// The guest's functions over a seat in a `thread_local`.
#[doc(hidden)]
#[macro_export]
macro_rules! __analyser_instance_of {
    ($analyser:ty) => {
        ::std::thread_local! {
            static SEAT: $crate::analyser::seat::Seat<$analyser> = const { $crate::analyser::seat::Seat::new() };
        }
        struct Exported;
        impl $crate::analyser::seat::bindings::exports::headend::analyser::analysing::Guest for Exported {
            fn build(setup: $crate::analyser::Setup) -> ::std::result::Result<(), ::std::string::String> {
                SEAT.with(|seat| seat.build(setup))
            }
            fn feed(frame: &$crate::analyser::Frame) -> ::std::option::Option<$crate::analyser::Verdict> {
                SEAT.with(|seat| seat.feed(frame))
            }
            fn hear(sound: &$crate::analyser::Sound) -> ::std::option::Option<$crate::analyser::Verdict> {
                SEAT.with(|seat| seat.hear(sound))
            }
            fn finish() -> ::std::option::Option<$crate::analyser::Verdict> {
                SEAT.with(|seat| seat.finish())
            }
        }
        impl $crate::analyser::seat::bindings::exports::headend::analyser::serial::Guest for Exported {
            fn read(news: $crate::analyser::News) -> ::std::option::Option<$crate::analyser::Verdict> {
                SEAT.with(|seat| seat.read(&news))
            }
        }
        $crate::analyser::seat::bindings::export!(Exported with_types_in $crate::analyser::seat::bindings);
    };
}

pub use __analyser_instance_of as instance_of;
