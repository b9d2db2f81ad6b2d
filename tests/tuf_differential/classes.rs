//! Where we differ from python-tuf, and why: every difference belongs to one of these classes.
//!
//! A class holds for as little as can be told from the difference, our reason, their exception and the
//! files. The table stands in `docs/interoperability.md` too.

mod json;
mod trust;

use super::verdict::{Difference, Verdict};

/// A class of differences.
pub(super) struct Class {
    pub(super) name: &'static str,
    /// Why ours is right.
    pub(super) why: &'static str,
    holds: fn(&Difference, &Verdict<'_>) -> bool,
}

/// All of them; the first that holds counts.
pub(super) fn all() -> impl Iterator<Item = &'static Class> {
    trust::CLASSES.iter().chain(json::CLASSES)
}

/// The class of a difference. Where several roles are stored with other bytes, each must have one, and
/// the first counts.
pub(super) fn of(difference: &Difference, verdict: &Verdict<'_>) -> Option<&'static Class> {
    let find = |one: &Difference| all().find(|class| (class.holds)(one, verdict));
    let Difference::Stored(roles) = difference else {
        return find(difference);
    };
    let each = roles
        .iter()
        .map(|role| find(&Difference::Stored(vec![role.clone()])));
    each.collect::<Option<Vec<_>>>()?.first().copied()
}

fn we_refuse(difference: &Difference) -> bool {
    matches!(difference, Difference::WeRefuse)
}

fn they_refuse(difference: &Difference) -> bool {
    matches!(difference, Difference::TheyRefuse)
}
