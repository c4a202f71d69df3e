//! Instruction counts of the pure parts, as callgrind has them.
