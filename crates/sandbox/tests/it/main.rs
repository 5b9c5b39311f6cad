//! Tests of the sandbox through its doors.

mod clients;
