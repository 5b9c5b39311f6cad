//! (room: domain)
