//! `streembit-publisher delta`: deltas by hand, outside of any repository.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use cli::durable::{self, PathError};
use cli::exit::Context as _;
use cli::progress::Progress;
use cli::{CliError, Exit, Output, human};
use delta::limits::TARGET_BYTES_MAX;
use delta::{ApplyError, CreateOptions, Delta, Expected, Info, Matched, Segments};
use manifests::digest::Blake3;

mod bsdiff;
mod fault;

use fault::Fault as _;

/// Bytes read and hashed at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// What to do with a delta
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DeltaCommand {
    /// Make a delta, apply it and compare, then write it
    Make(MakeArgs),
    /// Rebuild an image from its base and a delta
    Apply(ApplyArgs),
    /// Show what a delta says about itself
    Info {
        /// The delta
        delta: PathBuf,
    },
}

/// Options of make
#[derive(Clone, Debug, clap::Args)]
pub struct MakeArgs {
    /// The image that devices have
    pub base: PathBuf,
    /// The image that they get
    pub target: PathBuf,
    /// Where to write the delta [default: beside the target, with .delta or .bsdiff added]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What to write: devices take streembit alone, bsdiff is for bspatch and its like
    #[arg(long, value_enum, default_value_t = Format::Streembit)]
    pub format: Format,
    /// Who codes it: mixing is a third smaller and takes a device more CPU and 16 MiB, zstd 6 MiB
    /// [default: mixing]
    #[arg(long, value_enum)]
    pub coder: Option<Coder>,
    /// Threads that code, up to 25 MiB of memory each [default: one for each core]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

/// Options of apply
#[derive(Clone, Debug, clap::Args)]
pub struct ApplyArgs {
    /// The image that the delta starts from
    pub base: PathBuf,
    /// The delta
    pub delta: PathBuf,
    /// Where to write the image
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// Formats of deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// bsdiff 4 (BSDIFF40)
    Bsdiff,
    /// The one that devices take
    Streembit,
}

/// Coders of deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Coder {
    /// Context mixing
    Mixing,
    /// zstd
    Zstd,
}

impl From<Coder> for delta::Coder {
    fn from(coder: Coder) -> Self {
        match coder {
            Coder::Mixing => Self::Mixing,
            Coder::Zstd => Self::Zstd,
        }
    }
}

/// Runs `delta`.
///
/// # Errors
/// [`CliError`] naming the file; with [`Exit::No`] if delta and base don't belong together.
pub fn run(command: &DeltaCommand, output: Output) -> Result<Exit, CliError> {
    match command {
        DeltaCommand::Make(args) => match args.format {
            Format::Bsdiff => bsdiff::make(args, output),
            Format::Streembit => make(args, output),
        },
        DeltaCommand::Apply(args) => match format(&args.delta)? {
            Format::Bsdiff => bsdiff::apply(args, output),
            Format::Streembit => apply(args, output),
        },
        DeltaCommand::Info { delta } => match format(delta)? {
            Format::Bsdiff => bsdiff::info(delta, output),
            Format::Streembit => info(delta, output),
        },
    }
}

/// The format of a delta, by its first bytes; what starts like neither is read as ours, and refused there.
fn format(path: &Path) -> Result<Format, CliError> {
    let mut start = Vec::new();
    let (file, _) = open(path)?;
    file.take(delta::bsdiff::MAGIC.len() as u64)
        .read_to_end(&mut start)
        .map_err(|error| PathError::new(path, error))
        .context(Exit::Usage, "file")?;
    Ok(if start == delta::bsdiff::MAGIC {
        Format::Bsdiff
    } else {
        Format::Streembit
    })
}

/// Base and target of a delta to make.
fn images(args: &MakeArgs) -> Result<[Vec<u8>; 2], CliError> {
    let read = |path: &Path| durable::read(path, TARGET_BYTES_MAX).context(Exit::Usage, "image");
    Ok([read(&args.base)?, read(&args.target)?])
}

/// Where to write a delta.
fn path_of(args: &MakeArgs, extension: &str) -> PathBuf {
    args.output.clone().unwrap_or_else(|| {
        let mut path = args.target.clone().into_os_string();
        path.push(extension);
        path.into()
    })
}

fn percent(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

fn make(args: &MakeArgs, output: Output) -> Result<Exit, CliError> {
    let [base, target] = images(args)?;
    let path = path_of(args, ".delta");
    let coder = delta::Coder::from(args.coder.unwrap_or(Coder::Mixing));
    let progress = Progress::start(output, "delta", target.len() as u64);
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let options = CreateOptions {
        threads: args.threads.map_or_else(cores, NonZeroUsize::get),
        coder,
        ..CreateOptions::default()
    };
    let mut bytes = Vec::new();
    let matched = Matched::new(&base, &target).context(Exit::Usage, "image")?;
    let summary = matched.create(&options, &|done| progress.set(done), &mut bytes);
    let summary = summary.context(Exit::No, "delta")?;
    progress.finish();
    durable::replace(&path, &bytes, durable::Access::World).context(Exit::No, "delta")?;
    let percent = percent(bytes.len(), target.len());
    let value = serde_json::json!({ "delta": path, "delta_size": summary.delta_size,
        "format": coder.format(), "base_size": summary.base_size, "target_size": summary.target_size,
        "segments": segments_value(&summary.segments) });
    let text = format!(
        "{}  {} ({} bytes, {percent:.1} % of the image)\nsegments  {}",
        path.display(),
        human::bytes(summary.delta_size),
        summary.delta_size,
        segments_text(&summary.segments)
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

fn apply(args: &ApplyArgs, output: Output) -> Result<Exit, CliError> {
    let info = inspect(&args.delta).map_err(|error| error.hint(ApplyError::DELTA_FIX))?;
    let claims = info.claims;
    let (base, base_size) = hash(&args.base, output)?;
    if (base, base_size) != (claims.base, claims.base_size) {
        let message = format!(
            "{} starts from another image than {}: one of {} bytes, blake3 {}",
            args.delta.display(),
            args.base.display(),
            claims.base_size,
            Blake3::new(claims.base)
        );
        let fix = match claims.base_size {
            0 => "it starts from nothing: give /dev/null as BASE".to_owned(),
            _ => format!(
                "give the image with that hash; a publisher's repository has it as blobs/{}",
                Blake3::new(claims.base)
            ),
        };
        return Err(CliError::new(Exit::No, message).hint(fix));
    }
    place(&args.output, |part| rebuild(args, &claims, part, output))?;
    let blake3 = Blake3::new(claims.target).to_string();
    let value = serde_json::json!({ "image": args.output, "target_size": claims.target_size,
        "target_blake3": blake3 });
    let text = format!(
        "{}  {}\nblake3  {blake3}",
        args.output.display(),
        human::bytes(claims.target_size)
    );
    output.result(&value, text)?;
    output.note("the delta vouches for this hash alone; compare it with a signed one");
    Ok(Exit::Done)
}

/// Writes an image under another name beside its own, then gives it its own.
fn place<T>(image: &Path, write: impl FnOnce(&Path) -> Result<T, CliError>) -> Result<T, CliError> {
    let mut part = image.to_path_buf().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = write(&part).and_then(|result| {
        fs::rename(&part, image)
            .and_then(|()| durable::sync_folder_of(image))
            .map_err(|error| fault::unwritten(image, error))?;
        Ok(result)
    });
    if written.is_err() {
        // What was written is no image; that it may stay behind loses nothing.
        drop(fs::remove_file(&part));
    }
    written
}

/// Applies a delta into `part`, whole and synced.
fn rebuild(
    args: &ApplyArgs,
    claims: &Expected,
    part: &Path,
    output: Output,
) -> Result<(), CliError> {
    let (reader, size) = open(&args.delta)?;
    let name = |error| fault::name(args, part, &error);
    let mut opened = Delta::open(reader, size, claims).map_err(name)?;
    let mut base = open(&args.base)?.0;
    let file = File::create(part).map_err(|error| fault::unwritten(part, error))?;
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
    let progress = Progress::start(output, "image", claims.target_size);
    let applied = delta::apply(&mut opened, &mut base, &mut writer, |done| {
        progress.set(done);
        ControlFlow::Continue(())
    });
    applied.map_err(name)?;
    progress.finish();
    sync(writer, part)
}

fn sync(writer: BufWriter<File>, part: &Path) -> Result<(), CliError> {
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error);
    file.and_then(|file| file.sync_all())
        .map_err(|error| fault::unwritten(part, error))
}

fn info(path: &Path, output: Output) -> Result<Exit, CliError> {
    let info = inspect(path)?;
    let claims = &info.claims;
    let [base, target] = [claims.base, claims.target].map(|hash| Blake3::new(hash).to_string());
    let format = if info.segments.mixed > 0 {
        delta::FORMAT_MIXING
    } else {
        delta::FORMAT
    };
    let value = serde_json::json!({ "format": format, "delta_size": info.delta_size,
        "segment_size": info.segment_size, "base_blake3": base, "base_size": claims.base_size,
        "target_blake3": target, "target_size": claims.target_size,
        "segments": segments_value(&info.segments) });
    let text = format!(
        "delta     {} ({} bytes), {format}\nbase      {base}, {} bytes\nimage     {target}, {} bytes\nsegments  {}",
        human::bytes(info.delta_size),
        info.delta_size,
        claims.base_size,
        claims.target_size,
        segments_text(&info.segments)
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

fn segments_value(segments: &Segments) -> serde_json::Value {
    serde_json::json!({ "copy": segments.copy, "delta_z": segments.delta,
        "delta_cm": segments.mixed, "raw_zstd": segments.raw })
}

fn segments_text(segments: &Segments) -> String {
    format!(
        "{} copied, {} by zstd, {} by mixing, {} stored",
        segments.copy, segments.delta, segments.mixed, segments.raw
    )
}

fn inspect(path: &Path) -> Result<Info, CliError> {
    let (reader, size) = open(path)?;
    let info = delta::inspect(BufReader::new(reader), size);
    info.map_err(|error| {
        CliError::from_error(Exit::No, path.display(), &error).hint("get the delta again")
    })
}

/// A file and its size.
fn open(path: &Path) -> Result<(File, u64), CliError> {
    let at = |error| PathError::new(path, error);
    let file = File::open(path).map_err(at).context(Exit::Usage, "file")?;
    let size = file
        .metadata()
        .map_err(at)
        .context(Exit::Usage, "file")?
        .len();
    Ok((file, size))
}

/// BLAKE3 root and size of a file.
fn hash(path: &Path, output: Output) -> Result<([u8; 32], u64), CliError> {
    let (mut file, size) = open(path)?;
    let progress = Progress::start(output, "base", size);
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut done = 0;
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|error| PathError::new(path, error))
            .context(Exit::No, "base")
            .map_err(|error| error.hint(fault::BASE_FIX))?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else {
            break;
        };
        hasher.update(piece);
        done += count as u64;
        progress.set(done);
    }
    progress.finish();
    Ok((*hasher.finalize().as_bytes(), done))
}
