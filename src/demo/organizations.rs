//! The organizations that use the application, each with its own host.

/// The hosts of the organizations with data. Every other host is served too, as a sample organization.
pub const HOSTS: [&str; 4] =
    [ORGANIZATIONS[0].host, ORGANIZATIONS[1].host, ORGANIZATIONS[2].host, ORGANIZATIONS[3].host];

/// One organization and its rooms.
#[derive(Debug)]
pub(super) struct Organization {
    pub(super) host: &'static str,
    pub(super) name: &'static str,
    /// The colours on a white and on a dark background.
    pub(super) accent: (&'static str, &'static str),
    pub(super) desks: &'static [Desk],
}

/// A desk that can be booked.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) id: &'static str,
    pub(super) room: &'static str,
    pub(super) is_free: bool,
}

impl Organization {
    /// The organization of `host` (lower case, no port).
    pub(super) fn find(host: &str) -> &'static Self {
        ORGANIZATIONS.iter().find(|organization| organization.host == host).unwrap_or(&UNNAMED)
    }
}

const fn desk(id: &'static str, room: &'static str, is_free: bool) -> Desk {
    Desk { id, room, is_free }
}

static UNNAMED: Organization = Organization {
    host: "localhost",
    name: "Sample Organization",
    accent: ("#4c3d99", "#b8acf6"),
    desks: &[desk("1", "Main room", true), desk("2", "Main room", false)],
};

static ORGANIZATIONS: [Organization; 4] = [
    Organization {
        host: "acme.localhost",
        name: "Acme GmbH",
        accent: ("#0b6649", "#6fd6b1"),
        desks: &[
            desk("A-01", "Garden room", true),
            desk("A-02", "Garden room", false),
            desk("A-03", "Garden room", true),
            desk("B-01", "Library", true),
            desk("B-02", "Library", false),
            desk("C-01", "Workshop", true),
        ],
    },
    Organization {
        host: "globex.localhost",
        name: "Globex Corporation",
        accent: ("#1c4fb4", "#9dbdf8"),
        desks: &[
            desk("N1", "North wing", false),
            desk("N2", "North wing", false),
            desk("N3", "North wing", true),
            desk("S1", "South wing", true),
            desk("S2", "South wing", true),
        ],
    },
    Organization {
        host: "initech.localhost",
        name: "Initech",
        accent: ("#963a12", "#f2b293"),
        desks: &[
            desk("100", "Open plan", false),
            desk("101", "Open plan", true),
            desk("102", "Open plan", false),
            desk("B", "Basement", true),
        ],
    },
    Organization {
        host: "hooli.localhost",
        name: "Hooli",
        accent: ("#7a1f6b", "#e9a6dc"),
        desks: &[desk("H1", "Roof", true), desk("H2", "Roof", false), desk("H3", "Lab", true)],
    },
];
