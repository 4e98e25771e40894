//! Stories: what a shop and a head office live through, told with the real binaries and a real PostgreSQL.
//! Each starts its own Tillway and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a story that finds nothing ends the story")]

mod bad_input;
mod companies;
mod hq_down;
mod live;
mod offline;
mod pages;
mod power;
mod prices;
mod printing;
mod rooms;
mod second_factors;
mod staff;
mod status;
mod street;
mod tenants;
