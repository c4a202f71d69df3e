//! The guard's scripts that one worker has made.

use std::{cell::RefCell, rc::Rc};

use crumbgate_pages::{
    guard::GuardScript,
    page::settings::{PagePath, PageRoute},
};
use crumbgate_policy::{GuardMode, Policy};

/// The scripts. All tenants of one configuration share them.
#[derive(Default)]
pub(crate) struct ScriptCache(RefCell<Vec<(Distinction, Rc<GuardScript>)>>);

/// The settings by which scripts differ within one configuration.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Distinction {
    mode: GuardMode,
    has_names: bool,
}

impl ScriptCache {
    /// Returns the script of tenants with this policy, with the names that scripts may set or without any. `None` if the guard
    /// is off, or there is no page to which browsers report.
    pub(crate) fn script(
        &self,
        path: Option<&PagePath>,
        policy: &Policy,
        has_names: bool,
    ) -> Option<Rc<GuardScript>> {
        let wanted = Distinction { mode: policy.guard_in_force(), has_names };
        let made = &mut *self.0.borrow_mut();
        if let Some((_, script)) = made.iter().find(|(distinction, _)| *distinction == wanted) {
            return Some(Rc::clone(script));
        }
        let cookies = policy.declaration.cookies().iter();
        let names = cookies.filter(|cookie| has_names && !cookie.http_only);
        let names = names.map(|cookie| cookie.name.as_str());
        let script = Rc::new(GuardScript::new(wanted.mode, names, &path?.of(PageRoute::Seen))?);
        made.push((wanted, Rc::clone(&script)));
        Some(script)
    }
}
