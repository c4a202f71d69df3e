//! The actions that the forms of the gateway's own pages stand for.

use crumbgate_pages::page::settings::Place;

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
    pub fn at(place: Place) -> Option<Self> {
        match place {
            Place::Agree => Some(Self::Agree),
            Place::Decline => Some(Self::Decline),
            Place::Withdraw => Some(Self::Withdraw),
            Place::BannerStyle | Place::Cookies | Place::Declined | Place::Withdrawn => None,
        }
    }
}
