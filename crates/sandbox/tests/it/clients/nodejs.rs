//! The Node client (filled below).
