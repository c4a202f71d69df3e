//! Properties of rule N4: a renewal never restores a superseded value, in whatever order exchanges begin and end.

use std::collections::{HashMap, HashSet};

use crumbgate_policy::{
    OutgoingSetCookie, Policy, RequestFacts, Resources, ResponseFacts, SetCookieFields,
    superseded::Superseded,
};
use proptest::prelude::*;

use crate::exchange::{DATE_UNIX_S, flexopus};

/// The effect of the application's response on the session.
#[derive(Clone, Debug)]
enum App {
    Delete,
    Leave,
    Refuse,
    Set(String),
}

/// The next step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// A call begins, with this value of the session or without one.
    Begin(Option<String>),
    /// One of the open calls ends; the number is taken modulo their count.
    End(usize, App),
    /// This many seconds pass.
    Wait(u32),
}

/// The part of a gateway that handles the session of one tenant.
struct Gateway {
    policy: Policy,
    superseded: Superseded,
}

impl Gateway {
    fn new() -> Self {
        Self { policy: flexopus(), superseded: Superseded::new(4096, 7) }
    }

    /// Returns the value to which the response to an API call sets the session, an empty one for a deletion.
    fn answer(&self, sent: Option<&str>, app: &App, uptime_s: u32) -> Option<String> {
        let cookie = sent.map(|value| format!("flexopus_session={value}").into_bytes());
        let facts = RequestFacts {
            method: "GET",
            path: "/api/me",
            host: "acme.example",
            accepts_html: false,
            seal: None,
        };
        let fields = cookie.as_deref();
        let (_, judged) = self.policy.judge_request(facts, fields, &mut |_| ());
        let set = match app {
            App::Delete => Some("flexopus_session=gone; Max-Age=0".to_owned()),
            App::Leave | App::Refuse => None,
            App::Set(value) => Some(format!("flexopus_session={value}; Max-Age=7200")),
        };
        let response = ResponseFacts {
            status: if matches!(app, App::Refuse) { 401 } else { 200 },
            date_unix_s: DATE_UNIX_S,
            now_unix_s: 1_795_435_200,
            uptime_s,
        };
        let superseded = &self.superseded;
        let resources = Resources { tenant: "acme", superseded, random: &mut || [0; 32] };
        let fields = set.as_deref().map(str::as_bytes);
        let left = judged.judge_response(response, fields, resources, &mut |_| ());
        let SetCookieFields::Replaced(fields) = left else { return None };
        let [OutgoingSetCookie::Built(field)] = fields.as_slice() else { return None };
        let field = str::from_utf8(field).unwrap();
        let value = field.strip_prefix("flexopus_session=")?.split(';').next()?;
        Some(if field.contains("Max-Age=0") { String::new() } else { value.to_owned() })
    }
}

/// The simplest model of rule N4: each superseded value, and the second at which it is forgotten.
#[derive(Default)]
struct Model {
    forgotten_at_s: HashMap<String, u32>,
}

impl Model {
    fn answer(&mut self, sent: Option<&str>, app: &App, uptime_s: u32) -> Option<String> {
        match app {
            App::Set(value) => {
                self.forgotten_at_s.remove(value);
                if let Some(sent) = sent
                    && sent != value
                {
                    self.forgotten_at_s.insert(sent.to_owned(), uptime_s + 300);
                }
                Some(value.clone())
            }
            App::Delete => {
                if let Some(sent) = sent {
                    self.forgotten_at_s.insert(sent.to_owned(), uptime_s + 300);
                }
                Some(String::new())
            }
            App::Refuse => None,
            App::Leave => {
                let sent = sent?;
                let is_dead = self.forgotten_at_s.get(sent).is_some_and(|at| *at > uptime_s);
                (!is_dead).then(|| sent.to_owned())
            }
        }
    }
}

fn any_value() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(ToOwned::to_owned)
}

fn any_step() -> impl Strategy<Value = Step> {
    let app = prop_oneof![
        4 => Just(App::Leave),
        2 => any_value().prop_map(App::Set),
        1 => Just(App::Delete),
        1 => Just(App::Refuse),
    ];
    prop_oneof![
        4 => prop::option::weighted(0.9, any_value()).prop_map(Step::Begin),
        4 => (any::<usize>(), app).prop_map(|(which, app)| Step::End(which, app)),
        1 => (0..200u32).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn n4_random_histories_match_the_model(steps in prop::collection::vec(any_step(), 0..60)) {
        let gateway = Gateway::new();
        let mut model = Model::default();
        let mut open: Vec<Option<String>> = Vec::new();
        let mut uptime_s = 0;
        for step in steps {
            match step {
                Step::Begin(sent) => open.push(sent),
                Step::Wait(seconds) => uptime_s += seconds,
                Step::End(which, app) if !open.is_empty() => {
                    let sent = open.swap_remove(which % open.len());
                    let answered = gateway.answer(sent.as_deref(), &app, uptime_s);
                    prop_assert_eq!(answered, model.answer(sent.as_deref(), &app, uptime_s));
                }
                Step::End(..) => {}
            }
        }
    }

    /// A browser waits for each login and logout before the next one, while slow calls take up to five minutes. Its jar
    /// always holds the value that the application has set last.
    #[test]
    fn n4_the_jar_holds_the_value_that_the_application_set_last(steps in prop::collection::vec(0..6u8, 0..80)) {
        let gateway = Gateway::new();
        let mut jar: Option<String> = None;
        let mut last_set: Option<String> = None;
        let mut slow: Vec<(u32, Option<String>)> = Vec::new();
        let mut dead = HashSet::new();
        for (uptime_s, step) in (0u32..).step_by(7).zip(steps) {
            let (sent, app) = match step {
                0 | 1 => {
                    slow.push((uptime_s, jar.clone()));
                    continue;
                }
                2 => (jar.clone(), App::Set(format!("session-{uptime_s}"))),
                3 => (jar.clone(), App::Delete),
                _ => {
                    slow.retain(|(since_s, _)| uptime_s - since_s < 300);
                    let Some(call) = slow.pop() else { continue };
                    (call.1, if step == 4 { App::Leave } else { App::Refuse })
                }
            };
            if let App::Set(_) | App::Delete = app {
                dead.extend(sent.clone());
                last_set = match &app {
                    App::Set(value) => Some(value.clone()),
                    App::Delete | App::Leave | App::Refuse => None,
                };
            }
            match gateway.answer(sent.as_deref(), &app, uptime_s) {
                Some(deleted) if deleted.is_empty() => jar = None,
                Some(value) => jar = Some(value),
                None => {}
            }
            prop_assert_eq!(&jar, &last_set);
            prop_assert!(jar.as_ref().is_none_or(|value| !dead.contains(value)));
        }
    }
}

#[test]
fn n4_a_slow_call_overwrites_no_new_session_and_undoes_no_logout() {
    let gateway = Gateway::new();
    let slow = Some("old");
    assert_eq!(gateway.answer(slow, &App::Leave, 0).as_deref(), Some("old"));
    assert_eq!(gateway.answer(slow, &App::Set("new".to_owned()), 1).as_deref(), Some("new"));
    assert_eq!(gateway.answer(slow, &App::Leave, 2), None);
    assert_eq!(gateway.answer(Some("new"), &App::Leave, 3).as_deref(), Some("new"));
    assert_eq!(gateway.answer(Some("new"), &App::Delete, 4).as_deref(), Some(""));
    assert_eq!(gateway.answer(Some("new"), &App::Leave, 5), None);
}

#[test]
fn n4_workers_that_end_calls_at_once_agree() {
    let gateway = Gateway::new();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let gateway = &gateway;
            scope.spawn(move || {
                for n in 0..200 {
                    let (old, new) = (format!("{worker}-{n}"), format!("{worker}-{}", n + 1));
                    gateway.answer(Some(&old), &App::Set(new.clone()), 1);
                    assert_eq!(gateway.answer(Some(&old), &App::Leave, 1), None);
                    assert_eq!(gateway.answer(Some(&new), &App::Leave, 1), Some(new));
                }
            });
        }
    });
}
