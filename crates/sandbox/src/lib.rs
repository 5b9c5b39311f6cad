//! Linux and the Runtime API: how a function runs on this machine.

pub mod clients;
