//! wrk and h2load: run, and read.
