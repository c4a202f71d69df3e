//! The plain listeners: they redirect to https.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;

use super::{
    access::Record,
    admission,
    body::Body,
    connection::Activity,
    exchange::last_of_its_connection,
    rejection::{Rejection, Representation},
    worker::Worker,
};
use crumbgate_audit::tenants::split_authority;

/// Redirects a plain request to the same address under https, or rejects it. `refused` is true if the connection exceeds
/// the limit; `listener_port` is the port that it was made to.
pub(crate) async fn answer(
    worker: &Worker,
    activity: &Arc<Activity>,
    listener_port: u16,
    refused: bool,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let has_body = !request.body().is_end_stream();
    let record = Record::new(activity.begin_exchange(has_body), None);
    let redirected = if refused {
        Err(Rejection::Overloaded)
    } else {
        redirect(worker, listener_port, &request)
    };
    if redirected.is_ok() {
        worker.metrics.count_redirect();
    }
    let response = redirected.unwrap_or_else(|rejection| {
        worker.metrics.count_rejection(rejection.reason());
        let id = worker.request_ids.of(request.headers());
        rejection.into_response(Representation::asked_by(request.headers()), &id, true)
    });
    let response = last_of_its_connection(response, worker.connections.is_draining());
    Ok(response.map(|body| body.recorded_by(record)))
}

/// Redirects to hosts of tenants only.
fn redirect(
    worker: &Worker,
    listener_port: u16,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Rejection> {
    let authority = admission::authority(request)?;
    let host = admission::host(&authority)?;
    admission::find_tenant(&host, None, |host| worker.config().find_tenant(host))?;
    let target = request.uri().path_and_query().map(|target| target.as_str());
    // The target of `OPTIONS *` has no path, and would become a part of the host.
    let target = target.filter(|target| target.starts_with('/')).unwrap_or("/");
    let location = match public_https_port(worker, listener_port, &authority) {
        HTTPS_PORT => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    let location = HeaderValue::try_from(location)
        .map_err(|_| Rejection::Authority("the target is not a valid field value"))?;
    let mut response = Response::new(Body::none());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// Returns the port of https, as the client sees it: the configured one, unless the client used port 80 and the listener
/// has another. Then a container or a load balancer before the gateway forwards the usual ports.
fn public_https_port(worker: &Worker, listener_port: u16, authority: &HeaderValue) -> u16 {
    let written = authority.to_str().ok().and_then(split_authority).and_then(|(_, port)| port);
    let came_by = written.unwrap_or(HTTP_PORT);
    if came_by == HTTP_PORT && listener_port != HTTP_PORT {
        HTTPS_PORT
    } else {
        worker.config().snapshot.https_port
    }
}

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
