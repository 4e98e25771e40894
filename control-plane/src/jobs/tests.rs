//! Jobs: claimed, lost, tried again, given up; fair, and once.
