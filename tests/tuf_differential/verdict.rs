//! Two clients over one case: do they agree?

use manifests::client::{ClientError, Reason};

use super::case::Case;
use super::oracle::{Answer, Refusal};
use super::run::Run;

/// What they do not agree on.
#[derive(Debug)]
pub(super) enum Difference {
    /// Both found something else, or one of them nothing.
    Found,
    /// Both accept; these roles are stored with other bytes.
    Stored(Vec<String>),
    /// They refuse what we accept.
    TheyRefuse,
    /// We refuse what they accept.
    WeRefuse,
}

/// A case, and what both made of it.
#[derive(Debug)]
pub(super) struct Verdict<'a> {
    pub(super) case: &'a Case,
    pub(super) ours: &'a Run,
    pub(super) theirs: &'a Answer,
}

impl Verdict<'_> {
    /// Whether both accept the top-level roles and the search.
    pub(super) fn both_accept(&self) -> bool {
        self.ours.refusal().is_none() && self.their_refusal().is_none()
    }

    pub(super) fn their_refusal(&self) -> Option<&Refusal> {
        self.theirs.refresh.as_ref().or(self.theirs.search.as_ref())
    }

    /// The rule we say is broken.
    pub(super) fn reason(&self) -> Option<&Reason> {
        self.ours.refusal().map(|error| &error.reason)
    }

    /// What they say is wrong; empty if nothing is.
    pub(super) fn their_text(&self) -> &str {
        self.their_refusal().map_or("", |refusal| &refusal.text)
    }

    /// What differs, if anything does. Where both refuse one step, nothing more is compared.
    pub(super) fn difference(&self) -> Option<Difference> {
        let (ours, theirs) = (self.ours, self.theirs);
        for (we, they) in [
            (ours.refresh.is_some(), theirs.refresh.is_some()),
            (ours.search.is_some(), theirs.search.is_some()),
        ] {
            match (we, they) {
                (true, true) => return None,
                (true, false) => return Some(Difference::WeRefuse),
                (false, true) => return Some(Difference::TheyRefuse),
                (false, false) => {}
            }
        }
        if ours.found != theirs.found {
            return Some(Difference::Found);
        }
        let digests = ours.digests();
        let mut roles: Vec<String> = digests
            .keys()
            .chain(theirs.stored.keys())
            .cloned()
            .collect();
        roles.retain(|role| digests.get(role) != theirs.stored.get(role));
        roles.sort();
        roles.dedup();
        (!roles.is_empty()).then_some(Difference::Stored(roles))
    }
}

/// The kind of a refusal, without its particulars.
pub(super) fn kind(error: &ClientError) -> String {
    let text = error.reason.to_string();
    let words = text.split(' ').map(|word| {
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            "#"
        } else {
            word
        }
    });
    words.take(9).collect::<Vec<_>>().join(" ")
}
