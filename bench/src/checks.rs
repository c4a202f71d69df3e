//! Asserts by requests that each target does what is claimed of it.
//!
//! - All: TLS 1.3 with AES-256-GCM and X25519; HTTP/1.1 and HTTP/2; a connection to the application is used again.
//! - Plain ones: every cookie goes through as it is.
//! - Those that do the policy: of a request's cookies the declared pairs go through, byte for byte, in one field. A
//!   response's undeclared `Set-Cookie` fields are removed; the declared ones leave with the declaration's attributes,
//!   `Expires` and `Max-Age` agreeing. An API request renews what the application has not set, if the browser has it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};

use crate::{
    clients::Endpoint,
    probe::{Probe, Received, Tls, Version},
    targets::Target,
    traffic::{self, Answer, DECLARED, Request},
    upstream::{Scripted, Seen},
};

/// Fails where the target, which stands before this application, does something else than is claimed.
pub async fn check(target: Target, endpoint: &Endpoint, application: &Scripted) -> Result<()> {
    for version in [Version::One, Version::Two] {
        let checked = check_version(target, endpoint, application, version);
        let checked = tokio::time::timeout(LIMIT, checked).await.context("it took too long");
        checked.and_then(|checked| checked).with_context(|| {
            format!("{target} does not do what is claimed of it, over {version:?}")
        })?;
    }
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(20);

async fn check_version(
    target: Target,
    endpoint: &Endpoint,
    application: &Scripted,
    version: Version,
) -> Result<()> {
    let mut probe = Probe::connect(endpoint, version).await?;
    check_tls(&probe.tls)?;
    let mut connections = BTreeSet::new();
    for request in requests() {
        let received = probe.ask(&request).await?;
        let seen = application.take().context("nothing reached the application")?;
        ensure!(application.take().is_none(), "one request reached the application twice");
        connections.insert(seen.connection);
        check_exchange(target, &request, &seen, &received)
            .with_context(|| format!("{request:#?}\n{}\n{received:#?}", seen.head))?;
    }
    ensure!(connections.len() == 1, "{} connections were made upstream", connections.len());
    Ok(())
}

/// One of each kind.
fn requests() -> Vec<Request> {
    let mut requests: Vec<_> = [0, 1, 8].into_iter().map(traffic::json).collect();
    requests.extend([traffic::renewal(), traffic::page(), traffic::tiny()]);
    let bare: Vec<_> = requests.iter().cloned().map(traffic::without_cookies).collect();
    requests.extend(bare);
    requests
}

fn check_tls(tls: &Tls) -> Result<()> {
    let expected = Tls {
        version: "TLSv1_3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        group: "X25519".into(),
    };
    ensure!(*tls == expected, "it agreed on {tls:?}");
    Ok(())
}

fn check_exchange(
    target: Target,
    request: &Request,
    seen: &Seen,
    received: &Received,
) -> Result<()> {
    let answers = traffic::answers();
    let answer = answers.iter().find(|answer| answer.path == request.path);
    let answer = answer.context("there is no such answer")?;
    ensure!(received.status == 200, "the answer is {}", received.status);
    ensure!(received.body == answer.body.as_bytes(), "the body is another");
    let (sent, reached) = (cookies_of(request), seen.fields("cookie"));
    let set = received.fields.get_all("set-cookie").iter().map(|field| field.to_str());
    let set = set.collect::<Result<Vec<_>, _>>()?;
    if target.does_policy() {
        check_kept(sent, &reached)?;
        check_set(answer, sent, &set)
    } else {
        ensure!(reached == Vec::from_iter(sent), "other cookies reached the application");
        ensure!(set == answer.set_cookies, "other cookies are set");
        Ok(())
    }
}

fn cookies_of(request: &Request) -> Option<&str> {
    request.fields.iter().find(|(name, _)| *name == "cookie").map(|(_, value)| value.as_str())
}

/// The declared pairs have reached the application in one field; in which order is left to the target.
fn check_kept(sent: Option<&str>, reached: &[&str]) -> Result<()> {
    let Some(sent) = sent else {
        ensure!(reached.is_empty(), "there are cookies that nobody sent");
        return Ok(());
    };
    let [field] = reached else { bail!("{} Cookie fields reached the application", reached.len()) };
    let declared =
        |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| DECLARED.contains(&name));
    let mut expected: Vec<_> = sent.split("; ").filter(declared).collect();
    let mut kept: Vec<_> = field.split("; ").collect();
    expected.sort_unstable();
    kept.sort_unstable();
    ensure!(kept == expected, "other cookies reached the application");
    Ok(())
}

/// The declared cookies of the application leave as declared, together with the renewed ones.
fn check_set(answer: &Answer, sent: Option<&str>, set: &[&str]) -> Result<()> {
    let fields = answer.set_cookies.iter().filter_map(|field| field.split(';').next());
    let mut expected: Vec<_> =
        fields.filter(|pair| declaration(pair).is_some()).map(str::to_owned).collect();
    if answer.path.starts_with("/api/") {
        let pairs = sent.into_iter().flat_map(|sent| sent.split("; "));
        let renewed = pairs.filter(|pair| declaration(pair).is_some_and(|cookie| cookie.renewed));
        let missing = renewed.filter(|pair| !expected.iter().any(|set| same_name(set, pair)));
        let missing: Vec<_> = missing.map(str::to_owned).collect();
        expected.extend(missing);
    }
    let mut left: Vec<_> = set.iter().map(|field| field.split("; ").next().unwrap_or("")).collect();
    expected.sort_unstable();
    left.sort_unstable();
    ensure!(left == expected, "other cookies are set than {expected:#?}");
    set.iter().try_for_each(|field| check_attributes(field).with_context(|| format!("{field:?}")))
}

/// The declaration of a cookie.
struct Declared {
    name: &'static str,
    max_age_s: i64,
    http_only: bool,
    renewed: bool,
}

const DECLARATION: [Declared; 3] = [
    Declared { name: DECLARED[0], max_age_s: 604_800, http_only: false, renewed: true },
    Declared { name: DECLARED[1], max_age_s: 604_800, http_only: true, renewed: true },
    Declared { name: DECLARED[2], max_age_s: 1_814_400, http_only: false, renewed: false },
];

fn declaration(pair: &str) -> Option<&'static Declared> {
    let (name, _) = pair.split_once('=')?;
    DECLARATION.iter().find(|cookie| cookie.name == name)
}

fn same_name(one: &str, other: &str) -> bool {
    one.split('=').next() == other.split('=').next()
}

fn check_attributes(field: &str) -> Result<()> {
    let cookie = declaration(field).context("it is not declared")?;
    let mut attributes: BTreeSet<_> = field.split("; ").skip(1).collect();
    let max_age = format!("Max-Age={}", cookie.max_age_s);
    for expected in [max_age.as_str(), "Path=/", "Secure", "SameSite=Lax"] {
        ensure!(attributes.remove(expected), "{expected} is missing");
    }
    ensure!(attributes.remove("HttpOnly") == cookie.http_only, "HttpOnly is not as declared");
    let expires = attributes.pop_first().and_then(|rest| rest.strip_prefix("Expires="));
    ensure!(attributes.is_empty(), "there is more: {attributes:?}");
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let expires = PrimitiveDateTime::parse(expires.context("Expires is missing")?, format)?;
    let lifetime = expires.assume_utc() - OffsetDateTime::now_utc();
    let apart = (lifetime.whole_seconds() - cookie.max_age_s).abs();
    ensure!(apart <= 2, "Expires and Max-Age are {apart} s apart");
    Ok(())
}
