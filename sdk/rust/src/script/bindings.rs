//! Made from the WIT, which has the documentation.

#![allow(missing_docs, clippy::all, clippy::pedantic, reason = "made by a macro")]

wit_bindgen::generate!({
    path: "../wit/v1/script",
    world: "script",
    pub_export_macro: true,
    default_bindings_module: "headend_sdk::script::bindings",
});
