//! Stories of a till, told over the real sockets of a real agent: what it sells, what it refuses, and what it
//! remembers after the power went. No head office is there in any of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that goes wrong fails where it went wrong")]

mod bad_input;
mod doctor;
mod doors;
mod fixture;
mod memory;
mod paper;
mod power;
mod printing;
mod returns;
mod selling;
mod service;
mod staff;
mod status;
