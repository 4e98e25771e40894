//! Mail against a server that is not ours, and kept.
