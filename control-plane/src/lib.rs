//! Head office: tenants, their shops and nodes, what they sold and what they sell. One binary over PostgreSQL.
//! Everything that runs is wired in `serve`; everything that is known about a noun is in `domain`.

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod domain;
pub mod gateway;
pub mod http;
pub mod jobs;
pub mod mail;
pub mod notify;
pub mod outbound;
pub mod rng;
pub mod secret_file;
pub mod serve;
pub mod telemetry;
pub mod web;
