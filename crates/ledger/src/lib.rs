//! The ledger of the Crumbgate gateway: its format, and the proof that nobody has changed it.
//!
//! A ledger records the use of cookies by a web application. Each [entry](entry::Entry) is a number of
//! equal verdicts in a window of some minutes, a heartbeat, a number of agreements, or an event.
//! Entries contain no personal data: no values, no addresses, and names and paths only as templates.
//!
//! # The format in brief
//!
//! - Each entry has exactly one form as a [line of JSON](mod@line), with a salt. [`parse`] reads it
//!   back.
//! - About once an hour, the entries since the last time form a *segment*. Their lines are the leaves
//!   of a [Merkle tree](merkle) (RFC 9162).
//! - The segment is closed with a [`checkpoint`]: the tree's root, the numbers of the entries and the
//!   hash of the previous checkpoint, signed with Ed25519 as a [`note`] (C2SP). So one checkpoint that
//!   is kept elsewhere proves everything before it.
//! - An [`outline`] beside each checkpoint locates a changed entry.
//! - A live ledger is a SQLite file ([`schema`], [`read`]). An exported *bundle* is a zip archive
//!   ([`export`]) that can be verified on its own.
//!
//! [`verify`] verifies either of them offline and names the first defect. This crate never writes a
//! ledger, needs no async runtime and opens no socket. The program `crumbgate-verify` is a thin layer
//! over it.
//!
//! # Example
//!
//! A segment with one entry: the signature is valid, and the line is the one that was signed.
//!
//! ```
//! use crumbgate_ledger::{
//!     checkpoint::Checkpoint,
//!     merkle::leaf,
//!     note::{SignedNote, Verifier},
//!     parse::{Interner, read_line},
//! };
//!
//! let line = r#"{"seq":1,"salt":"J89Up1PSO5epAVlxums8iQ","kind":"event","at":"2026-11-23T09:00:00Z","event":"start","actor":"crumbgate run","detail":"{\"version\":\"0.1.0\"}"}"#;
//! let key = "crumbgate/ledger/8e1f0a77c2d94b35+18d9d54b+ASwiY5w6YLnved0Por7aovKHd8LWJm8FShD+fi9THI23";
//! let note = "crumbgate/ledger/8e1f0a77c2d94b35/segment/1
//! 1
//! MLWiqij6Rem+eE7+UCgmgSOFEcpZiujd+37gIEw6YAo=
//! entries 1-1
//! previous none
//! closed 2026-11-23T10:00:00Z
//!
//! — crumbgate/ledger/8e1f0a77c2d94b35 GNnVS3yzXQ62hgkdFk9AqNKKraPdjAQexc2Ua9A7BFxTX4wDIpr8RC2i4dwdL2ZVlBNDAyNne1UQie7uKMnD/VI0vAY=
//! ";
//!
//! let note = SignedNote::parse(note)?;
//! assert!(key.parse::<Verifier>()?.verifies(&note));
//! let checkpoint = Checkpoint::parse(&note)?;
//! assert_eq!((checkpoint.segment, checkpoint.first, checkpoint.last), (1, 1, 1));
//! assert_eq!(checkpoint.root, leaf(line.as_bytes()));
//!
//! let entry = read_line(line.as_bytes(), &mut Interner::default())?;
//! println!("{entry:?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`verify::verify_file`] verifies a whole file.
//!
//! # Helpers
//!
//! [`codes`]: the closed sets of the format; [`declaration`]: a declaration as JSON; [`sqlite`]:
//! numbers and paths of the file; [`period`]: periods as people type them; [`progress`]: the progress
//! of long operations.

#![warn(missing_docs)]

pub mod checkpoint;
pub mod codes;
pub mod declaration;
pub mod entry;
pub mod export;
pub mod line;
pub mod merkle;
pub mod note;
pub mod outline;
pub mod parse;
pub mod period;
pub mod progress;
pub mod read;
mod rows;
pub mod schema;
pub mod sqlite;
pub mod verify;
