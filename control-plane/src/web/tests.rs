//! Placeholder lines until the pages stand.
