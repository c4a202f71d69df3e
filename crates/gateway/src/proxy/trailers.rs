//! The trailers of a request or a response.

use http::{HeaderMap, header};

use super::{head::HeaderFlags, hop_by_hop, recorder::Recorder};
use crumbgate_policy::{self as policy, Mode};

/// Removes hop-by-hop fields and cookies from trailers (R7, S5), and records a verdict for each cookie. In report mode the
/// cookies stay (T4).
pub(super) fn clean_trailers(trailers: &mut HeaderMap, recorder: &Recorder) {
    let unix_s = recorder.unix_s();
    let mut record = recorder.record_at(unix_s);
    for field in trailers.get_all(header::COOKIE) {
        policy::judge_misplaced_cookie(field.as_bytes(), &mut record);
    }
    for field in trailers.get_all(header::SET_COOKIE) {
        policy::judge_misplaced_set_cookie(field.as_bytes(), unix_s, &mut record);
    }
    let flags = HeaderFlags::of(trailers);
    hop_by_hop::remove_hop_by_hop(trailers, flags);
    if recorder.tenant().policy.mode == Mode::Enforce {
        for name in [header::COOKIE, header::SET_COOKIE] {
            trailers.remove(name);
        }
        hop_by_hop::remove_obsolete_cookies(trailers, flags);
    }
}
