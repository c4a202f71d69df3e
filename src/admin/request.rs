//! Extractors that read a request's path, query and body, and answer with a problem document where they can't.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::PathRejection},
};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The query parameters. Unknown and repeated parameters are rejected.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&head.uri);
        query.map(|Query(parameters)| Self(parameters)).map_err(|rejection| {
            let detail = std::error::Error::source(&rejection)
                .map_or_else(|| rejection.body_text(), ToString::to_string);
            let problem = Problem::new(StatusCode::BAD_REQUEST, detail).key("the query");
            problem.help("/openapi.json lists the parameters of each route")
        })
    }
}

/// The `{host}` of the path.
pub(super) struct Host(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Host {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let host = Path::<String>::from_request_parts(head, state).await;
        host.map(|Path(host)| Self(host)).map_err(|rejection: PathRejection| {
            Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()).key("host")
        })
    }
}

/// The body, read as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|rejection| {
            Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()).key("the body")
        })?;
        read_json(&body).map(Self)
    }
}

/// Parses a body as JSON. A body of several megabytes takes long enough to belong on a blocking thread.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let key = error.path().to_string();
        let cause = error.into_inner();
        let status = match cause.classify() {
            serde_json::error::Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::BAD_REQUEST,
        };
        let key = if key == "." { "the body".to_owned() } else { key };
        Problem::new(status, cause.to_string()).key(key)
    })?;
    let rest = reader
        .end()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()).key("the body"));
    rest.map(|()| value)
}
