//! Trailers on their way, in either direction.

use http::{HeaderMap, header};

use super::{forward, head::Marks, recorder::Recorder};
use crumbgate_policy::{self as policy, Mode};

/// Removes hop-by-hop fields and cookies (R7, S5) from trailers, and records a verdict for each cookie. In report mode
/// (T4) the cookies stay.
pub(super) fn clean_trailers(trailers: &mut HeaderMap, recorder: &Recorder) {
    let unix_s = recorder.unix_s();
    let mut record = recorder.record_at(unix_s);
    for field in trailers.get_all(header::COOKIE) {
        policy::judge_misplaced_cookie(field.as_bytes(), &mut record);
    }
    for field in trailers.get_all(header::SET_COOKIE) {
        policy::judge_misplaced_set_cookie(field.as_bytes(), unix_s, &mut record);
    }
    let marks = Marks::of(trailers);
    forward::remove_hop_by_hop(trailers, marks);
    if recorder.tenant().policy.mode == Mode::Enforce {
        for name in [header::COOKIE, header::SET_COOKIE] {
            trailers.remove(name);
        }
        forward::remove_obsolete_cookies(trailers, marks);
    }
}
