//! The actions that the forms of the gateway's own pages stand for.

use crumbgate_pages::page::settings::PageRoute;

/// The action of a form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgreementAction {
    /// The person agrees to the use of cookies.
    Agree,
    /// The person declines.
    Decline,
    /// The person withdraws their agreement.
    Withdraw,
}

impl AgreementAction {
    /// Returns the action of the form that is sent to this place; `None` if none is.
    pub fn at(place: PageRoute) -> Option<Self> {
        match place {
            PageRoute::Agree => Some(Self::Agree),
            PageRoute::Decline => Some(Self::Decline),
            PageRoute::Withdraw => Some(Self::Withdraw),
            PageRoute::BannerStyle
            | PageRoute::Cookies
            | PageRoute::Declined
            | PageRoute::Seen
            | PageRoute::Withdrawn => None,
        }
    }
}
