//! The proving ground: what tries Tillway as shops, networks and people would. Nothing imports this crate.

pub mod browser;
pub mod catalogue;
pub mod cli;
pub mod cloud;
pub mod demo;
pub mod hq;
pub mod lane;
pub mod printer;
pub mod process;
pub mod proof;
pub mod receipts;
pub mod relay;
pub mod replay;
pub mod store;
pub mod town;
pub mod trust;
pub mod wire;
pub mod world;
