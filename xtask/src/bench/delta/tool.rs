//! The tools, their command lines, and where they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::process::{self, Failure};

/// Above this, bsdiff takes gigabytes and zstd -19 many minutes.
const SLOW_BYTES_MAX: u64 = 64 << 20;

/// Creates and applies a patch by the module hdiffpatch: the settings are those of
/// `hdiffz -m -SD -c-zstd-22-24`.
const HDIFF_PYTHON: &str = "import sys, hdiffpatch as h
verb, old, source, out = sys.argv[1:]
read = lambda path: open(path, 'rb').read()
config = h.ZStdConfig(level=22, window=24)
if verb == 'diff':
    made = h.diff(read(old), read(source), compression=config, validate=False)
else:
    made = h.apply(read(old), read(source))
open(out, 'wb').write(made)";

/// What makes and applies patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Tool {
    Bsdiff,
    Hdiffz,
    Mixing,
    Rdiff,
    Xdelta3,
    Zstd,
    ZstdBest,
    ZstdFast,
}

impl Tool {
    /// In the order of the tables: ours first.
    pub(super) const ALL: [Self; 8] = [
        Self::Mixing,
        Self::Zstd,
        Self::Hdiffz,
        Self::Bsdiff,
        Self::Xdelta3,
        Self::ZstdBest,
        Self::ZstdFast,
        Self::Rdiff,
    ];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Bsdiff => "bsdiff",
            Self::Hdiffz => "hdiffz",
            Self::Mixing => "ours, mixing",
            Self::Rdiff => "rdiff",
            Self::Xdelta3 => "xdelta3 -9",
            Self::Zstd => "ours, zstd",
            Self::ZstdBest => "zstd -19 patch-from",
            Self::ZstdFast => "zstd -3 patch-from",
        }
    }

    pub(super) const fn is_ours(self) -> bool {
        matches!(self, Self::Mixing | Self::Zstd)
    }

    /// The program, which has the name of its Debian package.
    const fn program(self) -> Option<&'static str> {
        match self {
            Self::Bsdiff => Some("bsdiff"),
            Self::Rdiff => Some("rdiff"),
            Self::Xdelta3 => Some("xdelta3"),
            Self::ZstdBest | Self::ZstdFast => Some("zstd"),
            Self::Hdiffz | Self::Mixing | Self::Zstd => None,
        }
    }

    /// Why a tool is not run on images of this size.
    pub(super) const fn left_out(self, bytes: u64) -> Option<&'static str> {
        match self {
            Self::Bsdiff if bytes > SLOW_BYTES_MAX => Some("left out above 64 MiB (memory)"),
            Self::ZstdBest if bytes > SLOW_BYTES_MAX => Some("left out above 64 MiB (time)"),
            _ => None,
        }
    }
}

/// The files of one measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Files<'a> {
    pub(super) old: &'a Path,
    pub(super) new: &'a Path,
    pub(super) patch: &'a Path,
    pub(super) out: &'a Path,
    /// Bytes of the larger image.
    pub(super) bytes: u64,
}

/// How HDiffPatch is run.
#[derive(Clone, Debug)]
pub(super) enum HDiff {
    Missing,
    Program(PathBuf),
    Python(PathBuf),
}

/// Where the tools are.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    make: PathBuf,
    apply: PathBuf,
    pub(super) hdiff: HDiff,
}

impl Programs {
    /// Builds ours.
    pub(super) fn find(root: &Path, profile: &str, hdiff: HDiff) -> Result<Self, Failure> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "-p", "delta", "--examples", "--profile", profile])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(root);
        let text = process::output(&mut command)?;
        let find = |wanted: &str| {
            let built = |line: &str| {
                let message: Value = serde_json::from_str(line).ok()?;
                let name = message.pointer("/target/name").and_then(Value::as_str)?;
                let executable = message.get("executable").and_then(Value::as_str)?;
                (name == wanted).then(|| PathBuf::from(executable))
            };
            let path = text.lines().find_map(built);
            path.ok_or_else(|| Failure::text(format!("cargo did not build {wanted}")))
        };
        Ok(Self {
            make: find("make")?,
            apply: find("apply")?,
            hdiff,
        })
    }

    /// For tests of command lines.
    #[cfg(test)]
    pub(super) fn without_ours(hdiff: HDiff) -> Self {
        Self {
            make: "make".into(),
            apply: "apply".into(),
            hdiff,
        }
    }

    pub(super) fn has(&self, tool: Tool) -> bool {
        match tool {
            Tool::Hdiffz => !matches!(self.hdiff, HDiff::Missing),
            _ => tool.program().is_none_or(is_installed),
        }
    }

    /// Tools that are not here, and how to get them.
    pub(super) fn missing(&self) -> Vec<(Tool, String)> {
        let why = |tool: Tool| match tool.program() {
            Some(package) => format!("not installed; apt-get install {package}"),
            None => "bytes are from the reference; give --hdiffz or --hdiffz-python".to_owned(),
        };
        let missing = Tool::ALL.into_iter().filter(|tool| !self.has(*tool));
        missing.map(|tool| (tool, why(tool))).collect()
    }

    /// What makes a patch: programs, one after the other.
    pub(super) fn create(&self, tool: Tool, files: Files<'_>) -> Vec<Vec<OsString>> {
        let Files {
            old, new, patch, ..
        } = files;
        let signature = patch.with_extension("signature");
        match tool {
            Tool::Bsdiff => vec![line("bsdiff", &[], &[old, new, patch])],
            Tool::Hdiffz => vec![match &self.hdiff {
                HDiff::Python(python) => {
                    line(python, &["-c", HDIFF_PYTHON, "diff"], &[old, new, patch])
                }
                HDiff::Program(program) => {
                    let options = ["-f", "-m", "-SD", "-c-zstd-21-24"];
                    line(program, &options, &[old, new, patch])
                }
                HDiff::Missing => Vec::new(),
            }],
            Tool::Mixing => vec![self.make("mixing", files)],
            Tool::Rdiff => vec![
                line("rdiff", &["-f", "signature"], &[old, &signature]),
                line("rdiff", &["-f", "delta"], &[&signature, new, patch]),
            ],
            Tool::Xdelta3 => {
                let window = format!("-B{}", files.bytes.next_power_of_two().max(1 << 20));
                let options = ["-e", "-9", "-f", &window, "-s"];
                vec![line("xdelta3", &options, &[old, new, patch])]
            }
            Tool::Zstd => vec![self.make("zstd", files)],
            Tool::ZstdBest => vec![zstd(&["-19"], files, (new, patch))],
            Tool::ZstdFast => vec![zstd(&["-3"], files, (new, patch))],
        }
    }

    /// Ours, with one thread, as CPU seconds are compared.
    pub(super) fn make(&self, coder: &str, files: Files<'_>) -> Vec<OsString> {
        let mut made = line(&self.make, &[], &[files.old, files.new, files.patch]);
        made.extend(["--coder", coder, "--threads", "1"].map(OsString::from));
        made
    }

    /// What applies a patch.
    pub(super) fn apply(&self, tool: Tool, files: Files<'_>) -> Vec<OsString> {
        let Files {
            old, patch, out, ..
        } = files;
        match tool {
            Tool::Bsdiff => line("bspatch", &[], &[old, out, patch]),
            Tool::Hdiffz => match &self.hdiff {
                HDiff::Python(python) => {
                    line(python, &["-c", HDIFF_PYTHON, "apply"], &[old, patch, out])
                }
                HDiff::Program(program) => {
                    let apply = program.with_file_name("hpatchz");
                    line(&apply, &["-f"], &[old, patch, out])
                }
                HDiff::Missing => Vec::new(),
            },
            Tool::Mixing | Tool::Zstd => line(&self.apply, &[], &[old, patch, out]),
            Tool::Rdiff => line("rdiff", &["-f", "patch"], &[old, patch, out]),
            Tool::Xdelta3 => {
                let window = format!("-B{}", files.bytes.next_power_of_two().max(1 << 20));
                let options = ["-d", "-f", &window, "-s"];
                line("xdelta3", &options, &[old, patch, out])
            }
            Tool::ZstdBest | Tool::ZstdFast => zstd(&["-d"], files, (patch, out)),
        }
    }

    /// A run of the interpreter that does nothing, to be subtracted.
    pub(super) fn idle(&self, tool: Tool) -> Option<Vec<OsString>> {
        match (&self.hdiff, tool) {
            (HDiff::Python(python), Tool::Hdiffz) => {
                Some(line(python, &["-c", "import sys, hdiffpatch"], &[]))
            }
            _ => None,
        }
    }
}

fn line(program: impl AsRef<Path>, options: &[&str], files: &[&Path]) -> Vec<OsString> {
    let mut line = vec![program.as_ref().as_os_str().to_owned()];
    line.extend(options.iter().map(OsString::from));
    line.extend(files.iter().map(|path| path.as_os_str().to_owned()));
    line
}

/// zstd finds matches in the old image only within its window.
fn zstd(options: &[&str], files: Files<'_>, (from, to): (&Path, &Path)) -> Vec<OsString> {
    let bits = (files.bytes * 2).next_power_of_two().ilog2().clamp(20, 31);
    let mut line = line("zstd", options, &[]);
    line.extend(["-q", "-f", "-T1"].map(OsString::from));
    line.push(format!("--long={bits}").into());
    let mut base = OsString::from("--patch-from=");
    base.push(files.old);
    line.extend([base, from.into(), "-o".into(), to.into()]);
    line
}

/// Whether a program is in the search path.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
