//! Tests of the policy through its public interface: properties, public test vectors, and the examples of its document.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect fails")]

mod examples;
mod exchange;
mod http_state;
mod requests;
mod responses;
mod sealing;
mod superseded;
mod withdrawal;
