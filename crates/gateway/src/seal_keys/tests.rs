use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    sync::{Arc, Barrier},
    thread,
};

use tempfile::TempDir;

use super::*;

/// 2026-11-26T09:00:00Z
const NOW: Now = Now { unix_s: 1_795_683_600, uptime_s: 7 };

/// The key with the bytes 0 to 31, as in the test vectors of sealing.
const COUNTING: &str = "68c743b3 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn line_of(byte: u8) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let secret = [byte; 32];
    format!("{} {}", Key::new(&secret).id(), URL_SAFE_NO_PAD.encode(secret))
}

fn id_of(byte: u8) -> KeyId {
    Key::new(&[byte; 32]).id()
}

fn parse(text: &str) -> Result<KeyFile, KeyFileError> {
    KeyFile::parse(Path::new("seal.keys"), text)
}

fn ids(file: &KeyFile) -> Vec<KeyId> {
    file.entries().map(KeyEntry::id).collect()
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state").join("seal.keys");
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn rotate(path: &Path) -> Result<KeyId, KeyFileError> {
    change(path, |found| {
        let entry = KeyEntry::generate(NOW)?;
        let id = entry.id();
        let mut file = found.unwrap();
        file.rotate(entry, NOW);
        Ok((file, id))
    })
}

#[test]
fn a_file_is_written_as_it_was_read() {
    let text = format!(
        "# of two gateways\n\n{COUNTING} made 2026-11-26T09:00:00Z # from the vault\n  # between\n{} \
         made 2026-10-01T08:00:00Z until 2026-11-26T09:00:00Z\n{}\n",
        line_of(1),
        line_of(2)
    );
    let file = parse(&text).unwrap();
    assert_eq!(file.text(), text);
    let [counting, one, two] = file.entries().collect::<Vec<_>>()[..] else { panic!("{file:?}") };
    assert_eq!(counting.id().to_string(), "68c743b3");
    assert_eq!(counting.comment(), Some("from the vault"));
    assert_eq!((counting.made_unix_s, counting.until_unix_s), (Some(NOW.unix_s), None));
    assert_eq!(one.until_unix_s, Some(NOW.unix_s));
    assert_eq!((two.made_unix_s, two.until_unix_s, two.comment()), (None, None, None));
    assert!(file.ring().ids().eq(ids(&file)));
    assert!(parse(&text.replace('\n', "\r\n")).is_ok());
}

#[test]
fn a_faulty_line_is_reported_with_its_number_and_without_its_key() {
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    for (line, message) in [
        ("68c743b3".to_owned(), "the second word is not a key"),
        (secret.to_owned(), "the first word is not the id of a key"),
        (format!("{secret} 68c743b3"), "the first word is not the id of a key"),
        (format!("68C743B3 {secret}"), "the first word is not the id of a key"),
        (format!("68c743b4 {secret}"), "the id does not match the key, whose id is 68c743b3"),
        (format!("68c743b3 {}", secret.replace("AAE", "AAF")), "one of the two is mistyped"),
        (format!("68c743b3 {secret}="), "the second word is not a key"),
        (format!("68c743b3 {}", &secret[1..]), "the second word is not a key"),
        // The last two bits of the last character must be zero.
        (format!("68c743b3 {}9", &secret[..42]), "the second word is not a key"),
        (format!("{COUNTING} made"), "may follow the key: remove everything else"),
        (format!("{COUNTING} made yesterday"), "may follow the key: remove everything else"),
        (format!("{COUNTING} {secret}"), "may follow the key: remove everything else"),
        (
            format!("{COUNTING} made 2026-11-26T09:00:00Z made 2026-11-26T09:00:00Z"),
            "may follow the key: remove everything else",
        ),
        (line_of(1), "the key is already on line 2: remove one of the two lines"),
    ] {
        let error = parse(&format!("# first\n{}\n{line}\n", line_of(1))).unwrap_err().to_string();
        assert!(error.starts_with("seal.keys:3: ") && error.contains(message), "{line}: {error}");
        assert!(!error.contains(&secret[4..20]), "{error}");
    }
    for text in ["", "\n", "# nothing\n"] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with("seal.keys: found no key, expected a line such as"), "{error}");
    }
}

#[test]
fn debug_output_has_no_key() {
    assert_eq!(
        format!("{:?}", parse(COUNTING).unwrap()),
        "KeyFile { rows: [Key(KeyEntry(68c743b3, ..))] }"
    );
}

#[test]
fn a_start_creates_keys_for_their_owner_only_and_the_next_start_uses_them() {
    let (_folder, path) = folder();
    assert!(matches!(load(&path), Err(KeyFileError::Absent { .. })));
    let made = load_or_create(&path, NOW).unwrap();
    assert_eq!((made.is_new, mode(&path)), (true, 0o600));
    let found = load_or_create(&path, NOW).unwrap();
    assert!(!found.is_new && found.ring == made.ring);
    assert_eq!(load(&path).unwrap(), made.ring);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# The keys that seal session cookies"), "{text}");
    assert!(text.ends_with(" made 2026-11-26T09:00:00Z\n"), "{text}");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "the file alone");
}

#[test]
fn gateways_that_start_at_the_same_time_use_the_same_keys() {
    let (_folder, path) = folder();
    let barrier = Arc::new(Barrier::new(8));
    let starts = [(); 8].map(|()| {
        let (path, barrier) = (path.clone(), Arc::clone(&barrier));
        thread::spawn(move || {
            barrier.wait();
            load_or_create(&path, NOW).unwrap()
        })
    });
    let found = starts.map(|start| start.join().unwrap());
    assert_eq!(found.iter().filter(|found| found.is_new).count(), 1);
    assert!(found.iter().all(|other| other.ring == found[0].ring));
}

#[test]
fn a_file_that_others_may_read_is_refused_but_its_group_may_read_it() {
    let (_folder, path) = folder();
    for (allowed, is_fine) in
        [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o602, false)]
    {
        write(&path, COUNTING, allowed);
        assert_eq!(load(&path).is_ok(), is_fine, "{allowed:o}");
    }
    let error = load_or_create(&path, NOW).unwrap_err().to_string();
    assert!(error.contains("found the mode 0602") && error.contains("chmod 600"), "{error}");
}

#[test]
fn an_invalid_file_is_never_replaced() {
    let (_folder, path) = folder();
    write(&path, "nonsense\n", 0o600);
    assert!(load_or_create(&path, NOW).is_err() && rotate(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense\n");
}

#[test]
fn a_changed_file_keeps_its_permissions_and_the_link_to_it() {
    let (folder, path) = folder();
    write(&path, &format!("# ours\n{COUNTING}\n"), 0o640);
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    let id = rotate(&link).unwrap();
    assert_eq!(mode(&path), 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "# ours");
    assert!(lines[1].starts_with(&id.to_string()), "{text}");
    assert_eq!(lines[2], format!("{COUNTING} until 2026-11-26T09:00:00Z"));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "the file alone");
}

#[test]
fn concurrent_changes_are_not_lost() {
    let (_folder, path) = folder();
    write(&path, COUNTING, 0o600);
    let changes = [(); 8].map(|()| {
        let path = path.clone();
        thread::spawn(move || rotate(&path).unwrap())
    });
    let mut made: Vec<_> = changes.map(|change| change.join().unwrap()).into();
    let file = KeyFile::read(&path).unwrap();
    made.push("68c743b3".parse().unwrap());
    made.sort();
    let mut found = ids(&file);
    found.sort();
    assert_eq!(found, made);
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let (_folder, path) = folder();
    write(&path, COUNTING, 0o600);
    let twice = change(&path, |found| {
        let mut file = found.unwrap();
        file.add(parse(COUNTING).unwrap().rows.into_iter().find_map(entry).unwrap());
        Ok::<_, KeyFileError>((file, ()))
    });
    let fault = LineFault::Twice { first: 1 };
    assert!(
        matches!(twice, Err(KeyFileError::Line { line: 2, fault: found, .. }) if found == fault)
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), COUNTING);
}

fn entry(row: Row) -> Option<KeyEntry> {
    match row {
        Row::Key(entry) => Some(entry),
        Row::Remark(_) => None,
    }
}

#[test]
fn a_key_is_added_promoted_and_removed_once_no_session_needs_it() {
    let (one, two, three) = (id_of(1), id_of(2), id_of(3));
    let mut file = parse(&format!("{}\n{}\n", line_of(1), line_of(2))).unwrap();
    file.add(parse(&line_of(3)).unwrap().rows.into_iter().find_map(entry).unwrap());
    assert_eq!(ids(&file), [one, two, three]);

    assert_eq!(file.promote(one, NOW), Ok(None));
    assert_eq!(file.promote(three, NOW), Ok(Some(one)));
    assert_eq!(ids(&file), [three, one, two]);
    let absent = id_of(9);
    assert_eq!(file.promote(absent, NOW), Err(KeyRefusal::Absent { id: absent }));

    let week_s = 604_800;
    let at = |unix_s| Now { unix_s, ..NOW };
    let needed_until_unix_s = NOW.unix_s + week_s;
    let needed = KeyRefusal::Needed { id: one, until_unix_s: NOW.unix_s, needed_until_unix_s };
    let just_before = at(needed_until_unix_s - 1);
    assert_eq!(file.remove(three, None, NOW), Err(KeyRefusal::Seals { id: three }));
    assert_eq!(file.remove(absent, None, NOW), Err(KeyRefusal::Absent { id: absent }));
    assert_eq!(file.remove(one, Some(week_s), just_before), Err(needed));
    assert_eq!(ids(&file), [three, one, two]);
    assert_eq!(file.remove(one, Some(week_s), at(needed_until_unix_s)), Ok(()));
    // Its line has no `until`: it never sealed here.
    assert_eq!(file.remove(two, Some(week_s), NOW), Ok(()));
    assert_eq!(ids(&file), [three]);
    assert_eq!(file.remove(three, None, NOW), Err(KeyRefusal::Seals { id: three }));
}

#[test]
fn a_key_that_seals_again_has_no_end_time() {
    let mut file = parse(&format!("{}\n{}\n", line_of(1), line_of(2))).unwrap();
    file.promote(id_of(2), NOW).unwrap();
    file.promote(id_of(1), NOW).unwrap();
    let until: Vec<_> = file.entries().map(|entry| entry.until_unix_s).collect();
    assert_eq!(until, [None, Some(NOW.unix_s)]);
}
