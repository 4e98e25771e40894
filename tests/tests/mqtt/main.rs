//! The shop's MQTT as strangers meet it: mosquitto's clients and paho follow lanes through the guard with both
//! protocols and over both doors; who misbehaves is shut out, and nobody else notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper that finds nothing ends the test")]

mod crowd;
mod dies;
mod follow;
mod raw;
mod shop;
mod shut_out;
