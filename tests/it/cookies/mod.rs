//! Rules R, S, N, E and G1 to G5: the cookies of requests and responses.

mod caches;
mod corpus;
mod eviction;
mod renewal;
mod requests;
mod responses;
mod seal;
