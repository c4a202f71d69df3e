//! The list of outgoing `Set-Cookie` fields.

use alloc::vec::Vec;

use crate::{
    exchange::{OutgoingSetCookie, SetCookieFields},
    verdict::{Action, Reason},
};

/// The outgoing fields. The list begins with the first change, so nothing is allocated where nothing changes.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// The number of upstream fields judged so far.
    judged: usize,
    list: Option<Vec<OutgoingSetCookie>>,
}

impl Outgoing {
    pub(crate) fn keep(&mut self) -> Action {
        let index = self.judged;
        if let Some(list) = &mut self.list {
            list.push(OutgoingSetCookie::Kept(index));
        }
        self.judged = index.saturating_add(1);
        Action::Keep
    }

    pub(crate) fn rewrite(&mut self, field: Vec<u8>) -> Action {
        self.add(field);
        self.judged = self.judged.saturating_add(1);
        Action::Rewrite
    }

    pub(crate) fn strip(&mut self, reason: Reason) -> Action {
        self.changed();
        self.judged = self.judged.saturating_add(1);
        Action::Strip(reason)
    }

    pub(crate) fn add(&mut self, field: Vec<u8>) {
        self.changed().push(OutgoingSetCookie::Built(field));
    }

    pub(crate) fn add_all(&mut self, fields: Vec<Vec<u8>>) {
        if !fields.is_empty() {
            self.changed().extend(fields.into_iter().map(OutgoingSetCookie::Built));
        }
    }

    fn changed(&mut self) -> &mut Vec<OutgoingSetCookie> {
        let kept = 0..self.judged;
        self.list.get_or_insert_with(|| kept.map(OutgoingSetCookie::Kept).collect())
    }

    pub(crate) fn finish(self) -> SetCookieFields {
        self.list.map_or(SetCookieFields::Untouched, SetCookieFields::Replaced)
    }
}
