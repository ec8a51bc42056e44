//! What a run leaves for people: pictures, films, film strips, and the page that shows all of it.

pub mod avi;
pub mod page;
pub mod pictures;
pub mod strip;
