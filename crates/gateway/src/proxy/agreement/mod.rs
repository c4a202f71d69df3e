//! All of agreement (G6 to G8): the gateway's own pages, the forms on them, the challenge before an agreement, the logout
//! after a withdrawal, and the banner in the application's pages.

pub(super) mod action;
pub(super) mod answer;
pub(super) mod banner;
mod cache;
pub(super) mod form;
pub(super) mod insertion;
pub(super) mod logout;
pub(super) mod page;

pub(super) use cache::PageCache;
