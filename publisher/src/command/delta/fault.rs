//! What `delta apply` says when it fails: at which file, and what to do about it.

use std::error::Error;
use std::io;
use std::path::Path;

use cli::durable::{DISK_FIX, PathError};
use cli::{CliError, Exit};
use delta::ApplyError;
use delta::bsdiff::BsdiffError;

use super::ApplyArgs;

#[cfg(test)]
mod tests;

/// What to do if the base can't be read.
pub(super) const BASE_FIX: &str = "check the disk, then run again";

/// The file that an application failed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The base can't be read.
    Base,
    /// The delta can't be read, is damaged, or isn't for this base.
    Delta,
    /// The image can't be written.
    Image,
}

/// An error of an application.
pub(super) trait Fault: Error {
    /// What to do if the delta is at fault.
    const DELTA_FIX: &'static str;

    /// The file that it is about.
    fn at(&self) -> At;
}

impl Fault for ApplyError {
    const DELTA_FIX: &'static str =
        "get the delta again; the order is: streembit-publisher delta apply BASE DELTA -o IMAGE";

    fn at(&self) -> At {
        match self {
            Self::Base(_) => At::Base,
            Self::Output(_) => At::Image,
            _ => At::Delta,
        }
    }
}

impl Fault for BsdiffError {
    const DELTA_FIX: &'static str = "give the base that it was made from, or get the delta again; \
        the order is: streembit-publisher delta apply BASE DELTA -o IMAGE";

    fn at(&self) -> At {
        match self {
            Self::Base(_) => At::Base,
            Self::Output(_) => At::Image,
            _ => At::Delta,
        }
    }
}

/// Names the file that an application into `part` failed at.
pub(super) fn name<E: Fault>(args: &ApplyArgs, part: &Path, error: &E) -> CliError {
    let (path, fix) = match error.at() {
        At::Base => (args.base.as_path(), BASE_FIX),
        At::Delta => (args.delta.as_path(), E::DELTA_FIX),
        At::Image => (part, DISK_FIX),
    };
    CliError::from_error(Exit::No, path.display(), error).hint(fix)
}

/// Names an image that can't be written.
pub(super) fn unwritten(path: &Path, error: io::Error) -> CliError {
    CliError::from_error(Exit::No, "image", &PathError::new(path, error)).hint(DISK_FIX)
}
