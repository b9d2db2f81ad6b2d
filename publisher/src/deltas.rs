//! Deltas to a new release, made in parallel; those that pay are signed.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cli::exit::Context as _;
use cli::progress::Progress;
use cli::{CliError, Exit, Output, durable};
use delta::{Coder, CreateOptions, Expected, Matched, Segments, Summary};
use manifests::digest::Blake3;
use manifests::release::{Content, DeltaRef};
use protocol::exchange::tree::Blob;

use crate::bases::Base;
use crate::repository::Layout;

#[cfg(test)]
mod tests;

/// A delta must be smaller than this share of the image, in percent, to be worth its signature.
const PAYS_BELOW_PERCENT: u64 = 80;

/// A second delta from the same base must be smaller than this share of the first, in percent.
const SAVES_BELOW_PERCENT: u64 = 95;

/// Above this size of any image deltas are made one by one, to bound memory.
const PARALLEL_BYTES_MAX: u64 = 64 << 20;

/// A delta that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// What it starts from.
    pub base: Base,
    /// Who coded it.
    pub coder: Coder,
    /// Its bytes.
    pub size: u64,
    /// Its segments by type.
    pub segments: Segments,
    /// What is signed of it; `None` if it doesn't pay, and then it isn't stored either.
    pub signed: Option<DeltaRef>,
}

/// The address of signed content.
pub fn blob_of(content: &Content) -> Blob {
    Blob {
        root: *content.blake3.as_bytes(),
        size: content.size,
    }
}

/// The word for a coder.
pub const fn coder_name(coder: Coder) -> &'static str {
    match coder {
        Coder::Zstd => "zstd",
        Coder::Mixing => "mixing",
    }
}

/// Makes deltas from `bases` to the stored image `new` and stores those that pay.
///
/// Memory of a job: [`Matched::new`] and [`Matched::create`] say what they take. The new image is held once for all.
///
/// # Errors
/// [`CliError`] naming the base, or the file of a stored image that isn't the signed one. No further base is begun
/// then; deltas stored before stay behind and do no harm, as nothing names them.
pub fn make(
    layout: &Layout,
    bases: &[Base],
    new: &Content,
    output: Output,
) -> Result<Vec<Made>, CliError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let jobs = jobs(cores, bases, new);
    let target = read(layout, new).map_err(|error| error.hint(NEW_FIX))?;
    let next = AtomicUsize::new(0);
    let made = Mutex::new(Vec::new());
    let failed = Mutex::new(None);
    let work = || {
        while let Some((index, base)) = take(&next, bases) {
            let threads = (cores / jobs).max(1);
            let target = (new, target.as_slice());
            match make_by_coders(layout, base, target, threads, output) {
                Ok(deltas) => push(&made, (index, deltas)),
                Err(error) => {
                    set(&failed, error);
                    next.store(bases.len(), Ordering::Relaxed);
                }
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

/// How many deltas are made at a time: one, where an image is large.
fn jobs(cores: usize, bases: &[Base], new: &Content) -> usize {
    let sizes = bases.iter().map(|base| base.image.size);
    let largest = sizes.fold(new.size, u64::max);
    if largest > PARALLEL_BYTES_MAX {
        1
    } else {
        cores.min(bases.len()).max(1)
    }
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

/// Reads a stored image whole.
///
/// # Errors
/// [`CliError`] naming the file.
pub fn read(layout: &Layout, content: &Content) -> Result<Vec<u8>, CliError> {
    if *content == Content::NOTHING {
        return Ok(Vec::new());
    }
    durable::read(&layout.blob(&blob_of(content)), content.size).context(Exit::No, "image")
}

/// Makes a delta by each coder that it is worth trying; context mixing is left out where it saves next to
/// nothing, and from nothing all is stored, whoever codes.
fn make_by_coders(
    layout: &Layout,
    base: &Base,
    (new, target): (&Content, &[u8]),
    threads: usize,
    output: Output,
) -> Result<Vec<Made>, CliError> {
    let old = read(layout, &base.image).map_err(|error| error.hint(base_fix(base)))?;
    let matched = find(&old, target, base, output)?;
    check_stored(layout, base, new, matched.expected())?;
    let coders: &[Coder] = match base.version {
        Some(_) => &[Coder::Zstd, Coder::Mixing],
        None => &[Coder::Zstd],
    };
    let mut bound = new.size * PAYS_BELOW_PERCENT / 100;
    let mut made = Vec::new();
    for &coder in coders {
        let (bytes, summary) = create(&matched, base, coder, threads, output)?;
        let size = summary.delta_size;
        let mut signed = None;
        if size < bound {
            bound = size * SAVES_BELOW_PERCENT / 100;
            signed = Some(store(layout, base, coder, &bytes)?);
        }
        made.push(Made {
            base: base.clone(),
            coder,
            size,
            segments: summary.segments,
            signed,
        });
    }
    Ok(made)
}

/// What to do if the new image isn't the signed one.
const NEW_FIX: &str = "it is the new image, just written: check the disk, then release again";

/// What to do if a stored base isn't the signed one.
fn base_fix(base: &Base) -> String {
    format!(
        "it is the image of release {}: put back a good copy, such as a mirror's blobs/ has, or make deltas \
         from other releases: --deltas 0 --from VERSION",
        base.name()
    )
}

/// Refuses a stored image that isn't the one its address says: a delta from it or to it would say so in its
/// header, and every device would refuse it.
fn check_stored(
    layout: &Layout,
    base: &Base,
    new: &Content,
    read: &Expected,
) -> Result<(), CliError> {
    let changed = |content: &Content| {
        let file = layout.blob(&blob_of(content));
        let rule = "its content is not the one that its name says";
        CliError::new(Exit::No, format!("{}: {rule}", file.display()))
    };
    let old = &base.image;
    if (&read.base, read.base_size) != (old.blake3.as_bytes(), old.size) {
        return Err(changed(old).hint(base_fix(base)));
    }
    if (&read.target, read.target_size) != (new.blake3.as_bytes(), new.size) {
        return Err(changed(new).hint(NEW_FIX));
    }
    Ok(())
}

/// Finds an image in a base.
///
/// # Errors
/// [`CliError`] naming the base.
pub fn find<'a>(
    old: &'a [u8],
    new: &'a [u8],
    base: &Base,
    output: Output,
) -> Result<Matched<'a>, CliError> {
    let label = format!("{}, matching", base.label());
    let _progress = Progress::start(output, label, new.len() as u64);
    Matched::new(old, new).context(Exit::No, base.label())
}

/// Makes one delta, with its own progress.
///
/// # Errors
/// [`CliError`] naming the base.
pub fn create(
    matched: &Matched<'_>,
    base: &Base,
    coder: Coder,
    threads: usize,
    output: Output,
) -> Result<(Vec<u8>, Summary), CliError> {
    let label = format!("{}, {}", base.label(), coder_name(coder));
    let progress = Progress::start(output, label, matched.target_size());
    let options = CreateOptions {
        threads,
        coder,
        ..CreateOptions::default()
    };
    let mut bytes = Vec::new();
    let summary = matched
        .create(&options, &|done| progress.set(done), &mut bytes)
        .context(Exit::No, base.label())?;
    progress.finish();
    Ok((bytes, summary))
}

fn store(layout: &Layout, base: &Base, coder: Coder, bytes: &[u8]) -> Result<DeltaRef, CliError> {
    let mut source = bytes;
    let stored = layout
        .store_blob(&mut source, |_| {})
        .context(Exit::No, "delta")?;
    Ok(DeltaRef {
        base: base.image,
        blob: Content {
            blake3: Blake3::new(stored.blob.root),
            size: stored.blob.size,
        },
        format: coder.format().to_owned(),
    })
}
