//! Reads the body of a beacon: the names that scripts of one page tried to set, as a browser reports them (W7).
//!
//! Each line is the letter of a [`ScriptedKind`], followed by the name. Anybody can post such a body, so nothing in it is
//! trusted: a line that begins with another byte is skipped, a repeated line counts once, and lines beyond the limit are
//! ignored.

use super::guard::ScriptedKind;

/// The limit on names in one beacon. The guard's script reports no more.
pub const MAX_BEACON_NAMES: usize = 64;

/// Reads the body of a beacon. An empty name is the name of a nameless cookie, or an empty key.
pub fn read_beacon(body: &[u8]) -> Vec<(ScriptedKind, &[u8])> {
    let mut names = Vec::new();
    for line in body.split(|byte| *byte == b'\n') {
        if names.len() == MAX_BEACON_NAMES {
            break;
        }
        if let Some(name) = read_line(line).filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}

fn read_line(line: &[u8]) -> Option<(ScriptedKind, &[u8])> {
    let (letter, name) = line.split_first()?;
    let kind = ScriptedKind::ALL.into_iter().find(|kind| kind.letter() == *letter)?;
    Some((kind, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_a_letter_and_a_name() {
        let body = b"c_ga\nlid\ns\xff\nidb\nc";
        let expected: [(_, &[u8]); 5] = [
            (ScriptedKind::Cookie, b"_ga"),
            (ScriptedKind::LocalStorage, b"id"),
            (ScriptedKind::SessionStorage, b"\xff"),
            (ScriptedKind::IndexedDb, b"db"),
            (ScriptedKind::Cookie, b""),
        ];
        assert_eq!(read_beacon(body), expected);
    }

    #[test]
    fn a_line_of_another_form_is_skipped_and_a_repeated_one_counts_once() {
        for body in [&b""[..], b"\n\n", b"x_ga", b"C_ga", b"{\"c\":1}", b"\0c"] {
            assert_eq!(read_beacon(body), [], "{body:?}");
        }
        let twice = read_beacon(b"c_ga\n?\nc_ga\nl_ga");
        let once: [(_, &[u8]); 2] =
            [(ScriptedKind::Cookie, b"_ga"), (ScriptedKind::LocalStorage, b"_ga")];
        assert_eq!(twice, once);
    }

    #[test]
    fn names_beyond_the_limit_are_ignored() {
        let body: String = (0..1_000).map(|number| format!("cname{number}\n")).collect();
        let names = read_beacon(body.as_bytes());
        assert_eq!(names.len(), MAX_BEACON_NAMES);
        assert_eq!(names.last(), Some(&(ScriptedKind::Cookie, &b"name63"[..])));
    }

    proptest! {
        #[test]
        fn what_the_script_writes_is_read_back(
            names in prop::collection::hash_set((0..4_usize, "[^\n]{0,20}"), 0..MAX_BEACON_NAMES),
        ) {
            let line = |(kind, name): &(usize, String)| {
                format!("{}{name}", char::from(ScriptedKind::ALL[*kind].letter()))
            };
            let body = names.iter().map(line).collect::<Vec<_>>().join("\n");
            let read = read_beacon(body.as_bytes());
            let expected: Vec<_> =
                names.iter().map(|(kind, name)| (ScriptedKind::ALL[*kind], name.as_bytes())).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
