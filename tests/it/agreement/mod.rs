//! Rules G6 to G8: agreement to cookies, the banner and the cookie page.

mod banner;
mod eviction;
mod page;
mod required;
