//! The in-store messages as a shop lives with them: the real agent and head office, and `mosquitto_sub` as the lanes'
//! client, which is not ours. What was heard is judged by the committed schemas with a validator that is not ours.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a story that finds nothing ends the story")]

mod documents;
mod ears;
mod lanes;
mod picture;
mod restart;
#[allow(dead_code, reason = "the scene is shared with the other stories, which use all of it")]
#[path = "../stories/street.rs"]
mod street;
