//! The rules that the steps of the workflow share: each looks at one or two documents and has no state.

use super::{ClientError, Reason};
use crate::envelope::{Authority, Envelope, Metadata, Verified};
use crate::file_meta::FileMeta;
use crate::instant::UtcTime;
use crate::snapshot::Snapshot;

/// File name that errors about a missing entry of the snapshot are reported for.
pub(super) const SNAPSHOT_FILE: &str = "snapshot.json";

pub(super) fn at(file: &str, reason: impl Into<Reason>) -> ClientError {
    ClientError {
        file: file.to_owned(),
        reason: reason.into(),
    }
}

pub(super) fn bounded(meta: &FileMeta, default: u64) -> u64 {
    meta.length.unwrap_or(default).min(default)
}

pub(super) fn accept<T: Metadata>(
    name: &str,
    bytes: &[u8],
    authority: &Authority,
) -> Result<Verified<T>, ClientError> {
    let envelope = Envelope::parse(bytes).map_err(|error| at(name, error))?;
    envelope.verify(authority).map_err(|error| at(name, error))
}

/// A stored file, if the present keys of its role still vouch for it.
pub(super) fn trusted<T: Metadata>(
    bytes: Option<&[u8]>,
    authority: &Authority,
) -> Option<Verified<T>> {
    Envelope::parse(bytes?).ok()?.verify(authority).ok()
}

/// A stored timestamp or snapshot, for the versions that were trusted. Keys that were rotated deleted
/// it; else it counts although its key got another id or the threshold was raised since.
pub(super) fn remembered<T: Metadata>(
    bytes: Option<&[u8]>,
    authority: &Authority,
) -> Option<Verified<T>> {
    Envelope::parse(bytes?).ok()?.signed_by_any(authority)
}

/// A stored file, if it is trusted and exactly the one that is referred to.
pub(super) fn reusable<T: Metadata>(
    bytes: Option<&[u8]>,
    authority: &Authority,
    meta: &FileMeta,
) -> Option<Verified<T>> {
    meta.check(bytes?).ok()?;
    trusted(bytes, authority).filter(|role: &Verified<T>| role.header().version == meta.version)
}

pub(super) fn role_meta<'a>(
    snapshot: &'a Snapshot,
    role: &str,
) -> Result<&'a FileMeta, ClientError> {
    let missing = || at(SNAPSHOT_FILE, Reason::RoleDropped(format!("{role}.json")));
    snapshot.role(role).ok_or_else(missing)
}

pub(super) fn check_version(name: &str, expected: u64, actual: u64) -> Result<(), ClientError> {
    if expected == actual {
        Ok(())
    } else {
        Err(at(name, Reason::Version { expected, actual }))
    }
}

pub(super) fn check_rollback(name: &str, trusted: u64, offered: u64) -> Result<(), ClientError> {
    if offered < trusted {
        return Err(at(name, Reason::Rollback { trusted, offered }));
    }
    Ok(())
}

pub(super) fn check_equivocation<T: Metadata>(
    name: &str,
    trusted: &Verified<T>,
    offered: &Verified<T>,
) -> Result<(), ClientError> {
    let version = trusted.header().version;
    if version == offered.header().version && trusted.canonical() != offered.canonical() {
        return Err(at(name, Reason::Equivocation(version)));
    }
    Ok(())
}

/// Neither older than the trusted document, nor another one of the same version.
pub(super) fn check_successor<T: Metadata>(
    name: &str,
    trusted: &Verified<T>,
    offered: &Verified<T>,
) -> Result<(), ClientError> {
    check_rollback(name, trusted.header().version, offered.header().version)?;
    check_equivocation(name, trusted, offered)
}

pub(super) fn check_expiry<T: Metadata>(
    name: &str,
    role: &T,
    now: UtcTime,
) -> Result<(), ClientError> {
    if role.header().is_expired(now) {
        return Err(at(
            name,
            Reason::Expired {
                expires: role.header().expires,
                now,
            },
        ));
    }
    Ok(())
}
