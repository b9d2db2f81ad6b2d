//! Deltas of bsdiff 4, for exchange with `bspatch` and its like. Devices never take one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use cli::durable;
use cli::exit::Context as _;
use cli::progress::Progress;
use cli::{CliError, Exit, Output, human};
use delta::bsdiff::{self, BsdiffError, Header};
use delta::limits::BSDIFF_CREATE_BYTES_MAX;
use manifests::digest::Blake3;

use super::fault::{self, Fault as _};
use super::{ApplyArgs, BUFFER_BYTES, MakeArgs};

/// Makes a delta.
///
/// # Errors
/// [`CliError`] naming the file or the option.
pub(super) fn make(args: &MakeArgs, output: Output) -> Result<Exit, CliError> {
    let given = [
        ("--coder", args.coder.is_some()),
        ("--threads", args.threads.is_some()),
    ];
    if let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given) {
        let message = format!(
            "{option} goes with --format streembit: bsdiff has one coder, bzip2, and one thread"
        );
        let fix = format!("leave out {option} or --format");
        return Err(CliError::new(Exit::Usage, message).hint(fix));
    }
    let [base, target] = super::images(args)?;
    let path = super::path_of(args, ".bsdiff");
    let mut bytes = Vec::new();
    let header = bsdiff::create(&base, &target, &mut bytes).map_err(|error| match error {
        BsdiffError::TooLarge { .. } => {
            let larger = if base.len() as u64 > BSDIFF_CREATE_BYTES_MAX {
                &args.base
            } else {
                &args.target
            };
            CliError::from_error(Exit::Usage, larger.display(), &error)
                .hint("leave out --format: streembit deltas have no such limit")
        }
        error => CliError::from_error(Exit::No, "delta", &error),
    })?;
    durable::replace(&path, &bytes, durable::Access::World).context(Exit::No, "delta")?;
    let value = serde_json::json!({ "delta": path, "delta_size": bytes.len(), "format": "bsdiff",
        "base_size": base.len(), "target_size": header.target_size, "parts": parts_value(&header) });
    let text = format!(
        "{}  {} ({} bytes, {:.1} % of the image)\nparts     {}",
        path.display(),
        human::bytes(bytes.len() as u64),
        bytes.len(),
        super::percent(bytes.len(), target.len()),
        parts_text(&header)
    );
    output.result(&value, text)?;
    output.note("for bspatch and its like; devices don't take it");
    Ok(Exit::Done)
}

/// Applies a delta.
///
/// # Errors
/// [`CliError`] naming the file; with [`Exit::No`] if delta and base don't belong together.
pub(super) fn apply(args: &ApplyArgs, output: Output) -> Result<Exit, CliError> {
    let (size, blake3) = super::place(&args.output, |part| rebuild(args, part, output))?;
    let blake3 = Blake3::new(blake3).to_string();
    let value = serde_json::json!({ "image": args.output, "target_size": size,
        "target_blake3": blake3 });
    let text = format!(
        "{}  {}\nblake3  {blake3}",
        args.output.display(),
        human::bytes(size)
    );
    output.result(&value, text)?;
    output.note("a bsdiff delta vouches for nothing, not even for its base; compare this hash with a signed one");
    Ok(Exit::Done)
}

/// Applies a delta into `part`, whole and synced; its size and hash.
fn rebuild(args: &ApplyArgs, part: &Path, output: Output) -> Result<(u64, [u8; 32]), CliError> {
    let (mut delta, _) = super::open(&args.delta)?;
    let header =
        inspect(&args.delta, &mut delta).map_err(|error| error.hint(BsdiffError::DELTA_FIX))?;
    let (mut base, _) = super::open(&args.base)?;
    let file = File::create(part).map_err(|error| fault::unwritten(part, error))?;
    let mut image = Image {
        writer: BufWriter::with_capacity(BUFFER_BYTES, file),
        hasher: blake3::Hasher::new(),
        progress: Progress::start(output, "image", header.target_size),
    };
    bsdiff::apply(&mut base, &mut delta, None, &mut image)
        .map_err(|error| fault::name(args, part, &error))?;
    image.progress.finish();
    super::sync(image.writer, part)?;
    Ok((header.target_size, *image.hasher.finalize().as_bytes()))
}

/// An image that is being written.
struct Image {
    writer: BufWriter<File>,
    hasher: blake3::Hasher,
    progress: Progress,
}

impl Write for Image {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.progress.set(self.hasher.count());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Shows what a delta says about itself.
///
/// # Errors
/// [`CliError`] naming the file.
pub(super) fn info(path: &Path, output: Output) -> Result<Exit, CliError> {
    let (mut delta, size) = super::open(path)?;
    let header = inspect(path, &mut delta)?;
    let value = serde_json::json!({ "format": "bsdiff", "delta_size": size,
        "target_size": header.target_size, "parts": parts_value(&header) });
    let text = format!(
        "delta     {} ({size} bytes), bsdiff\nimage     {} bytes\nparts     {}",
        human::bytes(size),
        header.target_size,
        parts_text(&header)
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

fn inspect(path: &Path, delta: &mut File) -> Result<Header, CliError> {
    bsdiff::inspect(delta).map_err(|error| {
        CliError::from_error(Exit::No, path.display(), &error).hint("get the delta again")
    })
}

fn parts_value(header: &Header) -> serde_json::Value {
    serde_json::json!({ "control": header.control_size, "differences": header.differences_size,
        "literals": header.literals_size })
}

fn parts_text(header: &Header) -> String {
    format!(
        "{} bytes of control numbers, {} of differences, {} of literals",
        header.control_size, header.differences_size, header.literals_size
    )
}
