//! Finds the first code of a script, part by part, and whether it makes the script strict (ECMAScript, sections 11.2.2 and
//! 12.4).

use super::tag::is_space;

/// A search for the first code of a script: behind comments and white space. It keeps no bytes of the script.
///
/// A text in front of the code would put a `"use strict"` out of force, so that directive is recognised as well.
#[derive(Clone, Debug)]
pub struct Prologue {
    /// The number of bytes that were searched.
    passed: usize,
    state: State,
}

/// The state of the search.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// In a block comment, after a `*` if it is true.
    Block(bool),
    /// At the code, which began after this many bytes.
    Code { at: usize, is_strict: bool },
    /// In a string at the beginning of the code, after its quote and this many bytes of the directive.
    Directive { quote: u8, matched: usize },
    /// In a line comment.
    Line,
    /// After a slash.
    Slash,
    /// Between comments.
    Space,
}

impl Prologue {
    /// Starts a search.
    pub fn new() -> Self {
        Self { passed: 0, state: State::Space }
    }

    /// Searches the next part of the script.
    pub fn scan(&mut self, part: &[u8]) {
        for byte in part {
            if self.code().is_some() {
                break;
            }
            self.state = self.step(*byte);
            self.passed += 1;
        }
    }

    /// Ends the script. One without code has its position at the end.
    pub fn end(&mut self) {
        if self.code().is_none() {
            self.state = State::Code { at: self.settled(), is_strict: false };
        }
    }

    /// Returns the number of bytes before the first code, and true if the script is strict. `None` if it is not found yet.
    pub fn code(&self) -> Option<(usize, bool)> {
        match self.state {
            State::Code { at, is_strict } => Some((at, is_strict)),
            State::Block(_)
            | State::Directive { .. }
            | State::Line
            | State::Slash
            | State::Space => None,
        }
    }

    /// Returns the number of bytes that are before the code in any case.
    pub fn settled(&self) -> usize {
        match self.state {
            State::Directive { matched, .. } => self.passed - matched - 1,
            State::Slash => self.passed - 1,
            State::Block(_) | State::Code { .. } | State::Line | State::Space => self.passed,
        }
    }

    fn step(&self, byte: u8) -> State {
        let code = |is_strict| State::Code { at: self.settled(), is_strict };
        match (self.state, byte) {
            (State::Block(true), b'/') => State::Space,
            (State::Block(_), _) => State::Block(byte == b'*'),
            (State::Line, b'\n' | b'\r') => State::Space,
            (State::Line, _) => State::Line,
            (State::Slash, b'*') => State::Block(false),
            (State::Slash, b'/') => State::Line,
            (State::Directive { quote, matched }, _) => match DIRECTIVE.get(matched) {
                Some(expected) if byte == *expected => {
                    State::Directive { quote, matched: matched + 1 }
                }
                None if byte == quote => code(true),
                Some(_) | None => code(false),
            },
            // A hashbang comment (section 12.5).
            (State::Space, b'#') if self.passed == 0 => State::Line,
            (State::Space, b'/') => State::Slash,
            (State::Space, b'"' | b'\'') => State::Directive { quote: byte, matched: 0 },
            (State::Space, _) if is_blank(byte) => State::Space,
            (State::Code { .. } | State::Slash | State::Space, _) => code(false),
        }
    }
}

impl Default for Prologue {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns true for white space and for the bytes of a byte order mark.
fn is_blank(byte: u8) -> bool {
    is_space(byte) || matches!(byte, 0x0b | 0xef | 0xbb | 0xbf)
}

const DIRECTIVE: &[u8] = b"use strict";

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts whose code begins at the bar, and whether it is strict.
    const SCRIPTS: [(&str, bool); 18] = [
        ("#!/usr/bin/env node\n|a", false),
        (" |#!a", false),
        ("|self.a=1", false),
        ("|", false),
        (" \n\t|a", false),
        ("\u{feff}|a", false),
        ("// use strict\n|a", false),
        ("// a\r/* b * / ** */ |/a/.test(b)", false),
        ("/* 'use strict' */|'use strict';a", true),
        ("|\"use strict\";", true),
        ("|\"use strict'", false),
        ("|'use strict", false),
        ("|'use Strict'", false),
        ("|'use strict '", false),
        ("|import 'a'", false),
        ("|`use strict`", false),
        ("// a|", false),
        ("/*|", false),
    ];

    #[test]
    fn the_code_begins_behind_comments_and_may_be_strict() {
        for (script, is_strict) in SCRIPTS {
            let (before, after) = script.split_once('|').unwrap();
            let script = [before, after].concat();
            for size in 1..=script.len().max(1) {
                let mut prologue = Prologue::new();
                let mut passed = 0;
                for part in script.as_bytes().chunks(size) {
                    prologue.scan(part);
                    passed += part.len();
                    let waits = prologue.code().is_none();
                    assert!(!waits || passed - prologue.settled() <= DIRECTIVE.len() + 1);
                }
                prologue.end();
                assert_eq!(prologue.code(), Some((before.len(), is_strict)), "{script} {size}");
            }
        }
    }
}
