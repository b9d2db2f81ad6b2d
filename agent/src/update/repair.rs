//! Segments that a modified base does not rebuild, out of the release's repack; without one, out of the image
//! itself.

use std::ops::Range;

use cli::progress::Progress;
use manifests::release::DeltaRef;
use node::blocks::partial::Partial;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::limits::CHUNK_BYTES;
use serde_json::json;

use super::failure::{Failure, Run};
use super::ways::{check_room, fetch_image, go_on, image_path, open_partial};
use super::{Work, blob_of, blocking, check_battery};
use crate::device::Device;
use crate::install;
use crate::plan;
use crate::source::{self, Sources};

/// Gets `segments`, and nothing else, into the slot. If it can't, what runs is no base in this run.
pub(super) async fn repair(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    segments: &[u32],
    run: &mut Run,
) -> Result<(), Failure> {
    check_battery(device)?;
    let repack = plan::repack(work.release);
    let repack = repack.filter(|repack| !run.is_useless(&blob_of(&repack.blob)));
    let data =
        json!({ "segments": segments.len(), "repack": repack.is_some(), "slot": work.target.name });
    device.record("repairing", data)?;
    if let Some(repack) = repack {
        match from_repack(device, sources, work, (repack, segments), run).await {
            Ok(()) => return Ok(()),
            Err(failure) if failure.leaves_other_ways() => {
                run.set_aside(device, sources, blob_of(&repack.blob), &failure)?;
                let why = failure.explain(work).to_string();
                device.record("repair-failed", json!({ "why": why }))?;
            }
            Err(failure) => return Err(failure),
        }
    }
    let image = blob_of(&work.release.image);
    let size = u64::from(delta::limits::SEGMENT_BYTES);
    let range = |index: &u32| {
        let start = u64::from(*index) * size;
        start..(start + size).min(image.size)
    };
    let ranges: Vec<Range<u64>> = segments.iter().map(range).collect();
    let wanted = chunks(image.chunk_count(), &ranges);
    let repaired = fetch_image(device, sources, work, Some(wanted), run).await;
    run.is_base_lost |= repaired.is_err();
    repaired
}

async fn from_repack(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    (repack, segments): (&DeltaRef, &[u32]),
    run: &mut Run,
) -> Result<(), Failure> {
    let failed = |error| Failure::of_install(error, work.target.kind);
    let image = blob_of(&work.release.image);
    let blob = blob_of(&repack.blob);
    let path = device.blob_path(&blob);
    let partial = open_partial(device, blob, &path).map_err(Failure::Folder)?;
    // Nothing is read while it is fetched: whoever reads what was not fetched waits for nothing.
    partial.give_up();
    let head = delta::head_range(image.size).map_err(delta::ApplyError::from);
    let head = head.map_err(|error| failed(error.into()))?;
    fetch(device, sources, &partial, &[head], run).await?;
    let (reader, expected) = (partial.reader(), repack.clone());
    let opened = blocking(move || install::open_delta(reader, &expected, &image)).await?;
    let mut container = opened.map_err(failed)?;
    let payloads = segments
        .iter()
        .filter_map(|index| container.payload_range(*index));
    let payloads: Vec<_> = payloads.collect();
    fetch(device, sources, &partial, &payloads, run).await?;
    let target = image_path(device, work.target, &image);
    let segments = segments.to_vec();
    let progress = Progress::start(work.output, "repair", image.size);
    let applied = blocking(move || {
        let mut report = |done| go_on(&progress, done);
        let to = (target.as_path(), &image);
        let applied = install::apply_delta(&mut container, None, to, &segments, &mut report);
        progress.finish();
        applied
    });
    let applied = applied.await?.map_err(failed)?;
    match applied.left_out.first() {
        None => Ok(()),
        Some(&index) => {
            let error = delta::ApplyError::Hash { index };
            Err(failed(error.into()))
        }
    }
}

/// Fetches the chunks that hold these ranges.
async fn fetch(
    device: &Device,
    sources: &Sources,
    partial: &Partial,
    ranges: &[Range<u64>],
    run: &mut Run,
) -> Result<(), Failure> {
    let wanted = chunks(partial.blob().chunk_count(), ranges);
    check_room(device, u64::from(wanted.held()) * CHUNK_BYTES)?;
    let fetched = sources.fetch_part(partial, Some(wanted), async || Ok(()), |_| {});
    let report = fetched.await.map_err(Failure::of_blob)?;
    source::add(&mut run.used, report);
    Ok(())
}

fn chunks(count: u32, ranges: &[Range<u64>]) -> ChunkMap {
    let mut wanted = ChunkMap::empty(count);
    for range in ranges {
        for chunk in range.start / CHUNK_BYTES..range.end.div_ceil(CHUNK_BYTES) {
            if let Ok(chunk) = u32::try_from(chunk)
                && chunk < count
            {
                wanted.insert(chunk);
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_want_the_chunks_that_they_touch() {
        let of = |ranges: &[(u64, u64)]| {
            let ranges: Vec<Range<u64>> = ranges.iter().map(|(from, to)| *from..*to).collect();
            let map = chunks(5, &ranges);
            (0..5)
                .filter(|chunk| map.contains(*chunk))
                .collect::<Vec<u32>>()
        };
        let none: [u32; 0] = [];
        let chunk = CHUNK_BYTES;
        assert_eq!(of(&[]), none);
        assert_eq!(of(&[(0, 0)]), none, "a copied segment");
        assert_eq!(of(&[(0, 1), (3 * chunk, 3 * chunk + 1)]), [0, 3]);
        assert_eq!(of(&[(chunk - 1, chunk + 1)]), [0, 1]);
        assert_eq!(of(&[(chunk, 2 * chunk)]), [1]);
        let beyond = (4 * chunk, u64::from(u32::MAX));
        assert_eq!(of(&[beyond]), [4], "not beyond the blob");
    }
}
