//! The agent in a virtual machine whose kernel gives it 32 MiB, what is kept of files for it included, and
//! kills it if it can't do with that (threat Q93). `STREEMBIT_TEST_IMAGES=OLD,NEW` names a real pair of images
//! in place of the made one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cli::Exit;
use delta::Coder;
use support::device::{Content, Device, Kind, Published};
use support::guest::initramfs::Initramfs;
use support::guest::{HOST, Kernel, Machine};
use support::mirror::Mirror;
use support::programs;
use support::room;
use tempfile::TempDir;

use crate::agent_kill::{assert_survived, with_older_system};
use crate::agent_memory::{MEMORY_BYTES, assert_installed, images};

/// Bytes of the made image, three times what the agent may take.
const IMAGE_BYTES: usize = 96 << 20;
/// Bytes of the large one, and KiB that making it and its disks take.
const LARGE_IMAGE_BYTES: usize = 1 << 30;
const LARGE_MEMORY_KIB: u64 = 8 << 20;
const LARGE_DISK_KIB: u64 = 10 << 20;
/// Memory of the machine: room for more of the images than the agent may keep.
const MACHINE_MIB: u32 = 256;
/// Too little to do anything.
const TOO_SMALL_BYTES: u64 = 1 << 20;
/// Disks have whole sectors.
const SECTOR_BYTES: usize = 512;
/// More sectors than any disk has.
const NEVER: u64 = i64::MAX as u64;
/// What the shell says of a program that SIGKILL ended.
const KILLED: u64 = 128 + 9;
/// Size of the third disk, for the agent, its state and what it fetches.
const DATA_DISK: &str = "1G";
/// A machine that is not done after so long never is: far above what real images take on a busy host.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Without any the agent fetches nothing, not even by plain HTTP.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Variable that names two images.
const IMAGES: &str = "STREEMBIT_TEST_IMAGES";

/// Runs the agent in a group and says how it ended. The loop notes the agent's own peaks, and leaves it far
/// less memory once enough of slot B is on disk; it yields to the agent.
const SCRIPT: &str = r#"
mount -t ext4 /dev/vdc /mnt
mount -t cgroup2 none /sys/fs/cgroup
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
group=/sys/fs/cgroup/agent
mkdir $group
echo $LIMIT > $group/memory.max
echo 0 > $group/memory.swap.max
sh -c 'echo $$ > $0/cgroup.procs; exec /mnt/streembit-agent -q -c /mnt/agent.toml install' $group \
  > /said 2>&1 &
agent=$!
renice -n 10 -p $$ > /dev/null
anon=0
while true; do
  now=
  while read -r key value rest; do
    case $key in
      VmHWM:) now=$value ;;
      RssAnon:) [ $value -lt $anon ] || anon=$value ;;
    esac
  done < /proc/$agent/status
  [ -n "$now" ] || break
  resident=$now
  read -r reads merged read time writes merged written rest < /sys/block/vdb/stat
  [ $written -lt $SQUEEZE_AT ] || echo $SQUEEZED > $group/memory.max
done 2> /dev/null
wait $agent
exit=$?
sed 's/^/@@ /' /said
echo "@@ exit=$exit written=$written resident=$resident anon=$anon peak=$(cat $group/memory.peak)" \
  $(sed -n 's/^oom_kill /oom_kills=/p' $group/memory.events)
umount /mnt
"#;

/// How the agent ended, and what it took.
struct Ended {
    /// What it printed.
    said: String,
    exit: u64,
    oom_kills: u64,
    /// Sectors of slot B that were on disk before the end.
    written: u64,
    /// Peak of what was resident, files that it maps included.
    resident_kib: u64,
    /// Peak of what was resident and no file's, as often as it was looked at.
    anonymous_kib: u64,
    /// Peak of the group; what the agent leaves of its memory is used for pages of files.
    group_bytes: u64,
}

impl Ended {
    fn parse(mut lines: Vec<String>) -> Self {
        let line = lines.pop().unwrap_or_default();
        let value = |name: &str| {
            let values = line.split(' ').filter_map(|word| word.split_once('='));
            let mut named = values.filter(|(key, _)| *key == name);
            let value = named.next().and_then(|(_, value)| value.parse().ok());
            value.unwrap_or_else(|| panic!("no {name}: {line}"))
        };
        Self {
            exit: value("exit"),
            oom_kills: value("oom_kills"),
            written: value("written"),
            resident_kib: value("resident"),
            anonymous_kib: value("anon"),
            group_bytes: value("peak"),
            said: lines.join("\n"),
        }
    }

    fn tell(&self, coder: Coder, moment: &str) {
        let Self { exit, written, .. } = self;
        let (resident, anonymous) = (self.resident_kib, self.anonymous_kib);
        let group = self.group_bytes / 1024;
        eprintln!(
            "Q93: {coder:?}, {moment}: exit {exit}, {written} sectors; peaks in KiB: group {group}, \
             resident {resident}, of it no file's {anonymous}"
        );
    }
}

/// Memory of a run.
#[derive(Clone, Copy)]
struct Allowed {
    bytes: u64,
    /// Sectors of slot B, once they are on disk, from which on there is far less.
    squeezed_at: u64,
}

/// A device whose slots are disks of a virtual machine.
struct Capped<'a> {
    kernel: &'a Kernel,
    device: Device,
    coder: Coder,
}

impl Capped<'_> {
    /// Runs the agent in the machine; what it leaves is then the device's again.
    fn install(&self, allowed: Allowed) -> Ended {
        let place = tempfile::tempdir().unwrap();
        let data_disk = self.make_data_disk(&place);
        let initramfs = Initramfs::new(self.kernel);
        initramfs.libraries(&programs::folder().join("streembit-agent"));
        initramfs.file(Path::new(CERTIFICATES));
        let Allowed { bytes, squeezed_at } = allowed;
        let script = format!(
            "LIMIT={bytes}\nSQUEEZED={TOO_SMALL_BYTES}\nSQUEEZE_AT={squeezed_at}\n{SCRIPT}"
        );
        let guest = Machine::new(MACHINE_MIB)
            .kernel(self.kernel, &initramfs.pack(&script))
            .disk(&self.device.slot_path("a"))
            .disk(&self.device.slot_path("b"))
            .disk(&data_disk)
            .network()
            .start(PATIENCE);
        let ended = Ended::parse(guest.finish());
        self.take_data_back(&data_disk);
        ended
    }

    /// The agent, its configuration and its state on a disk.
    fn make_data_disk(&self, place: &TempDir) -> PathBuf {
        let (files, disk) = (place.path().join("files"), place.path().join("disk"));
        fs::create_dir(&files).unwrap();
        let agent = programs::folder().join("streembit-agent");
        fs::copy(agent, files.join("streembit-agent")).unwrap();
        fs::write(files.join("agent.toml"), self.config()).unwrap();
        let mut copying = Command::new("cp");
        copying
            .arg("-a")
            .arg(self.device.data(""))
            .arg(files.join("data"));
        assert!(copying.status().unwrap().success());
        let mut making = Command::new("mke2fs");
        making
            .args(["-q", "-t", "ext4", "-d"])
            .arg(files)
            .arg(&disk)
            .arg(DATA_DISK);
        let status = making.stdout(Stdio::null()).status();
        assert!(status.unwrap().success(), "mke2fs");
        disk
    }

    fn take_data_back(&self, disk: &Path) {
        let data = self.device.data("");
        fs::remove_dir_all(&data).unwrap();
        let parent = data.parent().unwrap().display();
        let mut reading = Command::new("debugfs");
        reading
            .args(["-R", &format!("rdump /data {parent}")])
            .arg(disk);
        // It says its version there.
        let status = reading.stderr(Stdio::null()).status();
        assert!(status.unwrap().success(), "debugfs");
    }

    /// The device's configuration with the machine's names of things; the delta is that of the coder.
    fn config(&self) -> String {
        let path = |path: &Path| path.to_str().unwrap().trim_end_matches('/').to_owned();
        let text = fs::read_to_string(self.device.config()).unwrap();
        let text = text
            .replace(&path(&self.device.data("")), "/mnt/data")
            .replace(&path(&self.device.slot_path("a")), "/dev/vda")
            .replace(&path(&self.device.slot_path("b")), "/dev/vdb")
            .replace("127.0.0.1", HOST);
        let choice = match self.coder {
            Coder::Mixing => "prefer = 'bytes'\n",
            Coder::Zstd => "mixing = false\n",
        };
        text + choice
    }
}

/// Makes the slots disks of one size, and the images what such disks hold.
fn as_disks(device: &Device, images: [Content; 3]) -> [Content; 3] {
    let files = images.iter().flat_map(Content::values);
    let longest = files.map(Vec::len).max().unwrap();
    let bytes = longest.next_multiple_of(SECTOR_BYTES);
    for name in ["a", "b"] {
        let slot = File::options().write(true).open(device.slot_path(name));
        slot.unwrap().set_len(bytes as u64).unwrap();
    }
    images.map(|mut content| {
        content.values_mut().for_each(|file| file.resize(bytes, 0));
        content
    })
}

/// A release of the made images, or of those that are named.
fn publish(coder: Coder, image_bytes: usize) -> Published {
    let [old, new] = match std::env::var(IMAGES) {
        Ok(names) => {
            let (old, new) = names
                .split_once(',')
                .expect("STREEMBIT_TEST_IMAGES=OLD,NEW");
            [old, new].map(|name| fs::read(name).unwrap_or_else(|error| panic!("{name}: {error}")))
        }
        Err(_) => images(coder, image_bytes),
    };
    Published::images([&old, &new])
}

impl Capped<'_> {
    /// Installs in the group of 32 MiB.
    fn assert_installs(&self, images: &[Content; 3], moment: &str) {
        let ended = self.install(Allowed {
            bytes: MEMORY_BYTES,
            squeezed_at: NEVER,
        });
        ended.tell(self.coder, moment);
        let is_installed = ended.exit == Exit::Reboot as u64 && ended.oom_kills == 0;
        assert!(is_installed, "{moment}: {}", ended.said);
        assert!(ended.group_bytes <= MEMORY_BYTES, "{moment}");
        assert_installed(&self.device, images, moment);
    }

    /// Is killed for want of memory.
    fn assert_killed(&self, allowed: Allowed, images: &[Content; 3], moment: &str) {
        let ended = self.install(allowed);
        ended.tell(self.coder, moment);
        let is_killed = ended.exit == KILLED && ended.oom_kills == 1;
        assert!(is_killed, "{moment}: {}", ended.said);
        assert_survived(&self.device, images, moment);
    }
}

/// In a group that is too small the agent is killed, also half-way; in 32 MiB it installs, and finishes what
/// was left half-done.
fn install(coder: Coder, image_bytes: usize) {
    let Some(kernel) = Kernel::find("no agent ran in a capped group") else {
        return;
    };
    if !Path::new(CERTIFICATES).exists() {
        eprintln!(
            "SKIPPED: no {CERTIFICATES} (package ca-certificates); no agent ran in a capped group"
        );
        return;
    }
    let published = publish(coder, image_bytes);
    let mirror = Mirror::start(&published.repository());
    let factory = Device::new(&published, &mirror.url());
    let images = as_disks(&factory, with_older_system(&factory, &published, Kind::Raw));
    let capped = |device| Capped {
        kernel: &kernel,
        device,
        coder,
    };
    capped(factory.twin(&mirror.url())).assert_installs(&images, "undisturbed");
    let asked = mirror.take_asked();
    let is_blob = |path: &&String| path.starts_with("/blobs/");
    let blobs: BTreeSet<&String> = asked.iter().filter(is_blob).collect();
    assert_eq!(blobs, [&published.delta_path_of(coder)].into());
    let capped = capped(factory);
    let too_small = Allowed {
        bytes: TOO_SMALL_BYTES,
        squeezed_at: NEVER,
    };
    capped.assert_killed(too_small, &images, "too small");
    let quarter = (images[1][Path::new("")].len() / SECTOR_BYTES / 4) as u64;
    let squeezed = Allowed {
        bytes: MEMORY_BYTES,
        squeezed_at: quarter,
    };
    capped.assert_killed(squeezed, &images, "squeezed");
    let half = capped.device.slot("b");
    assert!(half != images[1] && half != images[2], "not half-way");
    capped.assert_installs(&images, "after both");
}

#[test]
fn image_of_1_gib_is_installed_in_a_group_of_32_mib_q93() {
    let needed = [LARGE_MEMORY_KIB, LARGE_DISK_KIB];
    let folder = std::env::temp_dir();
    let is_short = room::is_short(needed, &folder, "the image has 96 MiB in place of 1 GiB");
    let bytes = if is_short {
        IMAGE_BYTES
    } else {
        LARGE_IMAGE_BYTES
    };
    install(Coder::Zstd, bytes);
}

#[test]
fn delta_by_mixing_is_installed_in_a_group_of_32_mib_q93() {
    install(Coder::Mixing, IMAGE_BYTES);
}
