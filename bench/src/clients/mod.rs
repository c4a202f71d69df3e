//! The loads that wrk and h2load can't be.
