//! The help pages of common browsers about deleting and blocking cookies.

/// A common browser.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Browser {
    Chrome,
    ChromeAndroid,
    Edge,
    Firefox,
    Opera,
    SafariIos,
    SafariMac,
}

impl Browser {
    /// Every browser, in the order in which they are shown.
    pub(super) const ALL: [Self; 7] = [
        Self::Chrome,
        Self::ChromeAndroid,
        Self::Edge,
        Self::Firefox,
        Self::Opera,
        Self::SafariMac,
        Self::SafariIos,
    ];

    /// Returns the address of the vendor's help page. The vendor chooses the language, except for Opera, whose help pages
    /// exist only in English.
    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Chrome => "https://support.google.com/chrome/answer/95647",
            Self::ChromeAndroid => {
                "https://support.google.com/chrome/answer/95647?co=GENIE.Platform%3DAndroid"
            }
            Self::Edge => {
                "https://support.microsoft.com/microsoft-edge/delete-cookies-in-microsoft-edge-63947406-40ac-c3b8-57b9-2a946a29ae09"
            }
            Self::Firefox => "https://support.mozilla.org/kb/clear-cookies-and-site-data-firefox",
            Self::Opera => "https://help.opera.com/en/latest/web-preferences/#cookies",
            Self::SafariIos => "https://support.apple.com/105082",
            Self::SafariMac => "https://support.apple.com/guide/safari/sfri11471/mac",
        }
    }
}
