//! The pairs of images, by package and version.

use std::path::PathBuf;

use super::process::Failure;

/// One version of a package, and what of it is the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// File or folder in the package.
    pub(super) path: &'static str,
}

/// How a member becomes an image.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// As it is.
    File,
    /// A folder, as a tar archive.
    Tar,
}

/// Where the images of a pair come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The root file system of an appliance, before and after security updates.
    Appliance,
    /// The user's own.
    Files { old: PathBuf, new: PathBuf },
    /// Two versions of a package.
    Member {
        architecture: &'static str,
        form: Form,
        old: Member,
        new: Member,
    },
    /// The smallest root file system, before and after the upgrade to the next release.
    Minbase,
}

/// Two images.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) what: String,
    /// Whether parameters of our coders were chosen while looking at it.
    pub(super) tuned: bool,
    pub(super) source: Source,
}

/// Packages that an appliance asks for; apt adds what they need.
pub(super) const APPLIANCE: &str = "systemd systemd-sysv libpam-systemd udev dbus openssh-server \
    openssh-client curl ca-certificates iproute2 iputils-ping wpasupplicant bluez python3-minimal \
    sqlite3 chrony rsyslog logrotate cron sudo vim-tiny usbutils mosquitto nginx-light jq rsync \
    e2fsprogs parted kmod procps wget openssl libglib2.0-0 xz-utils nano";

const fn member(package: &'static str, version: &'static str, path: &'static str) -> Member {
    Member {
        package,
        version,
        path,
    }
}

/// Two versions of a package, with whether the coders were tuned on it.
type Versions = (&'static str, bool, &'static str, Form, [Member; 2]);

const VERSIONS: [Versions; 9] = [
    (
        "uboot",
        true,
        "arm64",
        Form::File,
        [
            member(
                "u-boot-rpi",
                "2023.01+dfsg-2+deb12u3",
                "usr/lib/u-boot/rpi_arm64/u-boot.bin",
            ),
            member(
                "u-boot-rpi",
                "2025.01-3+deb13u1",
                "usr/lib/u-boot/rpi_arm64/u-boot.bin",
            ),
        ],
    ),
    (
        "start4",
        true,
        "arm64",
        Form::File,
        [
            member(
                "raspi-firmware",
                "1.20220830+ds-1",
                "usr/lib/raspi-firmware/start4.elf",
            ),
            member(
                "raspi-firmware",
                "1.20240424+ds-6",
                "usr/lib/raspi-firmware/start4.elf",
            ),
        ],
    ),
    (
        "busybox",
        true,
        "arm64",
        Form::File,
        [
            member("busybox-static", "1:1.35.0-4+deb12u1+b1", "bin/busybox"),
            member("busybox-static", "1:1.37.0-6+b9", "usr/bin/busybox"),
        ],
    ),
    (
        "libcrypto",
        true,
        "arm64",
        Form::File,
        [
            member(
                "libssl3",
                "3.0.17-1~deb12u2",
                "usr/lib/aarch64-linux-gnu/libcrypto.so.3",
            ),
            member(
                "libssl3",
                "3.0.22-1~deb12u2",
                "usr/lib/aarch64-linux-gnu/libcrypto.so.3",
            ),
        ],
    ),
    (
        "kimg",
        true,
        "arm64",
        Form::File,
        [
            member(
                "linux-image-6.1.0-47-arm64",
                "6.1.170-3",
                "boot/vmlinuz-6.1.0-47-arm64",
            ),
            member(
                "linux-image-6.1.0-50-arm64",
                "6.1.176-1",
                "boot/vmlinuz-6.1.0-50-arm64",
            ),
        ],
    ),
    (
        "armhf-libcrypto",
        true,
        "armhf",
        Form::File,
        [
            member(
                "libssl3",
                "3.0.17-1~deb12u2",
                "usr/lib/arm-linux-gnueabihf/libcrypto.so.3",
            ),
            member(
                "libssl3",
                "3.0.20-1~deb12u2",
                "usr/lib/arm-linux-gnueabihf/libcrypto.so.3",
            ),
        ],
    ),
    (
        "armhf-busybox",
        false,
        "armhf",
        Form::File,
        [
            member("busybox-static", "1:1.35.0-4+deb12u1+b1", "bin/busybox"),
            member("busybox-static", "1:1.37.0-6+b9", "usr/bin/busybox"),
        ],
    ),
    (
        "amdgpu",
        true,
        "amd64",
        Form::File,
        [
            member(
                "linux-image-6.1.0-47-amd64",
                "6.1.170-3",
                "lib/modules/6.1.0-47-amd64/kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko",
            ),
            member(
                "linux-image-6.1.0-50-amd64",
                "6.1.176-1",
                "lib/modules/6.1.0-50-amd64/kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko",
            ),
        ],
    ),
    (
        "python",
        false,
        "arm64",
        Form::Tar,
        [
            member(
                "libpython3.11-stdlib",
                "3.11.2-6+deb12u8",
                "usr/lib/python3.11",
            ),
            member(
                "libpython3.13-stdlib",
                "3.13.5-2+deb13u5",
                "usr/lib/python3.13",
            ),
        ],
    ),
];

/// All known pairs.
pub(super) fn known() -> Vec<Pair> {
    let mut pairs: Vec<Pair> = VERSIONS.iter().map(versions).collect();
    let system = |name: &str, what: &str, source| Pair {
        name: name.to_owned(),
        what: what.to_owned(),
        tuned: matches!(source, Source::Minbase),
        source,
    };
    let appliance = "arm64 appliance, bookworm before and after security updates, ext4 256 MiB";
    pairs.push(system("upd", appliance, Source::Appliance));
    let minbase = "amd64 minbase, bookworm → trixie, ext4 128 MiB";
    pairs.push(system("big", minbase, Source::Minbase));
    pairs
}

fn versions((name, tuned, architecture, form, [old, new]): &Versions) -> Pair {
    let file = new.path.rsplit('/').next().unwrap_or(new.path);
    let from = if old.package == new.package {
        format!("{} → {}", old.version, new.version)
    } else {
        format!("{} → {} {}", old.version, new.package, new.version)
    };
    let form_name = match form {
        Form::File => "",
        Form::Tar => ", as tar",
    };
    Pair {
        name: (*name).to_owned(),
        what: format!("{architecture} {} {from}, {file}{form_name}", old.package),
        tuned: *tuned,
        source: Source::Member {
            architecture,
            form: *form,
            old: *old,
            new: *new,
        },
    }
}

/// The pairs asked for: known ones by `names`, and the user's as `NAME=OLD,NEW`. All known ones if
/// nothing is asked for.
pub(super) fn wanted(names: &[String], files: &[String]) -> Result<Vec<Pair>, Failure> {
    let known = known();
    if names.is_empty() && files.is_empty() {
        return Ok(known);
    }
    let mut wanted = Vec::new();
    for name in names {
        let found = known.iter().find(|pair| pair.name == *name);
        let all: Vec<&str> = known.iter().map(|pair| pair.name.as_str()).collect();
        let why = || Failure::text(format!("no pair {name}; known: {}", all.join(", ")));
        wanted.push(found.ok_or_else(why)?.clone());
    }
    for text in files {
        wanted.push(parse(text).ok_or_else(|| {
            let rule = "expected NAME=OLD,NEW with letters, digits, - and _ in NAME";
            Failure::new(text, rule)
        })?);
    }
    Ok(wanted)
}

/// Parses `NAME=OLD,NEW`; the name becomes a file name.
fn parse(text: &str) -> Option<Pair> {
    let (name, files) = text.split_once('=')?;
    let (old, new) = files.split_once(',')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let good = !name.is_empty() && name.chars().all(plain) && !old.is_empty() && !new.is_empty();
    good.then(|| Pair {
        name: name.to_owned(),
        what: "own images".to_owned(),
        tuned: false,
        source: Source::Files {
            old: old.into(),
            new: new.into(),
        },
    })
}
