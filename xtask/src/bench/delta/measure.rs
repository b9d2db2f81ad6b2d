//! Measuring one program: CPU and memory of a child, by a process of its own that has no other child.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

use super::image::Images;
use super::process::{self, Failure};
use super::results::{Cost, Row};
use super::tool::{Files, Programs, Tool};

/// Short runs are repeated, and the shortest counts.
const REPEATS: usize = 3;
/// Runs above this many seconds are exact enough.
const SHORT_SECONDS: f64 = 1.0;
/// Less than this can't be told from the start of the program.
const SECONDS_MIN: f64 = 0.001;

/// `xtask measure REPORT -- PROGRAM ARGS…`: runs a program and writes what it took into `report`.
///
/// A process of its own, because the memory that the kernel reports is the most of all children so far.
pub(crate) fn child(report: &Path, command: &[OsString]) -> ExitCode {
    match ran(report, command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("measure: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn ran(report: &Path, command: &[OsString]) -> Result<bool, Failure> {
    let [program, args @ ..] = command else {
        return Err(Failure::text("measure: no program"));
    };
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| Failure::new(program.display(), error))?;
    let usage =
        getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| Failure::new("getrusage", error))?;
    let time = usage.user_time();
    let cost = Cost {
        user_seconds: time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6,
        memory_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
    };
    let text = serde_json::to_string(&cost).unwrap_or_default();
    fs::write(report, text).map_err(|error| Failure::new(report.display(), error))?;
    Ok(status.success())
}

/// Tools on one pair of images.
pub(super) struct Run<'a> {
    programs: &'a Programs,
    images: &'a Images,
    folder: &'a Path,
    old_bytes: u64,
    new_bytes: u64,
    patch: PathBuf,
    out: PathBuf,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        programs: &'a Programs,
        images: &'a Images,
        folder: &'a Path,
    ) -> Result<Self, Failure> {
        Ok(Self {
            programs,
            images,
            folder,
            old_bytes: size(&images.old)?,
            new_bytes: size(&images.new)?,
            patch: folder.join("patch"),
            out: folder.join("out"),
        })
    }

    /// Bytes of the old image and of the new one.
    pub(super) const fn sizes(&self) -> (u64, u64) {
        (self.old_bytes, self.new_bytes)
    }

    fn files(&self) -> Files<'_> {
        Files {
            old: &self.images.old,
            new: &self.images.new,
            patch: &self.patch,
            out: &self.out,
            bytes: self.old_bytes.max(self.new_bytes),
        }
    }

    /// Makes a patch, applies it and compares.
    pub(super) fn tool(&self, tool: Tool) -> Result<Row, Failure> {
        let files = self.files();
        let mut create = Cost::default();
        for command in self.programs.create(tool, files) {
            create = create.then(self.one(&command)?);
        }
        let patch_bytes = size(&self.patch)?;
        let mut apply = self.least(&self.programs.apply(tool, files))?;
        if !equal(&self.images.new, &self.out)? {
            return Err(Failure::new(
                tool.label(),
                "the patch does not rebuild the target",
            ));
        }
        let idle = self.programs.idle(tool);
        if let Some(idle) = &idle {
            let start = self.least(idle)?.user_seconds;
            create.user_seconds -= start;
            apply.user_seconds -= start;
        }
        for cost in [&mut create, &mut apply] {
            cost.user_seconds = cost.user_seconds.max(SECONDS_MIN);
        }
        drop(fs::remove_file(&self.out));
        drop(fs::remove_file(&self.patch));
        Ok(Row {
            tool,
            patch_bytes,
            create: Some(create),
            apply: Some(apply),
            python: idle.is_some(),
        })
    }

    /// Makes both of our patches in one run.
    pub(super) fn both(&self) -> Result<Cost, Failure> {
        self.one(&self.programs.make("both", self.files()))
    }

    fn least(&self, command: &[OsString]) -> Result<Cost, Failure> {
        let mut least = self.one(command)?;
        for _ in 1..REPEATS {
            if least.user_seconds < SHORT_SECONDS {
                let next = self.one(command)?;
                least.user_seconds = least.user_seconds.min(next.user_seconds);
                least.memory_bytes = least.memory_bytes.max(next.memory_bytes);
            }
        }
        Ok(least)
    }

    fn one(&self, command: &[OsString]) -> Result<Cost, Failure> {
        let us = std::env::current_exe().map_err(|error| Failure::new("xtask", error))?;
        let report = self.folder.join("cost.json");
        let mut measure = Command::new(us);
        measure.arg("measure").arg(&report).arg("--").args(command);
        process::output(&mut measure)
            .map_err(|failure| Failure::new(command[0].display(), failure))?;
        let text = fs::read(&report).map_err(|error| Failure::new(report.display(), error))?;
        serde_json::from_slice(&text).map_err(|error| Failure::new(report.display(), error))
    }
}

fn size(path: &Path) -> Result<u64, Failure> {
    let metadata = fs::metadata(path).map_err(|error| Failure::new(path.display(), error))?;
    Ok(metadata.len())
}

/// Compares two files without holding them: the harness stays small, because a child starts with
/// the memory figure of its parent.
pub(super) fn equal(one: &Path, other: &Path) -> Result<bool, Failure> {
    let open = |path: &Path| {
        let file = File::open(path).map_err(|error| Failure::new(path.display(), error))?;
        Ok(BufReader::new(file).bytes())
    };
    if size(one)? != size(other)? {
        return Ok(false);
    }
    let (mut one, mut other) = (open(one)?, open(other)?);
    loop {
        match (one.next(), other.next()) {
            (None, None) => return Ok(true),
            (Some(Ok(left)), Some(Ok(right))) if left == right => {}
            _ => return Ok(false),
        }
    }
}
