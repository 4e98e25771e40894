//! The ways on which bytes reach a device. Know nothing of what they mean.

pub(super) mod tcp;
