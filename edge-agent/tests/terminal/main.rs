//! Stories of a till, told over the real sockets of a real agent: what it sells, what it refuses, and what it
//! remembers after the power went. No head office is there in any of them.

mod bad_input;
mod fixture;
mod memory;
mod returns;
mod selling;
