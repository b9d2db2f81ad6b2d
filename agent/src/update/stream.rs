//! A delta applied while it is fetched: each segment is verified and written as soon as its bytes are
//! there, whatever peers they come from.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::pin::pin;

use cli::CliError;
use cli::progress::Progress;
use manifests::release::DeltaRef;
use node::blocks::partial::Partial;

use super::failure::{Failure, Run};
use super::ways::{announce, check_room, go_on, image_path, open_partial, read_back, take_slot};
use super::{Work, blob_of, blocking, repair};
use crate::device::Device;
use crate::install::{self, Applied};
use crate::plan;
use crate::slot::SlotKind;
use crate::source::{self, Sources};

/// CPU time below which a speed is not worth remembering.
const MEASURED_MICROS_MIN: u64 = 100_000;
/// Bytes written below which it isn't either: a run that was cut leaves the next one the odd segment.
const MEASURED_BYTES_MIN: u64 = 4 << 20;

/// Fetches and applies `delta`, repairs what the base did not rebuild, then reads the image back.
pub(super) async fn install_delta(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    delta: &DeltaRef,
    run: &mut Run,
) -> Result<(), Failure> {
    let blob = blob_of(&delta.blob);
    let path = device.blob_path(&blob);
    check_room(device, blob.size.saturating_sub(bytes_on_disk(&path)))?;
    let partial = open_partial(device, blob, &path).map_err(Failure::Folder)?;
    let end = GiveUp(&partial);
    let fetching = async move {
        let fetched = sources.fetch(end.0, async || Ok(()), |_| {}).await;
        drop(end);
        fetched.map_err(Failure::of_blob)
    };
    let (report, applied) = {
        let mut fetching = pin!(fetching);
        let mut applying = pin!(apply(device, sources, work, delta, &partial));
        // Both ends are waited for: a thread that still wrote to the slot would spoil the next way.
        tokio::select! {
            fetched = &mut fetching => {
                let applied = applying.await;
                (fetched?, applied?)
            }
            applied = &mut applying => {
                let applied = applied?;
                (fetching.await?, applied)
            }
        }
    };
    source::add(&mut run.used, report);
    announce(sources, &blob).await?;
    if delta.format == delta::FORMAT_MIXING {
        note_speed(device, &applied)?;
    }
    if !applied.left_out.is_empty() {
        if plan::is_repack(delta) {
            // It can't repair itself.
            run.note_useless(blob);
        }
        repair::repair(device, sources, work, &applied.left_out, run).await?;
    }
    let image = blob_of(&work.release.image);
    let target = image_path(device, work.target, &image);
    read_back(device, work, &target).await
}

/// What a file takes already, holes not counted.
fn bytes_on_disk(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.blocks().saturating_mul(512))
}

/// Remembers how fast this device applies, for the next choice.
fn note_speed(device: &mut Device, applied: &Applied) -> Result<(), CliError> {
    let micros = u64::try_from(applied.cpu.as_micros()).unwrap_or(u64::MAX);
    if micros < MEASURED_MICROS_MIN || applied.written < MEASURED_BYTES_MIN {
        return Ok(());
    }
    let bytes = applied.written.saturating_mul(1_000_000);
    let mut state = device.state()?;
    state.measured.note_mixing(bytes / micros);
    device.save_state(&state)
}

/// Ends the wait for bytes that nobody fetches any longer, also where the fetch was dropped because the
/// program was told to stop.
struct GiveUp<'a>(&'a Partial);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

async fn apply(
    device: &mut Device,
    sources: &Sources,
    work: &Work<'_>,
    delta: &DeltaRef,
    partial: &Partial,
) -> Result<Applied, Failure> {
    let failed = |error| Failure::of_install(error, work.target.kind);
    let image = blob_of(&work.release.image);
    let base = match plan::is_repack(delta) {
        true => None,
        false => Some(image_path(
            device,
            &device.running_slot()?,
            &blob_of(&delta.base),
        )),
    };
    let target = image_path(device, work.target, &image);
    let (reader, expected) = (partial.reader(), delta.clone());
    let opened = blocking(move || install::open_delta(reader, &expected, &image)).await?;
    let mut container = opened.map_err(failed)?;
    // Only now, when header and table are what is signed, does the slot lose what it holds.
    if work.target.kind == SlotKind::Raw {
        take_slot(device, sources, work)?;
    }
    let progress = Progress::start(work.output, "install", image.size);
    let applied = blocking(move || {
        let mut report = |done| go_on(&progress, done);
        let segments: Vec<u32> = (0..container.segment_count()).collect();
        let applied = install::apply_delta(
            &mut container,
            base.as_deref(),
            (&target, &image),
            &segments,
            &mut report,
        );
        progress.finish();
        applied
    });
    applied.await?.map_err(failed)
}
