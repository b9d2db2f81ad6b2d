//! Images from packages: a file of one, a tar archive of a folder, a file system of many. No
//! maintainer script is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt::{self, Apt, Package};
use super::pair::{APPLIANCE, Form, Member, Pair, Source};
use super::process::{self, Failure};

/// Suites of a release and its updates.
const BOOKWORM: [&str; 3] = ["bookworm", "bookworm-updates", "bookworm-security"];
/// Suites of all pairs of one package.
const SUITES: [&str; 4] = [
    "bookworm",
    "bookworm-updates",
    "bookworm-security",
    "trixie",
];
const APPLIANCE_BYTES: u64 = 256 << 20;
const MINBASE_BYTES: u64 = 128 << 20;
/// What small images leave out.
const LEFT_OUT: [&str; 8] = [
    "usr/lib/aarch64-linux-gnu/gconv",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/share/bash-completion",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
];
/// Bytes of an image per inode: fewer inodes than mke2fs would make, and more than there are files.
const BYTES_PER_INODE: &str = "12288";
/// What apt calls the smallest root file system.
const MINBASE: [&str; 3] = ["?essential", "?priority(required)", "apt"];
/// Identity of file systems, so that two builds are equal.
const UUID: &str = "6d1b9b4e-5b0f-4b0c-9c6a-2f6a0e1d7c33";
/// Time of file systems, in seconds since 1970.
const TIME: &str = "1700000000";
/// Inodes of the root folder and of `lost+found`; those of the files follow.
const ROOT_INODE: u64 = 2;
const LOST_AND_FOUND_INODE: u64 = 11;

/// Two images on disk.
#[derive(Debug)]
pub(super) struct Images {
    pub(super) old: PathBuf,
    pub(super) new: PathBuf,
    /// What is in them, where it was counted.
    pub(super) note: Option<String>,
}

/// The images of a pair, made unless they are kept.
pub(super) fn images(keep: &Path, pair: &Pair) -> Result<Images, Failure> {
    if let Source::Files { old, new } = &pair.source {
        let path = |path: &PathBuf| {
            fs::canonicalize(path).map_err(|error| Failure::new(path.display(), error))
        };
        return Ok(Images {
            old: path(old)?,
            new: path(new)?,
            note: None,
        });
    }
    let folder = keep.join("pairs");
    fs::create_dir_all(&folder).map_err(|error| Failure::new(folder.display(), error))?;
    let path = |end: &str| folder.join(format!("{}.{end}", pair.name));
    let (old, new, note) = (path("old"), path("new"), path("note"));
    if !(old.is_file() && new.is_file() && note.is_file()) {
        let text = match &pair.source {
            Source::Files { .. } => String::new(),
            Source::Member {
                architecture,
                form,
                old: from,
                new: to,
            } => {
                let apt = Apt::open(keep, architecture, &SUITES)?;
                member(&apt, *form, (from, &old))?;
                member(&apt, *form, (to, &new))?;
                String::new()
            }
            Source::Appliance => appliance(keep, (&old, &new))?,
            Source::Minbase => minbase(keep, (&old, &new))?,
        };
        fs::write(&note, text).map_err(|error| Failure::new(note.display(), error))?;
    }
    let note = fs::read_to_string(&note).unwrap_or_default();
    Ok(Images {
        old,
        new,
        note: (!note.is_empty()).then_some(note),
    })
}

/// Takes an image out of one package.
fn member(apt: &Apt, form: Form, (member, image): (&Member, &Path)) -> Result<(), Failure> {
    let deb = apt.download(&Package {
        name: member.package.to_owned(),
        version: member.version.to_owned(),
    })?;
    let tree = image.with_extension("tree");
    extract(&[deb], &tree)?;
    let path = tree.join(member.path);
    match form {
        Form::File => {
            fs::copy(&path, image).map_err(|error| Failure::new(path.display(), error))?;
        }
        Form::Tar => {
            let mut tar = Command::new("tar");
            tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
                .args(["--mtime=@0", "--format=gnu", "-cf"])
                .arg(image)
                .arg("-C")
                .args([&path, Path::new(".")]);
            process::output(&mut tar)?;
        }
    }
    remove(&tree)
}

/// An appliance with the lowest and with the highest version of each package in a release.
fn appliance(keep: &Path, (old, new): (&Path, &Path)) -> Result<String, Failure> {
    let base = Apt::open(keep, "arm64", &BOOKWORM[..1])?;
    let mut wanted = vec!["?essential"];
    wanted.extend(APPLIANCE.split_whitespace());
    let packages = base.resolve(&wanted)?;
    let apt = Apt::open(keep, "arm64", &BOOKWORM)?;
    let names: Vec<&str> = packages.iter().map(|it| it.name.as_str()).collect();
    let versions = apt.versions(&names)?;
    let mut old_debs = Vec::new();
    let mut new_debs = Vec::new();
    let mut changed = 0;
    for package in &packages {
        let (mut lowest, mut highest) = (package, package);
        for version in versions.iter().filter(|it| it.name == package.name) {
            if apt::is_lower(&version.version, &lowest.version) {
                lowest = version;
            }
            if apt::is_lower(&highest.version, &version.version) {
                highest = version;
            }
        }
        changed += usize::from(lowest != highest);
        old_debs.push(apt.download(lowest)?);
        new_debs.push(apt.download(highest)?);
    }
    system(&old_debs, (old, APPLIANCE_BYTES))?;
    system(&new_debs, (new, APPLIANCE_BYTES))?;
    Ok(format!("{} packages, {changed} changed", packages.len()))
}

/// The smallest root file system of two releases.
fn minbase(keep: &Path, (old, new): (&Path, &Path)) -> Result<String, Failure> {
    let mut counts = Vec::new();
    for (suite, image) in [("bookworm", old), ("trixie", new)] {
        let apt = Apt::open(keep, "amd64", &[suite])?;
        let packages = apt.resolve(&MINBASE)?;
        counts.push(packages.len().to_string());
        let debs: Result<Vec<_>, _> = packages.iter().map(|it| apt.download(it)).collect();
        system(&debs?, (image, MINBASE_BYTES))?;
    }
    Ok(format!("{} packages", counts.join(" and ")))
}

/// A file system with all packages in it, but for what small images leave out.
fn system(debs: &[PathBuf], (image, bytes): (&Path, u64)) -> Result<(), Failure> {
    let tree = image.with_extension("tree");
    let mut debs = debs.to_vec();
    // The package that holds the top folders goes first, as some of them are links.
    debs.sort_by_key(|path| !path.to_string_lossy().contains("/base-files_"));
    extract(&debs, &tree)?;
    for folder in LEFT_OUT {
        remove(&tree.join(folder))?;
    }
    fix_new_times(&tree)?;
    let made = file_system(&tree, image, bytes);
    remove(&tree)?;
    made
}

/// Gives a fixed time to links and folders that packages give none to.
fn fix_new_times(tree: &Path) -> Result<(), Failure> {
    let time = format!("@{TIME}");
    let mut find = Command::new("find");
    find.arg(tree).args([
        "-mtime", "-1", "-exec", "touch", "-h", "-d", &time, "{}", "+",
    ]);
    process::output(&mut find).map(drop)
}

/// An ext4 image of a folder. Files stand in it in the order in which the folder lists them.
fn file_system(tree: &Path, image: &Path, bytes: u64) -> Result<(), Failure> {
    let part = image.with_extension("part");
    drop(fs::remove_file(&part));
    let seed = format!("hash_seed={UUID},lazy_itable_init=0,root_owner=0:0");
    let mut command = Command::new("mke2fs");
    command
        .args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-i",
            BYTES_PER_INODE,
            "-O",
            "^has_journal",
        ])
        .args(["-m", "0", "-U", UUID, "-E", &seed, "-d"])
        .args([tree, &part])
        .arg((bytes / 4096).to_string())
        .env("E2FSPROGS_FAKE_TIME", TIME)
        .env("SOURCE_DATE_EPOCH", TIME);
    process::output(&mut command)?;
    fix_times(&part)?;
    fs::rename(&part, image).map_err(|error| Failure::new(image.display(), error))
}

/// Sets the times that mke2fs takes from the build (of access and of change), inode by inode.
fn fix_times(image: &Path) -> Result<(), Failure> {
    let mut dump = Command::new("dumpe2fs");
    let header = process::output(dump.arg("-h").arg(image))?;
    let number = |name: &str| {
        let line = header.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse::<u64>().ok())
    };
    let (Some(all), Some(free)) = (number("Inode count:"), number("Free inodes:")) else {
        return Err(Failure::new(image.display(), "no inode counts"));
    };
    let mut script = String::new();
    for inode in std::iter::once(ROOT_INODE).chain(LOST_AND_FOUND_INODE..=all - free) {
        let of_build = inode <= LOST_AND_FOUND_INODE;
        let mtime = of_build.then_some("mtime");
        for field in ["atime", "ctime", "crtime"].into_iter().chain(mtime) {
            script.push_str(&format!("sif <{inode}> {field} @{TIME}\n"));
            script.push_str(&format!("sif <{inode}> {field}_extra 0\n"));
        }
    }
    let path = image.with_extension("debugfs");
    fs::write(&path, script).map_err(|error| Failure::new(path.display(), error))?;
    let mut command = Command::new("debugfs");
    command.arg("-w").arg("-f").args([&path, image]);
    command.env("E2FSPROGS_FAKE_TIME", TIME);
    process::output(&mut command)?;
    fs::remove_file(&path).map_err(|error| Failure::new(path.display(), error))
}

/// Unpacks packages into a folder, in this order.
fn extract(debs: &[PathBuf], tree: &Path) -> Result<(), Failure> {
    remove(tree)?;
    for deb in debs {
        let mut command = Command::new("dpkg-deb");
        process::output(command.arg("-x").args([deb, tree]))?;
    }
    Ok(())
}

fn remove(tree: &Path) -> Result<(), Failure> {
    if tree.symlink_metadata().is_err() {
        return Ok(());
    }
    fs::remove_dir_all(tree).map_err(|error| Failure::new(tree.display(), error))
}
