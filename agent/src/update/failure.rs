//! Why a way to an image failed, and whether another may do; what one run can't count on any more.

use std::io::ErrorKind;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use delta::ApplyError;
use node::blocks::fetch::FetchReport;
use protocol::exchange::tree::Blob;

use super::{Work, blob_of};
use crate::device::Device;
use crate::install::InstallError;
use crate::plan::{self, Way};
use crate::slot::SlotKind;
use crate::source::{Sources, Unfetched};

#[derive(Debug)]
pub(super) enum Failure {
    /// The data folder does not take what this way keeps there; another may need less.
    Folder(CliError),
    /// The update can't go on now.
    Other(CliError),
    /// The slot does not take the image, by whatever way it comes.
    Slot(InstallError),
    /// Nobody delivers what this way needs.
    Starved(CliError),
    /// This way failed; another may do.
    Way(InstallError),
}

impl Failure {
    /// Of fetching a blob that is kept in the data folder.
    pub(super) fn of_blob(unfetched: Unfetched) -> Self {
        match unfetched {
            Unfetched::Disk(error) => Self::Folder(error),
            Unfetched::Other(error) => Self::Other(error),
            Unfetched::Starved(error) => Self::Starved(error),
        }
    }

    /// Of fetching the image to where a slot of this kind has it.
    pub(super) fn of_image(unfetched: Unfetched, kind: SlotKind) -> Self {
        match (unfetched, kind) {
            (Unfetched::Disk(error), SlotKind::Raw) => Self::Other(error),
            (unfetched, _) => Self::of_blob(unfetched),
        }
    }

    /// Of writing the image, or of reading what it is made from.
    pub(super) fn of_install(error: InstallError, kind: SlotKind) -> Self {
        match error {
            // The archive of a directory lies beside the deltas.
            InstallError::Delta(ApplyError::Output(cause))
                if kind == SlotKind::Dir && is_full(cause.kind()) =>
            {
                let error = InstallError::Delta(ApplyError::Output(cause));
                Self::Folder(CliError::from_error(Exit::No, "data folder", &error))
            }
            InstallError::Disk(_)
            | InstallError::Delta(ApplyError::Output(_))
            | InstallError::Archive(_)
            | InstallError::SlotTooSmall { .. }
            | InstallError::ReadBack { .. }
            | InstallError::Stopped => Self::Slot(error),
            InstallError::Delta(_) => Self::Way(error),
        }
    }

    pub(super) const fn leaves_other_ways(&self) -> bool {
        match self {
            Self::Folder(_) | Self::Starved(_) | Self::Way(_) => true,
            Self::Other(_) | Self::Slot(_) => false,
        }
    }

    pub(super) fn explain(self, work: &Work<'_>) -> CliError {
        match self {
            Self::Slot(error) | Self::Way(error) => {
                let context = format!("slot {} was not written", work.target.name);
                CliError::from_error(Exit::No, context, &error)
                    .hint("the running system is untouched; run again to finish")
            }
            Self::Folder(error) | Self::Other(error) | Self::Starved(error) => error,
        }
    }
}

const fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self::Other(error)
    }
}

/// What one run has fetched, and what it can't count on any more: whoever serves the cheap part of each way and
/// holds back the rest must not have all ways tried in turn.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) used: FetchReport,
    /// Not asked for again.
    useless: Vec<Blob>,
    /// What the running system lacks for one delta, and so for the next, could not be had.
    pub(super) is_base_lost: bool,
}

impl Run {
    /// Whether what a way needs is known to be missing.
    pub(super) fn skips(&self, way: &Way) -> bool {
        match way {
            Way::Delta(delta) => {
                let needs_base = !plan::is_repack(delta);
                needs_base && self.is_base_lost || self.is_useless(&blob_of(&delta.blob))
            }
            Way::Whole(image) => self.is_useless(&blob_of(image)),
        }
    }

    pub(super) fn is_useless(&self, blob: &Blob) -> bool {
        self.useless.contains(blob)
    }

    pub(super) fn note_useless(&mut self, blob: Blob) {
        self.useless.push(blob);
    }

    /// Notes a blob of the data folder that failed. One that found no room there leaves what it took: to the
    /// journal, which comes next, and to the next way.
    pub(super) fn set_aside(
        &mut self,
        device: &Device,
        sources: &Sources,
        blob: Blob,
        failure: &Failure,
    ) -> Result<(), CliError> {
        self.note_useless(blob);
        if !matches!(failure, Failure::Folder(_)) {
            return Ok(());
        }
        sources.blobs().remove(&blob);
        device.remove_blob(&blob).context(Exit::No, "data folder")
    }
}

#[cfg(test)]
mod tests;
