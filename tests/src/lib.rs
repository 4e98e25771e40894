//! The proving ground: what tries Tillway as shops, networks and people would. Nothing imports this crate.
