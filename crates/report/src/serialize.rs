//! The forms of values in the JSON.

use crumbgate_base::text::rfc3339;
use crumbgate_ledger::codes::Coded;
use crumbgate_policy::requested::RequestedLifetime;
use serde::{Serialize, Serializer};

pub(super) fn moment<S: Serializer>(unix_s: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*unix_s))
}

pub(super) fn object<S: Serializer>(
    pairs: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

pub(super) fn word<T: Coded, S: Serializer>(member: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(member.text())
}

pub(super) fn lifetimes<S: Serializer>(
    lifetimes: &[(RequestedLifetime, u64)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct LifetimeCount {
        lifetime: &'static str,
        count: u64,
    }
    let counts = lifetimes
        .iter()
        .map(|(step, count)| LifetimeCount { lifetime: step.word(), count: *count });
    serializer.collect_seq(counts)
}
