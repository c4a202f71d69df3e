//! Words of the gateway's closed sets, in JSON and in the OpenAPI document.

use std::borrow::Cow;

use crumbgate_base::language::Language;
use crumbgate_policy::{AgreementMode, EvictScope, GuardMode, Mode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

/// A closed set whose members have a word each.
pub(super) trait ClosedSet: Copy + 'static {
    /// The name of its schema.
    const NAME: &'static str;
    /// The description of its schema.
    const DESCRIPTION: &'static str;
    /// Every member.
    const MEMBERS: &'static [Self];

    fn word(self) -> &'static str;
}

impl ClosedSet for AgreementMode {
    const NAME: &'static str = "AgreementWord";
    const DESCRIPTION: &'static str = "The agreement that people give before cookies are used: \
        `notice` shows a banner, `required` sets no cookie before a person agrees.";
    const MEMBERS: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.word()
    }
}

impl ClosedSet for EvictScope {
    const NAME: &'static str = "EvictWord";
    const DESCRIPTION: &'static str = "The scope in which undeclared cookies are deleted: those of the host, \
        and with `domain` also those of its parent domains.";
    const MEMBERS: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.word()
    }
}

impl ClosedSet for GuardMode {
    const NAME: &'static str = "GuardWord";
    const DESCRIPTION: &'static str = "The guard against cookies that scripts set: `watch` only reports \
        their names, `enforce` also keeps scripts from setting undeclared ones.";
    const MEMBERS: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.word()
    }
}

impl ClosedSet for Language {
    const NAME: &'static str = "Tongue";
    const DESCRIPTION: &'static str = "A language.";
    const MEMBERS: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.tag()
    }
}

impl ClosedSet for Mode {
    const NAME: &'static str = "ModeWord";
    const DESCRIPTION: &'static str =
        "The mode: verdicts are enforced, or only counted (`report`).";
    const MEMBERS: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.word()
    }
}

/// A member of a closed set, written as its word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<T>(pub(super) T);

// The macros of utoipa read a name without type parameters.
pub(super) type AgreementWord = Word<AgreementMode>;
pub(super) type EvictWord = Word<EvictScope>;
pub(super) type GuardWord = Word<GuardMode>;
pub(super) type LanguageWord = Word<Language>;
pub(super) type ModeWord = Word<Mode>;

impl<T: ClosedSet> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<'de, T: ClosedSet> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let member = T::MEMBERS.iter().find(|member| member.word() == text).copied();
        member.map(Self).ok_or_else(|| {
            let words: Vec<_> = T::MEMBERS.iter().map(|member| member.word()).collect();
            D::Error::custom(format!("found {text:?}, expected one of {}", words.join(", ")))
        })
    }
}

impl<T: ClosedSet> PartialSchema for Word<T> {
    fn schema() -> RefOr<Schema> {
        let words = T::MEMBERS.iter().map(|member| member.word());
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(words))
            .description(Some(T::DESCRIPTION));
        schema.into()
    }
}

impl<T: ClosedSet> ToSchema for Word<T> {
    fn name() -> Cow<'static, str> {
        T::NAME.into()
    }
}
