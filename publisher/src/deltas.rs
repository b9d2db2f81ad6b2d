//! Deltas from earlier releases to a new one, made in parallel; those that pay are kept.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cli::exit::Context as _;
use cli::progress::Progress;
use cli::{CliError, Exit, Output, durable};
use delta::{Coder, CreateOptions};
use manifests::digest::Blake3;
use manifests::release::{Content, DeltaRef, Release};
use protocol::exchange::tree::Blob;

use crate::repository::Layout;

/// A delta must be smaller than this share of the image, in percent, to be worth its signature.
const PAYS_BELOW_PERCENT: u64 = 80;

/// A second delta from the same base must be smaller than this share of the first, in percent.
const SAVES_BELOW_PERCENT: u64 = 95;

/// Deltas from one base at most.
pub const CODERS: usize = 2;

/// Above this size deltas are made one by one, to bound memory.
const PARALLEL_BYTES_MAX: u64 = 64 << 20;

/// An earlier release that a delta starts from.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its version.
    pub version: String,
    /// Its image.
    pub image: Content,
}

/// A delta that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The version it starts from.
    pub from: String,
    /// What is signed of it.
    pub delta: DeltaRef,
}

/// The address of signed content.
pub fn blob_of(content: &Content) -> Blob {
    Blob {
        root: *content.blake3.as_bytes(),
        size: content.size,
    }
}

/// The newest `count` releases that a delta to `format` can start from, newest first.
pub fn bases<'a>(
    releases: impl Iterator<Item = &'a Release>,
    new: &Release,
    count: usize,
) -> Vec<Base> {
    let mut fitting: Vec<&Release> = releases
        .filter(|old| old.format == new.format && old.channel == new.channel)
        .filter(|old| old.release < new.release && old.image != new.image)
        .collect();
    fitting.sort_by_key(|old| std::cmp::Reverse(old.release));
    fitting.dedup_by_key(|old| old.image);
    let base = |old: &&Release| Base {
        version: old.version.clone(),
        image: old.image,
    };
    fitting.iter().take(count).map(base).collect()
}

/// Makes deltas from `bases` to the stored image `new` and stores those that pay.
///
/// Memory is about six images per job; images above 64 MiB are done one by one.
///
/// # Errors
/// [`CliError`] naming the base.
pub fn make(
    layout: &Layout,
    bases: &[Base],
    new: &Content,
    output: Output,
) -> Result<Vec<Made>, CliError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let jobs = if new.size > PARALLEL_BYTES_MAX {
        1
    } else {
        cores.min(bases.len()).max(1)
    };
    let target = read(layout, new)?;
    let next = AtomicUsize::new(0);
    let made = Mutex::new(Vec::new());
    let failed = Mutex::new(None);
    let work = || {
        while let Some((index, base)) = take(&next, bases) {
            let threads = (cores / jobs).max(1);
            match make_both(layout, base, (new, &target), threads, output) {
                Ok(deltas) => push(&made, (index, deltas)),
                Err(error) => set(&failed, error),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_default() {
        return Err(error);
    }
    let mut made = made.into_inner().unwrap_or_default();
    made.sort_by_key(|(index, _)| *index);
    Ok(made.into_iter().flat_map(|(_, deltas)| deltas).collect())
}

fn take<'a>(next: &AtomicUsize, bases: &'a [Base]) -> Option<(usize, &'a Base)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    bases.get(index).map(|base| (index, base))
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    if let Ok(mut list) = list.lock() {
        list.push(item);
    }
}

fn set(slot: &Mutex<Option<CliError>>, error: CliError) {
    if let Ok(mut slot) = slot.lock() {
        slot.get_or_insert(error);
    }
}

fn read(layout: &Layout, content: &Content) -> Result<Vec<u8>, CliError> {
    durable::read(&layout.blob(&blob_of(content)), content.size).context(Exit::No, "image")
}

/// Makes a delta by each coder; context mixing is left out where it saves next to nothing.
fn make_both(
    layout: &Layout,
    base: &Base,
    (new, target): (&Content, &[u8]),
    threads: usize,
    output: Output,
) -> Result<Vec<Made>, CliError> {
    let old = read(layout, &base.image)?;
    let label = format!("delta from {}", base.version);
    let matched = delta::Matched::new(&old, target).context(Exit::No, &label)?;
    let mut made: Vec<Made> = Vec::new();
    for coder in [Coder::Zstd, Coder::Mixing] {
        let progress = Progress::start(output, label.clone(), new.size);
        let options = CreateOptions {
            threads,
            coder,
            ..CreateOptions::default()
        };
        let mut bytes = Vec::new();
        matched
            .create(&options, &|done| progress.set(done), &mut bytes)
            .context(Exit::No, &label)?;
        progress.finish();
        let size = bytes.len() as u64;
        let bound = match made.first() {
            Some(other) => other.delta.blob.size / 100 * SAVES_BELOW_PERCENT,
            None => new.size / 100 * PAYS_BELOW_PERCENT,
        };
        if size >= bound {
            output.note(format_args!(
                "{label}, {}: {} of {}, does not pay, left out",
                coder.format(),
                cli::human::bytes(size),
                cli::human::bytes(new.size)
            ));
            continue;
        }
        let stored = layout
            .store_blob(&mut bytes.as_slice(), |_| {})
            .context(Exit::No, "delta")?;
        let blob = Content {
            blake3: Blake3::new(stored.blob.root),
            size,
        };
        made.push(Made {
            from: base.version.clone(),
            delta: DeltaRef {
                base: base.image,
                blob,
                format: coder.format().to_owned(),
            },
        });
    }
    Ok(made)
}
