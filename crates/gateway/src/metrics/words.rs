//! The closed sets by which numbers are told apart: each member is a label's value, and nothing else ever is one.

/// What a downstream connection is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectionState {
    /// It has a request that is not answered to its end.
    Active,
    /// It was told to finish what is open, and nothing more.
    Draining,
    /// TLS is being negotiated.
    Handshake,
    /// It waits for a request.
    Idle,
    /// It has waited for a while, and has given back the memory that only requests need.
    Resting,
    /// It was upgraded over HTTP/1.1, and carries a WebSocket.
    Tunnel,
}

impl ConnectionState {
    pub(super) const ALL: [(Self, &'static str); 6] = [
        (Self::Active, "active"),
        (Self::Draining, "draining"),
        (Self::Handshake, "handshake"),
        (Self::Idle, "idle"),
        (Self::Resting, "resting"),
        (Self::Tunnel, "tunnel"),
    ];
}

/// Why a connection was closed before its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CutCause {
    /// The drain's time was over.
    Drain,
    /// A request's head took too long (408 over HTTP/1.1).
    Head,
    /// It was told to drain and did not.
    Lingering,
    /// It gave up too many requests.
    Resets,
    /// It read nothing of what it was sent.
    Stalled,
}

impl CutCause {
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Drain, "drain"),
        (Self::Head, "head"),
        (Self::Lingering, "lingering"),
        (Self::Resets, "resets"),
        (Self::Stalled, "stalled"),
    ];
}

/// How a TLS handshake ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Handshake {
    /// It was cut: the gateway stops.
    Cut,
    /// It led to a connection.
    Done {
        /// What both sides speak.
        version: TlsVersion,
        /// Whether an earlier session went on.
        resumed: bool,
    },
    /// The two sides could not agree, or one was no TLS.
    Failed,
    /// The client went away in the middle of it.
    GivenUp,
    /// It took longer than `limits.handshake_timeout`.
    Late,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsVersion {
    /// TLS 1.2
    V1_2,
    /// TLS 1.3
    V1_3,
}

impl Handshake {
    pub(super) const ALL: [Self; 8] = [
        Self::Done { version: TlsVersion::V1_2, resumed: false },
        Self::Done { version: TlsVersion::V1_2, resumed: true },
        Self::Done { version: TlsVersion::V1_3, resumed: false },
        Self::Done { version: TlsVersion::V1_3, resumed: true },
        Self::Cut,
        Self::Failed,
        Self::GivenUp,
        Self::Late,
    ];

    /// The place in [`Handshake::ALL`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Done { version: TlsVersion::V1_2, resumed } => usize::from(resumed),
            Self::Done { version: TlsVersion::V1_3, resumed } => 2 + usize::from(resumed),
            Self::Cut => 4,
            Self::Failed => 5,
            Self::GivenUp => 6,
            Self::Late => 7,
        }
    }

    /// The values of the labels `version`, `resumed` and `outcome`.
    pub(super) fn labels(self) -> [&'static str; 3] {
        match self {
            Self::Done { version, resumed } => {
                let version = match version {
                    TlsVersion::V1_2 => "1.2",
                    TlsVersion::V1_3 => "1.3",
                };
                [version, if resumed { "true" } else { "false" }, "done"]
            }
            Self::Cut => ["none", "false", "cut"],
            Self::Failed => ["none", "false", "failed"],
            Self::GivenUp => ["none", "false", "given_up"],
            Self::Late => ["none", "false", "late"],
        }
    }
}

/// Why something was answered in the application's place, or not at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RejectionReason {
    /// Nobody has agreed to the use of cookies yet, and a program asked (G6).
    AgreementRequired,
    /// It is not clear for which host it is (T2).
    Authority,
    /// The request's body broke off.
    BodyBroken,
    /// The request's body paused for too long.
    BodyLate,
    /// The request's body is too large.
    BodyTooLarge,
    /// The `Cookie` fields are too large (R8).
    CookieTooLarge,
    /// A form of the gateway's own page came from another site (G7).
    CrossSite,
    /// It is not clear where the body ends.
    Framing,
    /// The head is too large.
    HeadTooLarge,
    /// The method is not served.
    Method,
    /// No tenant has this host, or the connection is another tenant's (T1, T2).
    Misdirected,
    /// The connection is one too many: it gets a 503.
    Overloaded,
    /// The connection is far more than one too many: it is closed at once.
    TooManyConnections,
    /// The head has too many fields.
    TooManyFields,
    /// The application answered with an upgrade that nobody asked for.
    Upgrade,
    /// The application broke off, or sent no HTTP.
    UpstreamBroken,
    /// Every server of the application had as many connections as it may.
    UpstreamBusy,
    /// It is not clear where the application's answer ends.
    UpstreamFraming,
    /// The application did not answer in time.
    UpstreamLate,
    /// No server of the application could be reached.
    UpstreamUnreachable,
}

impl RejectionReason {
    /// The label's value.
    pub fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(super) const ALL: [(Self, &'static str); 20] = [
        (Self::AgreementRequired, "agreement_required"),
        (Self::Authority, "authority"),
        (Self::BodyBroken, "body_broken"),
        (Self::BodyLate, "body_late"),
        (Self::BodyTooLarge, "body_too_large"),
        (Self::CookieTooLarge, "cookie_too_large"),
        (Self::CrossSite, "cross_site"),
        (Self::Framing, "framing"),
        (Self::HeadTooLarge, "head_too_large"),
        (Self::Method, "method"),
        (Self::Misdirected, "misdirected"),
        (Self::Overloaded, "overloaded"),
        (Self::TooManyConnections, "too_many_connections"),
        (Self::TooManyFields, "too_many_fields"),
        (Self::Upgrade, "upgrade"),
        (Self::UpstreamBroken, "upstream_broken"),
        (Self::UpstreamBusy, "upstream_busy"),
        (Self::UpstreamFraming, "upstream_framing"),
        (Self::UpstreamLate, "upstream_late"),
        (Self::UpstreamUnreachable, "upstream_unreachable"),
    ];
}

/// Who ended an exchange before its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The client went away, or reset the stream.
    Downstream,
    /// The application broke its answer off.
    Upstream,
}

impl Side {
    pub(super) const ALL: [(Self, &'static str); 2] =
        [(Self::Downstream, "downstream"), (Self::Upstream, "upstream")];
}

/// How a span of a trace was lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpanLoss {
    /// The collector could not be reached, or did not take it.
    Collector,
    /// The queue was full.
    Queue,
}

impl SpanLoss {
    pub(super) const ALL: [(Self, &'static str); 2] =
        [(Self::Collector, "collector"), (Self::Queue, "queue")];
}

/// The values of the label `status_class`, by the first digit of a status, from 1; the last is for what is no class.
pub(super) const STATUS_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// The class of a status, as a place in [`STATUS_CLASSES`].
pub(super) fn status_class(status: u16) -> usize {
    match status {
        100..=599 => usize::from(status / 100 - 1),
        _ => STATUS_CLASSES.len() - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each member is where its number says.
    macro_rules! assert_in_order {
        ($($set:ident),*) => {
            $(for (index, (member, word)) in $set::ALL.into_iter().enumerate() {
                assert_eq!(member as usize, index, "{word}");
            })*
        };
    }

    #[test]
    fn every_member_of_a_set_is_in_its_place() {
        assert_in_order!(ConnectionState, CutCause, RejectionReason, Side, SpanLoss);
        for (index, handshake) in Handshake::ALL.into_iter().enumerate() {
            assert_eq!(handshake.index(), index);
        }
    }

    #[test]
    fn a_status_has_one_class_whatever_an_application_sends() {
        for (status, class) in [
            (101, "1xx"),
            (200, "2xx"),
            (499, "4xx"),
            (599, "5xx"),
            (600, "other"),
            (999, "other"),
            (0, "other"),
        ] {
            assert_eq!(STATUS_CLASSES[status_class(status)], class, "{status}");
        }
    }
}
