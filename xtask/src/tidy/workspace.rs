//! The repository as tidy sees it: every file that git tracks or would add, read once. Owns which
//! files count and what a path says about a file; knows no rule.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::source;

/// Folders left out when there is no git to ask.
const NOT_WALKED: &[&str] = &[
    ".git",
    "target",
    "fuzz/target",
    "fuzz/corpus",
    "fuzz/artifacts",
];

/// All files of the repository, sorted by path.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<File>,
    /// Member folders as the root Cargo.toml names them; empty if it cannot be read.
    pub(crate) members: Vec<String>,
}

/// One file with its content.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, separated by `/`.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    /// Rust source with comments and literals blanked (see [`source::mask`]); empty otherwise.
    pub(crate) code: String,
}

impl Workspace {
    /// Reads the repository at `root`.
    pub(crate) fn load(root: &Path) -> io::Result<Self> {
        let mut paths = match tracked(root) {
            Some(paths) => paths,
            None => walked(root)?,
        };
        paths.sort();
        paths.dedup();
        let mut files = Vec::new();
        for path in paths {
            // Deleted but not yet staged, or a submodule.
            if !root.join(&path).is_file() {
                continue;
            }
            let bytes = fs::read(root.join(&path))?;
            let is_rust = path.ends_with(".rs");
            let code = if is_rust {
                source::mask(&bytes)
            } else {
                String::new()
            };
            files.push(File { path, bytes, code });
        }
        let mut workspace = Self {
            root: root.to_owned(),
            files,
            members: Vec::new(),
        };
        workspace.members = workspace.read_members();
        Ok(workspace)
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn rust_files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// Parses a Cargo.toml; `None` if it is absent or not TOML.
    pub(crate) fn manifest(&self, path: &str) -> Option<toml::Table> {
        self.file(path)?.text().parse().ok()
    }

    fn read_members(&self) -> Vec<String> {
        let manifest = self.manifest("Cargo.toml").unwrap_or_default();
        let members = manifest
            .get("workspace")
            .and_then(|workspace| workspace.get("members"));
        let members = members
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten();
        members
            .filter_map(toml::Value::as_str)
            .map(str::to_owned)
            .collect()
    }
}

impl File {
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The file's name without its folder.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The first folder of the path, which for members is the crate's name.
    pub(crate) fn top_folder(&self) -> &str {
        self.path.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// Whether the file holds tests only: `tests.rs`, or anything below a folder `tests`.
    pub(crate) fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.split('/').any(|part| part == "tests")
    }
}

/// What git tracks or would add; `None` if `root` is no repository or git is absent.
fn tracked(root: &Path) -> Option<Vec<String>> {
    if !root.join(".git").exists() {
        return None;
    }
    let arguments = ["ls-files", "-z", "-co", "--exclude-standard"];
    let output = git(root).args(arguments).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let names = output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    Some(
        names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect(),
    )
}

/// Git at `root`, and not at the repository whose hook may be running us.
fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(root);
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        command.env_remove(name);
    }
    command
}

fn walked(root: &Path) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            if !entry.file_type()?.is_dir() {
                paths.push(path);
            } else if !NOT_WALKED.contains(&path.as_str()) {
                folders.push(path);
            }
        }
    }
    Ok(paths)
}

/// Writes `files` (path, content) into a temporary folder and loads it.
#[cfg(test)]
pub(crate) fn fixture(files: &[(&str, &str)]) -> Workspace {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), files);
    Workspace::load(folder.path()).unwrap()
}

#[cfg(test)]
pub(crate) fn write_files(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

#[cfg(test)]
mod tests;
