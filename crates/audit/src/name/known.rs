//! Well-known names: prefixes that are followed by an identifier, whatever it looks like, and words that look like an
//! identifier but are none.

/// The well-known prefix of a name, if more text follows it.
pub(super) fn prefix_of(name: &[u8]) -> Option<&'static str> {
    let is_prefix =
        |prefix: &&&str| name.len() > prefix.len() && name.starts_with(prefix.as_bytes());
    alike(&PREFIXES, &KEYS_OF_PREFIXES, name).iter().find(is_prefix).copied()
}

/// Returns `true` if `run` is a well-known word that the general rules would replace.
pub(super) fn is_word(run: &[u8]) -> bool {
    alike(&WORDS, &KEYS_OF_WORDS, run).iter().any(|word| word.as_bytes() == run)
}

/// The entries that begin with the same four bytes as `name`, found quickly by comparing those bytes as a number.
fn alike<'a, const N: usize>(
    entries: &'a [&'static str; N],
    keys: &[u32; N],
    name: &[u8],
) -> &'a [&'static str] {
    let key = key(name);
    let begin = keys.partition_point(|other| *other < key);
    let count = keys[begin..].iter().take_while(|other| **other == key).count();
    &entries[begin..begin + count]
}

/// The first four bytes as a number. These numbers sort like the names.
const fn key(name: &[u8]) -> u32 {
    match name {
        [a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
        [a, b, c] => u32::from_be_bytes([*a, *b, *c, 0]),
        [a, b] => u32::from_be_bytes([*a, *b, 0, 0]),
        [a] => u32::from_be_bytes([*a, 0, 0, 0]),
        [] => 0,
    }
}

const fn keys<const N: usize>(entries: [&str; N]) -> [u32; N] {
    let mut keys = [0; N];
    let mut at = 0;
    while at < N {
        keys[at] = key(entries[at].as_bytes());
        at += 1;
    }
    keys
}

static KEYS_OF_PREFIXES: [u32; PREFIXES.len()] = keys(PREFIXES);
static KEYS_OF_WORDS: [u32; WORDS.len()] = keys(WORDS);

/// Sorted by bytes. Each has at least four bytes, and none is a prefix of another.
const PREFIXES: [&str; 44] = [
    ".AspNetCore.Antiforgery.",
    ".AspNetCore.Correlation.",
    ".AspNetCore.OpenIdConnect.Nonce.",
    "AMCVS_",
    "AMCV_",
    "AMP_MKTG_",
    "ASPSESSIONID",
    "BIGipServer",
    "CookieConsentBulkSetting-",
    "KRTBCOOKIE_",
    "NSC_",
    "OpenIdConnect.nonce.",
    "QSI_SI_",
    "QSI_S_",
    "TS01",
    "__RequestVerificationToken_",
    "_dc_gtm_",
    "_ga_",
    "_gac_",
    "_gat_",
    "_hjSessionUser_",
    "_hjSession_",
    "_hp2_id.",
    "_hp2_props.",
    "_hp2_ses_props.",
    "_opensaml_req_",
    "_pk_cvar.",
    "_pk_hsr.",
    "_pk_id.",
    "_pk_ref.",
    "_pk_ses.",
    "_shibsession_",
    "_shibstate_",
    "_sp_id.",
    "_sp_ses.",
    "_vis_opt_exp_",
    "amplitude_id_",
    "com.auth0.auth.",
    "esctx-",
    "intercom-device-id-",
    "intercom-id-",
    "intercom-session-",
    "mod_auth_openidc_state_",
    "wistia-video-progress-",
];

/// Sorted by bytes.
const WORDS: [&str; 59] = [
    "1P",
    "1PAPISID",
    "1PLSID",
    "1PSID",
    "1PSIDCC",
    "1PSIDTS",
    "3PAPISID",
    "3PLSID",
    "3PSID",
    "3PSIDCC",
    "3PSIDTS",
    "AWSALBTG",
    "AWSALBTGCORS",
    "CMRUM3",
    "Dynamics365PortalAnalytics",
    "FCCDCF",
    "FCNEC",
    "FPGSID",
    "INFO1",
    "MC1",
    "MS0",
    "MSFPC",
    "TDCPM",
    "Typo3InstallTool",
    "adnuntius",
    "apbct",
    "appnexus",
    "auth0",
    "cfduid",
    "cfuvid",
    "cmpccc",
    "cmplz",
    "ct0",
    "emoji",
    "hasGmid",
    "hjTLDTest",
    "hjViewportId",
    "hp2",
    "hp5",
    "http2",
    "id5",
    "khaos",
    "ljtrtb",
    "muxData",
    "n360",
    "oauth2",
    "pmaAuth",
    "pmaUser",
    "pnespsdk",
    "rtbhouse",
    "rxuuid",
    "tlbcpv",
    "uuid2",
    "v1",
    "v2",
    "v3",
    "vglnk",
    "wixCIDX",
    "zlcmid",
];

#[cfg(test)]
mod tests {
    use super::{super::word, *};

    #[test]
    fn known_prefixes_are_found() {
        assert!(WORDS.is_sorted());
        assert!(PREFIXES.is_sorted());
        assert!(PREFIXES.iter().all(|prefix| prefix.len() >= 4));
        for pair in PREFIXES.windows(2) {
            assert!(!pair[1].starts_with(pair[0]), "{pair:?}");
        }
        assert_eq!(prefix_of(b"_ga_G1ABC2"), Some("_ga_"));
        assert_eq!(prefix_of(b"_ga_"), None);
        assert_eq!(prefix_of(b"\xff"), None);
        assert_eq!(prefix_of(b""), None);
    }

    #[test]
    fn no_known_word_would_stay_by_the_general_rules() {
        for known in WORDS {
            assert!(!word::stays(known.as_bytes()), "{known}");
        }
    }
}
