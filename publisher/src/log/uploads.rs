//! Bringing a mirror the entries that it lacks (C2SP tlog-mirror), a bounded number a request.

use tlog::checkpoint::Checkpoint;
use tlog::mirror::{MirrorInfo, Package, Upload};
use tlog::tile::Bundle;
use tlog::tree::Tree;

use super::Log;
use super::endpoint::{Endpoint, Request};

/// Bytes of a request from which on nothing is added to it.
const REQUEST_BYTES: usize = 1 << 20;
/// Requests without progress: others may bring the same entries.
const STALLS_MAX: usize = 3;

/// Brings all entries of a tree; the answer with the mirror's cosignature, or `None` if it is no mirror.
pub(super) async fn upload(
    log: &Log,
    tree: &Checkpoint,
    mirror: &Endpoint,
) -> Result<Option<String>, String> {
    // The first request brings nothing: its answer says what is there.
    let mut next = tree.size;
    let mut ticket = Vec::new();
    let mut stalls = 0;
    while stalls < STALLS_MAX {
        let upload = Upload {
            origin: tree.origin.clone(),
            start: next,
            end: tree.size,
            ticket,
        };
        let (status, body) = mirror
            .send(Request::Entries, request(log, &upload)?)
            .await?;
        match status {
            200 => return Ok(Some(body)),
            404 | 405 => return Ok(None),
            202 | 409 => {
                let info = MirrorInfo::parse(&body).map_err(|error| error.to_string())?;
                if info.size > tree.size {
                    return Err(format!("it was shown {} entries meanwhile", info.size));
                }
                let wanted = info.next.min(tree.size);
                let is_progress = status == 202 && wanted > next;
                stalls = if is_progress { 0 } else { stalls + 1 };
                (next, ticket) = (wanted, info.ticket);
            }
            status => return Err(format!("{status}: {:.100}", body.trim())),
        }
    }
    Err("it takes no more entries".to_owned())
}

/// As many packages as a request holds.
fn request(log: &Log, upload: &Upload) -> Result<Vec<u8>, String> {
    let too_long = || "an entry or a name of the log is too long".to_owned();
    let files = log.files();
    let mut bytes = upload.encode().ok_or_else(too_long)?;
    for range in upload.packages() {
        let start = Package::bundle_start(&range);
        let proof = Tree::new(&files, upload.end).subtree_proof(start, range.end);
        let bundle = Bundle::of(start >> 8, range.end).ok_or_else(too_long)?;
        let entries = files.entries(bundle).map_err(|error| error.to_string())?;
        let known = usize::try_from(range.start.saturating_sub(start)).unwrap_or(usize::MAX);
        let package = Package {
            entries: entries.into_iter().skip(known).collect(),
            proof: proof.map_err(|error| error.to_string())?,
        };
        bytes.extend(package.encode().ok_or_else(too_long)?);
        if bytes.len() >= REQUEST_BYTES {
            break;
        }
    }
    Ok(bytes)
}
