//! What a run leaves for people: pictures, films, film strips, copies of its sources, and the page that shows all of it.

pub mod avi;
mod label;
pub mod page;
pub mod pictures;
pub mod playable;
pub mod source;
pub mod strip;
