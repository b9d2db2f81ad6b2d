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
    /// Where to write the delta [default: beside the target, with .delta added]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Who codes it: mixing is a third smaller and takes a device more CPU and 16 MiB, zstd 6 MiB
    #[arg(long, value_enum, default_value_t = Coder::Mixing)]
    pub coder: Coder,
}

/// Options of apply
#[derive(Clone, Debug, clap::Args)]
pub struct ApplyArgs {
    /// The delta
    pub delta: PathBuf,
    /// The image that it starts from
    pub base: PathBuf,
    /// Where to write the image
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
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
        DeltaCommand::Make(args) => make(args, output),
        DeltaCommand::Apply(args) => apply(args, output),
        DeltaCommand::Info { delta } => info(delta, output),
    }
}

fn make(args: &MakeArgs, output: Output) -> Result<Exit, CliError> {
    let read = |path: &Path| durable::read(path, TARGET_BYTES_MAX).context(Exit::Usage, "image");
    let (base, target) = (read(&args.base)?, read(&args.target)?);
    let path = args.output.clone().unwrap_or_else(|| {
        let mut path = args.target.clone().into_os_string();
        path.push(".delta");
        path.into()
    });
    let coder = delta::Coder::from(args.coder);
    let progress = Progress::start(output, "delta", target.len() as u64);
    let options = CreateOptions {
        threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        coder,
        ..CreateOptions::default()
    };
    let mut bytes = Vec::new();
    let matched = Matched::new(&base, &target).context(Exit::Usage, "image")?;
    let summary = matched.create(&options, &|done| progress.set(done), &mut bytes);
    let summary = summary.context(Exit::No, "delta")?;
    progress.finish();
    durable::replace(&path, &bytes, durable::Access::World).context(Exit::No, "delta")?;
    let percent = bytes.len() as f64 * 100.0 / summary.target_size.max(1) as f64;
    let value = serde_json::json!({ "delta": path, "size": summary.delta_size, "format": coder.format(),
        "base_size": summary.base_size, "target_size": summary.target_size,
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
    let claims = inspect(&args.delta)?.claims;
    let (base, base_size) = hash(&args.base, output)?;
    if (base, base_size) != (claims.base, claims.base_size) {
        let message = format!(
            "{} starts from another image than {}: one of {} bytes, blake3 {}",
            args.delta.display(),
            args.base.display(),
            claims.base_size,
            Blake3::new(claims.base)
        );
        return Err(CliError::new(Exit::No, message));
    }
    let mut part = args.output.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = rebuild(args, &claims, &part, output).and_then(|()| {
        let at = |error| PathError::new(&args.output, error);
        fs::rename(&part, &args.output)
            .map_err(at)
            .context(Exit::No, "image")?;
        durable::sync_folder_of(&args.output)
            .map_err(at)
            .context(Exit::No, "image")
    });
    if written.is_err() {
        // What was written is no image; that it may stay behind loses nothing.
        drop(fs::remove_file(&part));
    }
    written?;
    let blake3 = Blake3::new(claims.target).to_string();
    let value =
        serde_json::json!({ "image": args.output, "size": claims.target_size, "blake3": blake3 });
    let text = format!(
        "{}  {}\nblake3  {blake3}",
        args.output.display(),
        human::bytes(claims.target_size)
    );
    output.result(&value, text)?;
    output.note("the delta vouches for this hash alone; compare it with a signed one");
    Ok(Exit::Done)
}

/// Applies a delta into `part`, whole and synced.
fn rebuild(
    args: &ApplyArgs,
    claims: &Expected,
    part: &Path,
    output: Output,
) -> Result<(), CliError> {
    let (reader, size) = open(&args.delta)?;
    let mut opened = Delta::open(reader, size, claims).context(Exit::No, "delta")?;
    let mut base = open(&args.base)?.0;
    let at = |error| PathError::new(part, error);
    let file = File::create(part).map_err(at).context(Exit::No, "image")?;
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
    let progress = Progress::start(output, "image", claims.target_size);
    let applied = delta::apply(&mut opened, &mut base, &mut writer, |done| {
        progress.set(done);
        ControlFlow::Continue(())
    });
    applied.context(Exit::No, args.delta.display())?;
    progress.finish();
    let sync = || {
        writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()
    };
    sync().map_err(at).context(Exit::No, "image")
}

fn info(path: &Path, output: Output) -> Result<Exit, CliError> {
    let info = inspect(path)?;
    let claims = &info.claims;
    let [base, target] = [claims.base, claims.target].map(|hash| Blake3::new(hash).to_string());
    let value = serde_json::json!({ "size": info.delta_size, "segment_size": info.segment_size,
        "base_blake3": base, "base_size": claims.base_size,
        "blake3": target, "target_size": claims.target_size,
        "segments": segments_value(&info.segments) });
    let text = format!(
        "delta     {} ({} bytes)\nbase      {base}, {} bytes\nimage     {target}, {} bytes\nsegments  {}",
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
    info.map_err(|error: ApplyError| error)
        .context(Exit::No, path.display())
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
            .context(Exit::No, "base")?;
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
