//! The closed sets of label values.

/// The fate of a beacon, by which a browser reports names that scripts set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BeaconOutcome {
    /// Its names were counted.
    Accepted,
    /// It did not come from a page of the same origin.
    CrossSite,
    /// The worker had read the limit of this tenant in this second.
    Dropped,
    /// Its body was too large, too slow, or ended early.
    Incomplete,
}

impl BeaconOutcome {
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::Accepted, "accepted"),
        (Self::CrossSite, "cross_site"),
        (Self::Dropped, "dropped"),
        (Self::Incomplete, "incomplete"),
    ];
}

/// The state of a downstream connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnectionState {
    /// At least one exchange is open.
    Active,
    /// It finishes its open exchanges and accepts no more.
    Draining,
    /// TLS is being negotiated.
    Handshake,
    /// It waits for a request.
    Idle,
    /// It has waited for a while and has freed the memory that only exchanges need.
    Resting,
    /// It was upgraded from HTTP/1.1 and carries a WebSocket.
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

/// The reason that the gateway closed a connection early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CutCause {
    /// The time for draining was over.
    Drain,
    /// The head of a request took too long (408 over HTTP/1.1).
    Head,
    /// It did not end after the gateway asked it to.
    Lingering,
    /// It waited longest when a new connection needed its place.
    Place,
    /// The client cancelled too many requests.
    Resets,
    /// The client read nothing of what was sent.
    Stalled,
}

impl CutCause {
    pub(super) const ALL: [(Self, &'static str); 6] = [
        (Self::Drain, "drain"),
        (Self::Head, "head"),
        (Self::Lingering, "lingering"),
        (Self::Place, "place"),
        (Self::Resets, "resets"),
        (Self::Stalled, "stalled"),
    ];
}

/// The outcome of a TLS handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Handshake {
    /// It was cut because the gateway stops.
    Cut,
    /// It succeeded.
    Done {
        /// The negotiated version.
        version: TlsVersion,
        /// True if an earlier session was resumed.
        resumed: bool,
    },
    /// The two sides found no common parameters, or the client did not speak TLS.
    Failed,
    /// The client closed the connection during the handshake.
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

    /// The index in [`Handshake::ALL`].
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

/// The reason that the gateway answered a request itself or closed a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RejectionReason {
    /// The request came from a program, without agreement to the use of cookies (G6).
    AgreementRequired,
    /// The request names no valid host (T2).
    Authority,
    /// The request's body ended early.
    BodyBroken,
    /// No part of the request's body came in time.
    BodyLate,
    /// The request's body is too large.
    BodyTooLarge,
    /// The `Cookie` fields are too large (R8).
    CookieTooLarge,
    /// A form for one of the gateway's own pages was submitted from another site (G7).
    CrossSite,
    /// The length of the request's body is ambiguous.
    Framing,
    HeadTooLarge,
    /// The method is not allowed.
    Method,
    /// No tenant has this host, or the connection belongs to another tenant (T1, T2).
    Misdirected,
    /// The limit on connections is exceeded: answered with 503.
    Overloaded,
    /// The source of the connection has as many as one may have: closed at once.
    SourceConnections,
    /// The limit on connections is far exceeded: closed at once.
    TooManyConnections,
    /// The head has too many fields.
    TooManyFields,
    /// The application answered with an upgrade that was not requested.
    Upgrade,
    /// The application closed the connection early, or did not speak HTTP.
    UpstreamBroken,
    /// Every server of the application was at its limit on connections.
    UpstreamBusy,
    /// The length of the application's response is ambiguous.
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

    /// Each reason, with the label's value.
    pub const ALL: [(Self, &'static str); 21] = [
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
        (Self::SourceConnections, "source_connections"),
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

/// The side that ended an exchange early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The client closed the connection, or reset the stream.
    Downstream,
    /// The application ended its response early.
    Upstream,
}

impl Side {
    pub(super) const ALL: [(Self, &'static str); 2] =
        [(Self::Downstream, "downstream"), (Self::Upstream, "upstream")];
}

/// The way in which a trace span was lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpanLoss {
    /// The collector could not be reached, or did not accept the span.
    Collector,
    /// The queue was full.
    Queue,
}

impl SpanLoss {
    pub(super) const ALL: [(Self, &'static str); 2] =
        [(Self::Collector, "collector"), (Self::Queue, "queue")];
}

/// The values of the label `status_class`, by the first digit of the status; the last one is for all other statuses.
pub(super) const STATUS_CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// The index of a status in [`STATUS_CLASSES`].
pub(super) fn status_class(status: u16) -> usize {
    match status {
        100..=599 => usize::from(status / 100 - 1),
        _ => STATUS_CLASSES.len() - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts that each member's discriminant is its index in `ALL`.
    macro_rules! assert_in_order {
        ($($set:ident),*) => {
            $(for (index, (member, word)) in $set::ALL.into_iter().enumerate() {
                assert_eq!(member as usize, index, "{word}");
            })*
        };
    }

    #[test]
    fn every_member_of_a_set_is_at_its_index() {
        assert_in_order!(BeaconOutcome, ConnectionState, CutCause, RejectionReason, Side, SpanLoss);
        for (index, handshake) in Handshake::ALL.into_iter().enumerate() {
            assert_eq!(handshake.index(), index);
        }
    }

    #[test]
    fn every_status_has_one_class() {
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
