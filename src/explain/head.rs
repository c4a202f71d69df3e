//! Makes of pasted messages the heads that HTTP makes of them.

use std::{
    borrow::Cow,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use hyper::{
    body::{Body, Bytes, Frame, SizeHint},
    ext::Protocol,
};

use super::{
    Refusal, Rule,
    transcript::{self, Fields},
};

/// The body of a pasted request: its length, in bytes. `None` if the head does not contain it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PastedBody(Option<u64>);

impl Body for PastedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.0 == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// Makes a request of HTTP of a pasted one, or the answer of HTTP to what is none.
pub(super) fn request(pasted: &transcript::Request) -> Result<Request<PastedBody>, Refusal> {
    let refused = |reason: &str| Refusal::of_http(400, reason.to_owned());
    let mut fields = fields(&pasted.fields).map_err(|unwritable| unwritable.refusal(400, ""))?;
    if fields.contains_key(header::TRANSFER_ENCODING) {
        // The length does not count next to it, and hyper removes it (RFC 9112, section 6.3).
        fields.remove(header::CONTENT_LENGTH);
    }
    let bytes = body_bytes(&fields).ok_or_else(|| refused("Content-Length is not one number"))?;
    let mut request = Request::new(PastedBody(bytes));
    *request.method_mut() = Method::from_bytes(pasted.method.as_bytes())
        .map_err(|_| refused("the method is not a token"))?;
    if pasted.target.len() > MAX_TARGET_BYTES {
        let reason = format!("HTTP programs read no target of more than {MAX_TARGET_BYTES} bytes");
        return Err(Refusal::of_http(414, reason));
    }
    *request.uri_mut() =
        pasted.target.parse::<Uri>().map_err(|_| refused("HTTP allows no such target"))?;
    *request.version_mut() = pasted.version;
    *request.headers_mut() = fields;
    if let (Some(protocol), true) = (&pasted.protocol, *request.method() == Method::CONNECT) {
        // The only protocol that the gateway knows; any other leaves an ordinary CONNECT.
        if protocol.eq_ignore_ascii_case("websocket") {
            request.extensions_mut().insert(Protocol::from_static("websocket"));
        }
    }
    Ok(request)
}

/// The longest target that hyper accepts, in bytes.
const MAX_TARGET_BYTES: usize = 65_534;

/// Returns the length of the body according to the head: `None` if it is not one number, `Some(None)` if it is unknown.
fn body_bytes(fields: &HeaderMap) -> Option<Option<u64>> {
    let mut lengths = fields.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Some((!fields.contains_key(header::TRANSFER_ENCODING)).then_some(0));
    };
    let digits = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let bytes = digits?.parse().ok()?;
    lengths.all(|other| other == length).then_some(Some(bytes))
}

/// A head that HTTP can't have.
pub(super) enum Unwritable {
    /// The field of this name has a control byte.
    ControlByte(String),
    /// There are more fields than any program reads.
    TooMany,
}

impl Unwritable {
    /// Describes the answer to such a head, with `of` behind the name of the field.
    pub(super) fn refusal(&self, status: u16, of: &str) -> Refusal {
        match self {
            Self::ControlByte(name) => {
                let reason =
                    format!("HTTP allows no control byte in a field, and {name}{of} has one");
                Refusal::of_http(status, reason)
            }
            Self::TooMany => {
                let reason = "the head has far too many fields".to_owned();
                let status = if status == 400 { 431 } else { status };
                Refusal {
                    rule: (status == 431).then_some(Rule::R8),
                    ..Refusal::of_http(status, reason)
                }
            }
        }
    }
}

/// Makes header fields of HTTP of pasted ones.
pub(super) fn fields(pasted: &Fields) -> Result<HeaderMap, Unwritable> {
    let mut fields = HeaderMap::new();
    for (name, value) in pasted.iter() {
        let control_byte = || Unwritable::ControlByte(name.to_owned());
        let (Ok(key), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
        else {
            return Err(control_byte());
        };
        fields.try_append(key, value).map_err(|_| Unwritable::TooMany)?;
    }
    Ok(fields)
}

/// Returns the path of a target, without its query.
pub(super) fn path(target: &str) -> Cow<'_, str> {
    match target.parse::<Uri>() {
        Ok(uri) => Cow::Owned(uri.path().to_owned()),
        Err(_) => Cow::Borrowed(target.split(['?', '#']).next().unwrap_or_default()),
    }
}
