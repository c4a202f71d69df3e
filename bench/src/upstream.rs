//! The applications behind the targets.
