use proptest::prelude::*;

use super::*;

fn template(name: impl AsRef<[u8]>) -> String {
    name_template(name.as_ref(), &mut NameBuffer::default()).to_owned()
}

#[test]
fn a3_names_that_carry_an_identifier_are_folded() {
    let cases = [
        ("_ga_G-1AB2C3", "_ga_{id}"),
        ("_ga_ABCDEFGHIJ", "_ga_{id}"),
        ("_gat_UA-123-4", "_gat_{id}"),
        ("_gat_gtag_UA_123_4", "_gat_{id}"),
        ("_gac_UA-123-4", "_gac_{id}"),
        ("_dc_gtm_UA-123-4", "_dc_gtm_{id}"),
        ("_hjSessionUser_123456", "_hjSessionUser_{id}"),
        ("_pk_id.1.1fff", "_pk_id.{id}"),
        ("mp_0123456789abcdef0123456789abcdef_mixpanel", "mp_{id}_mixpanel"),
        ("ph_phc_Xk2vLq9ZtR4wPmNbC7yHsD1f_posthog", "ph_phc_{id}_posthog"),
        ("intercom-session-xkfwqzab", "intercom-session-{id}"),
        ("remember_web_59ba36addc2b2f9401580f014c7f58ea4e30989d", "remember_web_{id}"),
        ("wordpress_logged_in_d41d8cd98f00b204e9800998ecf8427e", "wordpress_logged_in_{id}"),
        ("SSESSd41d8cd98f00b204e9800998ecf8427e", "SSESS{id}"),
        ("wp-settings-1", "wp-settings-{id}"),
        ("wp-settings-time-1", "wp-settings-time-{id}"),
        ("AMCV_1A2B3C%40AdobeOrg", "AMCV_{id}"),
        ("ASPSESSIONIDQQRBDTSA", "ASPSESSIONID{id}"),
        ("sb-qvzxkwmtrbplhgcd-auth-token", "sb-{id}-auth-token"),
        (".AspNetCore.Antiforgery.VyLW-ORz_Gk", ".AspNetCore.Antiforgery.{id}"),
        ("user_5", "user_{id}"),
        ("user42", "user{id}"),
        ("TS01a2b3c4", "TS01{id}"),
        ("5f8d0d55-b54e-4b3c-abcd-0242ac130003", "{id}"),
        ("cart:5f8d0d55-b54e-abcd-8d1f-0242ac130003:v2", "cart:{id}:v2"),
        ("seen-2026-11-25", "seen-{id}"),
        ("from_192.168.0.17", "from_{id}"),
        ("call_+49-170-1234567", "call_+{id}"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.Tj9x-Z_q8", "{id}"),
        ("nonce_Xk2vLq9ZtR4wPm-bQ", "nonce_{id}"),
        ("JSESSIONID.1a2b3c.node", "JSESSIONID.{id}.node"),
        ("user_%31%32", "user_{id}"),
        ("x_0x1F", "x_{id}"),
    ];
    for (name, expected) in cases {
        assert_eq!(template(name), expected, "{name}");
    }
}

#[test]
fn a3_nothing_stays_of_a_name_that_may_be_an_address() {
    let beyond_the_cut = format!("{}@example.org", "ada.".repeat(40));
    let names = [
        "ada@example.org",
        "user_ada%40example.org",
        "user_ada%2540example.org",
        "seen:ada.lovelace+x@example.org",
        "ada@",
        &beyond_the_cut,
    ];
    for name in names {
        assert_eq!(template(name), "{id}", "{name}");
    }
    assert_eq!(template("AMCVS_1A2B3C@AdobeOrg"), "AMCVS_{id}");
}

#[test]
fn well_known_and_declared_names_stay_readable() {
    let names = "XSRF-TOKEN flexopus_session visitedMapBuilder _ga _gid _gcl_au _fbp AWSALB AWSALBTGCORS IDE NID \
                 1P_JAR _uetsid _clck _clsk c_user li_sugr lidc bcookie __utma OptanonConsent CookieConsent \
                 cookielawinfo-checkbox-analytics _hjIncludedInSessionSample VISITOR_INFO1_LIVE YSC PHPSESSID \
                 JSESSIONID ASP.NET_SessionId laravel_session connect.sid __cf_bm __cfduid _cfuvid cf_clearance \
                 __stripe_mid hubspotutk __hstc __hssrc _pin_unauth _ttp _scid personalization_id guest_id ct0 \
                 ajs_anonymous_id optimizelyEndUserId _ga_ _pk_id euconsent-v2 borlabs-cookie uc_user_interaction \
                 __Secure-1PSID __Host-next-auth.csrf-token Warenkorb sprache theme flexopus%5Fsession \
                 flexopus_session[] Flexopus.Session";
    for name in names.split_whitespace() {
        assert_eq!(template(name), name);
    }
}

#[test]
fn a4_odd_bytes_are_escaped() {
    let cases: [(&[u8], &str); 8] = [
        (b"", ""),
        (b"\x1b[31mred", r"\x1b[{id}"),
        (b"a\r\nb", r"a\x0d\x0ab"),
        ("Größe".as_bytes(), r"Gr\xc3\xb6\xc3\x9fe"),
        (b"Gr\xf6\xdfe", r"Gr\xf6\xdfe"),
        (br"C:\x", r"C:\x5cx"),
        (br"\x1b", r"\x1b"),
        (b"\"quoted\" 'name' <b>", "\"quoted\" 'name' <b>"),
    ];
    for (name, expected) in cases {
        assert_eq!(template(name), expected, "{}", name.escape_ascii());
    }
}

#[test]
fn a3_what_is_encoded_as_a_whole_may_be_anything() {
    assert_eq!(template([0x8f, 0x1b, 0xd2, 0xe1, 0x99, b'K']), "{id}");
    assert_eq!(template("%8F%1B%D2%E1%99"), "{id}");
    assert_eq!(template("имя"), "{id}");
}

#[test]
fn a4_a_long_name_is_cut_before_the_word_that_stands_there() {
    let long = "ab-".repeat(100);
    let shown = template(&long);
    assert_eq!(shown, format!("{}{{cut}}", "ab-".repeat(42)));
    // An identifier that the cut would shorten to something readable.
    assert_eq!(
        template(format!("{}abcd1234", "-".repeat(124))),
        format!("{}{{id}}", "-".repeat(124))
    );
    assert_eq!(
        template(format!("{}abcd123456", "-".repeat(124))),
        format!("{}{{cut}}", "-".repeat(124))
    );
    // Templates that are longer than their names.
    assert_eq!(
        template("first1-".repeat(20)),
        format!("{}{{cut}}", "first{id}-".repeat(12) + "first")
    );
    assert_eq!(template(format!("_ga_{long}")), "_ga_{id}");
    assert_eq!(template("1-".repeat(500)), "{id}-{cut}");
}

/// Anything, and what comes near to names.
fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-zA-Z]{1,9}",
        4 => "[a-zA-Z0-9]{1,24}",
        2 => "[0-9a-f]{1,40}",
        4 => "[-_.:%@{}\\\\ ]",
        1 => r"\\x[0-9a-f]{2}",
        1 => "%[0-9a-fA-F]{2}",
        1 => Just("{id}".to_owned()),
        1 => Just("{cut}".to_owned()),
        1 => "_ga_|_pk_id\\.|AMCV_|1P|INFO1|v2",
    ];
    let pieces =
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes());
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..300), 3 => pieces]
}

/// The runs of letters and digits of a template, without those of its escapes.
fn words(template: &str) -> Vec<String> {
    let mut rest = template.as_bytes();
    let mut words = Vec::new();
    while let Some((unit, after)) = Unit::read(rest) {
        if let Unit::Word(word) = unit {
            words.push(String::from_utf8(word.to_vec()).unwrap());
        }
        rest = after;
    }
    words
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a4_a_template_is_short_and_printable(name in any_name()) {
        let template = template(&name);
        prop_assert!(template.len() <= MAX_TEMPLATE);
        prop_assert!(template.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{template}");
        prop_assert_eq!(template.is_empty(), name.is_empty());
    }

    #[test]
    fn a_template_is_its_own_template(name in any_name()) {
        let once = template(&name);
        prop_assert_eq!(template(&once), once);
    }

    #[test]
    fn a3_no_digit_and_no_hexadecimal_run_stays(name in any_name()) {
        let template = template(&name);
        let prefix = known::prefix_of(template.as_bytes()).unwrap_or_default();
        for word in words(&template[prefix.len()..]) {
            let is_known = known::is_word(word.as_bytes());
            prop_assert!(is_known || word.bytes().all(|byte| byte.is_ascii_alphabetic()), "{template}");
            let is_hex = word.len() >= 6 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            prop_assert!(!is_hex, "{template}");
        }
    }

    #[test]
    fn a3_every_identifier_has_the_same_template(
        id in prop_oneof![
            "[0-9]{1,20}",
            "[0-9a-f]{6,64}",
            "[0-9A-F]{6,64}",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            // Base 62; a digit among letters makes sure that it is no word and has no stem.
            "[A-Za-z0-9]{7}[0-9][g-z][A-Za-z0-9]{7,30}",
        ],
        begin in prop_oneof!["(session|user|cart)[-_.:]", Just("x_".to_owned())],
        end in prop_oneof!["[-_.:](mixpanel|token|state)", Just(String::new())],
    ) {
        prop_assert_eq!(template(format!("{begin}{id}{end}")), format!("{begin}{{id}}{end}"));
    }
}
