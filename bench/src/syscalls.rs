//! System calls for each request.
