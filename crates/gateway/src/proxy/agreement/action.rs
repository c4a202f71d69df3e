//! The actions that the forms of the gateway's own pages stand for.

use crumbgate_pages::page::settings::PageRoute;

/// What a form does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgreementAction {
    /// The person agrees to the use of cookies.
    Agree,
    /// The person does not.
    Decline,
    /// The person no longer does.
    Withdraw,
}

impl AgreementAction {
    /// What a form does that is sent to this place; none: no form is sent there.
    pub fn at(place: PageRoute) -> Option<Self> {
        match place {
            PageRoute::Agree => Some(Self::Agree),
            PageRoute::Decline => Some(Self::Decline),
            PageRoute::Withdraw => Some(Self::Withdraw),
            PageRoute::BannerStyle
            | PageRoute::Cookies
            | PageRoute::Declined
            | PageRoute::Withdrawn => None,
        }
    }
}
