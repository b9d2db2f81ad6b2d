//! What deltas to a new release start from: earlier releases, the newest and named ones, and nothing.

use std::cmp::Reverse;

use cli::{CliError, Exit, Output};
use manifests::limits::DELTAS_MAX;
use manifests::product::Product;
use manifests::release::{Content, Release};

/// Deltas from one release, one by each coder.
const CODERS: usize = 2;

/// Releases that deltas can start from: besides, there is the one from nothing.
pub const BASES_MAX: usize = (DELTAS_MAX - 1) / CODERS;

/// Versions that an error lists.
const LISTED_MAX: usize = 20;

/// What a delta starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The earlier release's version; `None` for nothing, from which any device can start.
    pub version: Option<String>,
    /// Its image.
    pub image: Content,
}

impl Base {
    /// Nothing.
    pub const NOTHING: Self = Self {
        version: None,
        image: Content::NOTHING,
    };

    fn of(release: &Release) -> Self {
        Self {
            version: Some(release.version.clone()),
            image: release.image,
        }
    }

    /// Its name in tables.
    pub fn name(&self) -> &str {
        self.version.as_deref().unwrap_or("nothing")
    }

    /// The name of a delta from it.
    pub fn label(&self) -> String {
        format!("delta from {}", self.name())
    }
}

/// Which earlier releases deltas are asked from.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// So many of the newest.
    pub newest: usize,
    /// These versions.
    pub named: &'a [String],
}

impl Wanted<'_> {
    /// Refuses what can't be, before anything is made.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`]: a version that the product doesn't have, or too many.
    pub fn check(&self, role: &Product) -> Result<(), CliError> {
        if self.newest > BASES_MAX {
            return Err(too_many(self.newest));
        }
        for version in self.named {
            if !role.releases().any(|old| old.version == *version) {
                let message = format!("there is no release {version}; there are: {}", list(role));
                return Err(CliError::new(Exit::Usage, message)
                    .hint("leave out --from, or give it one of them"));
            }
        }
        Ok(())
    }

    /// The bases of deltas to `new`, none twice: newest release first, at the end nothing.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`]: a named release of another format, or too many in all.
    pub fn bases(
        &self,
        role: &Product,
        new: &Release,
        output: Output,
    ) -> Result<Vec<Base>, CliError> {
        self.check(role)?;
        let mut fitting: Vec<&Release> = role
            .releases()
            .filter(|old| old.format == new.format && old.release < new.release)
            .collect();
        fitting.sort_by_key(|old| Reverse(old.release));
        let is_named = |old: &Release| self.named.contains(&old.version);
        for version in self.named {
            match fitting.iter().find(|old| old.version == *version) {
                None => return Err(other_format(version, new)),
                Some(old) if old.image == new.image => output.note(format_args!(
                    "release {version} has the very same image: no delta from it"
                )),
                Some(_) => {}
            }
        }
        let mut bases: Vec<Base> = Vec::new();
        let mut left = self.newest;
        for old in fitting {
            let known = old.image == new.image || bases.iter().any(|it| it.image == old.image);
            let is_newest = !known && old.channel == new.channel && left > 0;
            left -= usize::from(is_newest);
            if is_newest || (is_named(old) && !known) {
                bases.push(Base::of(old));
            }
        }
        if bases.len() > BASES_MAX {
            return Err(too_many(bases.len()));
        }
        bases.push(Base::NOTHING);
        Ok(bases)
    }
}

fn too_many(count: usize) -> CliError {
    let message = format!(
        "deltas from {count} releases are too many: {CODERS} from each and one from nothing would be {}, \
         a release can have {DELTAS_MAX}",
        count * CODERS + 1
    );
    CliError::new(Exit::Usage, message).hint(format_args!(
        "at most {BASES_MAX} by --deltas (or deltas in publisher.toml) and --from together"
    ))
}

fn other_format(version: &str, new: &Release) -> CliError {
    let message = format!(
        "release {version} is no {} image as this one is: no delta leads from it",
        new.format.name()
    );
    CliError::new(Exit::Usage, message).hint(format_args!("leave out --from {version}"))
}

/// The versions there are, newest first.
fn list(role: &Product) -> String {
    let mut releases: Vec<&Release> = role.releases().collect();
    releases.sort_by_key(|old| Reverse(old.release));
    let shown: Vec<&str> = releases
        .iter()
        .take(LISTED_MAX)
        .map(|old| old.version.as_str())
        .collect();
    match (shown.len(), releases.len() - shown.len()) {
        (0, _) => "none yet".to_owned(),
        (_, 0) => shown.join(" "),
        (_, more) => format!("{} and {more} older ones", shown.join(" ")),
    }
}
