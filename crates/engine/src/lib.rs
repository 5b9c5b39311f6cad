//! The use cases of Lambda, one small struct per noun, and the ports to what is outside.
//!
//! Asynchronous, but without HTTP, SQL or Linux: those implement the traits in [`ports`].

pub mod ports;
