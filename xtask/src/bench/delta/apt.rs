//! Debian packages of any architecture, by an apt of our own: its lists, cache and state are in the
//! keep folder, nothing is installed. The mirror is the one that the machine's apt uses.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{self, Failure};

/// Where Debian keeps the keys of its archive.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// What distinguishes the archive of security updates.
const SECURITY: &str = "-security";

/// A package and one version of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
}

/// An apt for one architecture and some suites.
#[derive(Debug)]
pub(super) struct Apt {
    folder: PathBuf,
    debs: PathBuf,
    architecture: String,
}

impl Apt {
    /// Opens it and fetches the lists.
    ///
    /// A suite whose list can't be had is reported and left out: its packages will be missed by name.
    pub(super) fn open(keep: &Path, architecture: &str, suites: &[&str]) -> Result<Self, Failure> {
        let folder = keep
            .join("apt")
            .join(format!("{architecture}-{}", suites.join("-")));
        let debs = keep.join("debs").join(architecture);
        let state = ["state/lists/partial", "cache/archives/partial", "etc"];
        for path in state.map(|name| folder.join(name)).iter().chain([&debs]) {
            fs::create_dir_all(path).map_err(|error| Failure::new(path.display(), error))?;
        }
        let sources = sources(&mirrors()?, suites, Path::new(KEYRING).is_file())?;
        let path = folder.join("etc/sources.list");
        fs::write(&path, sources).map_err(|error| Failure::new(path.display(), error))?;
        let apt = Self {
            folder,
            debs,
            architecture: architecture.to_owned(),
        };
        if let Err(failure) = process::output(apt.command("apt-get").arg("update")) {
            eprintln!("bench: not all lists of {architecture} can be had: {failure}");
        }
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folder = |name: &str| self.folder.join(name).into_os_string();
        let options: [(&str, OsString); 9] = [
            ("Dir::State", folder("state")),
            ("Dir::State::status", "/dev/null".into()),
            ("Dir::Cache", folder("cache")),
            ("Dir::Etc::sourcelist", folder("etc/sources.list")),
            ("Dir::Etc::sourceparts", "/dev/null".into()),
            ("APT::Architecture", self.architecture.clone().into()),
            ("APT::Architectures", self.architecture.clone().into()),
            ("APT::Install-Recommends", "0".into()),
            // apt's own user may not write into the keep folder.
            ("APT::Sandbox::User", "root".into()),
        ];
        command.arg("-q").current_dir(&self.debs);
        for (name, value) in options {
            let mut option = OsString::from(name);
            option.push("=");
            option.push(value);
            command.arg("-o").arg(option);
        }
        command
    }

    /// What apt would install for `wanted` on an empty machine.
    pub(super) fn resolve(&self, wanted: &[&str]) -> Result<Vec<Package>, Failure> {
        let mut command = self.command("apt-get");
        command.args(["-s", "install"]).args(wanted);
        Ok(installed(&process::output(&mut command)?))
    }

    /// All versions of packages in the suites.
    pub(super) fn versions(&self, names: &[&str]) -> Result<Vec<Package>, Failure> {
        let mut command = self.command("apt-cache");
        command.arg("madison").args(names);
        Ok(listed(&process::output(&mut command)?))
    }

    /// The file of a package, downloaded unless it is there.
    pub(super) fn download(&self, package: &Package) -> Result<PathBuf, Failure> {
        let Package { name, version } = package;
        let start = format!("{name}_{}_", version.replace(':', "%3a"));
        if let Some(path) = self.find(&start)? {
            return Ok(path);
        }
        let mut command = self.command("apt-get");
        command.arg("download").arg(format!("{name}={version}"));
        process::output(&mut command)?;
        self.find(&start)?
            .ok_or_else(|| Failure::text(format!("apt did not download {name}={version}")))
    }

    fn find(&self, start: &str) -> Result<Option<PathBuf>, Failure> {
        let error = |error| Failure::new(self.debs.display(), error);
        for entry in fs::read_dir(&self.debs).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(start) && name.ends_with(".deb") {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    }
}

/// Returns whether version `one` is lower than `other`, by Debian's rules.
pub(super) fn is_lower(one: &str, other: &str) -> bool {
    let mut command = Command::new("dpkg");
    command.args(["--compare-versions", one, "lt", other]);
    process::output(&mut command).is_ok()
}

/// The archives that the machine's apt uses, as lines `URI suite origin`.
fn mirrors() -> Result<String, Failure> {
    let format = "$(REPO_URI) $(RELEASE) $(ORIGIN)";
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", format, "Created-By: Packages"]);
    process::output(&mut command)
}

/// The text of a sources.list, from what [`mirrors`] says.
pub(super) fn sources(mirrors: &str, suites: &[&str], signed: bool) -> Result<String, Failure> {
    let find =
        |security: bool| {
            let line = mirrors.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                let (uri, suite, origin) = (words.next()?, words.next()?, words.next()?);
                (origin == "Debian" && suite.ends_with(SECURITY) == security).then_some(uri)
            });
            line.ok_or_else(|| {
            let which = if security { "security updates" } else { "packages" };
            Failure::text(format!(
                "apt knows no Debian archive of {which}; add one to its sources, run apt-get update"
            ))
        })
        };
    let option = if signed {
        format!("[signed-by={KEYRING}] ")
    } else {
        String::new()
    };
    let mut text = String::new();
    for suite in suites {
        let uri = find(suite.ends_with(SECURITY))?;
        text.push_str(&format!(
            "deb {option}{uri} {suite} main non-free-firmware\n"
        ));
    }
    Ok(text)
}

/// Packages of `apt-get -s install`: lines `Inst name (version …`.
pub(super) fn installed(text: &str) -> Vec<Package> {
    let package = |line: &str| {
        let mut words = line.strip_prefix("Inst ")?.split_whitespace();
        let name = words.next()?.to_owned();
        let version = words.find_map(|word| word.strip_prefix('('))?.to_owned();
        Some(Package { name, version })
    };
    text.lines().filter_map(package).collect()
}

/// Packages of `apt-cache madison`: lines `name | version | suite`.
pub(super) fn listed(text: &str) -> Vec<Package> {
    let package = |line: &str| {
        let mut cells = line.split('|').map(str::trim);
        let (name, version) = (cells.next()?.to_owned(), cells.next()?.to_owned());
        Some(Package { name, version })
    };
    text.lines().filter_map(package).collect()
}
