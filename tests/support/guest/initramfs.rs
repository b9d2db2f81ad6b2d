//! What a virtual machine starts with: busybox, programs of the host with their libraries, kernel modules for
//! disks and network, and a script. Packed by `cpio` as the kernel reads it (newc).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{BUSYBOX, HOST, Kernel};

/// Modules in the order in which they load; what a kernel has built in is passed over.
const MODULES: &[&str] = &[
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "failover",
    "net_failover",
    "virtio_net",
];

/// Files of a machine's first root.
#[derive(Debug)]
pub struct Initramfs {
    folder: TempDir,
}

impl Initramfs {
    /// With busybox and modules.
    pub fn new(kernel: &Kernel) -> Self {
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["bin", "dev", "mnt", "proc", "sys", "tmp"] {
            fs::create_dir_all(made.root().join(folder)).unwrap();
        }
        made.copy(Path::new(BUSYBOX), "bin/busybox");
        for module in MODULES {
            if let Some(file) = find(&kernel.modules, &format!("{module}.ko")) {
                made.copy(&file, &format!("modules/{module}.ko"));
            }
        }
        made
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Adds what a program of the host links, where the program looks for it.
    pub fn libraries(&self, program: &Path) {
        let output = Command::new("ldd").arg(program).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
        paths.for_each(|path| self.file(Path::new(path)));
    }

    /// Adds a file of the host under its own name.
    pub fn file(&self, path: &Path) {
        self.copy(path, path.to_str().unwrap().trim_start_matches('/'));
    }

    /// Adds a program of the host, to `/bin`.
    pub fn program(&self, program: &Path) {
        let name = program.file_name().unwrap().to_str().unwrap();
        self.copy(program, &format!("bin/{name}"));
        self.libraries(program);
    }

    fn copy(&self, from: &Path, to: &str) {
        let to = self.root().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }

    /// Packs it into a file that lives as long as this. The machine runs `script` by busybox's shell, with `/proc`, `/sys`
    /// and `/dev` mounted and its network up if it has one, and is switched off at the script's end.
    pub fn pack(&self, script: &str) -> PathBuf {
        let loading: String = MODULES
            .iter()
            .map(|module| format!("modules/{module}.ko"))
            .filter(|file| self.root().join(file).exists())
            .map(|file| format!("insmod /{file}\n"))
            .collect();
        let init = format!(
            "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nexport PATH=/bin\n\
             mount -t proc none /proc\nmount -t sysfs none /sys\nmount -t devtmpfs none /dev\n\
             {loading}ip link set lo up\n\
             if [ -e /sys/class/net/eth0 ]; then\n\
             ip address add 10.0.2.15/24 dev eth0\nip link set eth0 up\n\
             ip route add default via {HOST}\nfi\n\
             sh /script\nsync\npoweroff -f\n"
        );
        fs::write(self.root().join("script"), script).unwrap();
        let path = self.root().join("init");
        fs::write(&path, init).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let archive = self.folder.path().join("cpio");
        let line = "find . | cpio --quiet -o -H newc -R 0:0";
        let mut packing = Command::new("sh");
        packing
            .args(["-c", line])
            .current_dir(self.root())
            .stdout(fs::File::create(&archive).unwrap())
            .stdin(Stdio::null());
        assert!(packing.status().unwrap().success(), "{line}");
        archive
    }
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.find_map(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => find(&entry.path(), name),
        _ => (entry.file_name() == name).then(|| entry.path()),
    })
}
