//! `crumbgate-bench`: what `bench/run` and `bench/gate` call.

fn main() {}
