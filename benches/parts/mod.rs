//! The pure parts of a request's journey, each as work that can be done again and again: no clock, no socket, no file.
//! `benches/pure.rs` takes their time; the bench crate's `pure` counts their instructions.

mod evidence;
mod policy;
mod seal;
mod tenants;

/// A piece of work, which takes the same every time.
pub(crate) type Work = Box<dyn FnMut()>;

/// A pure part.
pub(crate) struct Part {
    /// Its name: what it is of, a colon, and the case.
    pub(crate) name: String,
    prepare: Box<dyn Fn() -> Work>,
}

impl Part {
    fn new<W: FnMut() + 'static>(
        name: impl Into<String>,
        prepare: impl Fn() -> W + 'static,
    ) -> Self {
        Self { name: name.into(), prepare: Box::new(move || Box::new(prepare())) }
    }

    /// Makes everything that the work needs.
    pub(crate) fn prepare(&self) -> Work {
        (self.prepare)()
    }
}

/// Every part.
pub(crate) fn all() -> Vec<Part> {
    [policy::requests(), policy::responses(), seal::parts(), tenants::parts(), evidence::parts()]
        .into_iter()
        .flatten()
        .collect()
}
