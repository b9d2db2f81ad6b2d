//! A small virtual machine with a kernel of its own, for what no test may do to the machine it runs on. QEMU
//! without KVM: slow, and it needs no rights. Owns the emulator and what the machine says on its console; what
//! it starts with is [`initramfs`]'s.

pub mod initramfs;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::programs::repository_root;

/// Where a machine with a network finds the host's 127.0.0.1.
pub const HOST: &str = "10.0.2.2";
/// A statically linked busybox, the guest's programs.
const BUSYBOX: &str = "/bin/busybox";
const EMULATOR: &str = "qemu-system-x86_64";
/// What a folder and the kernel's package in it are called, below the repository.
const KERNELS: &str = "target/guest";
/// Console lines that are meant for the test start so.
const MARK: &str = "@@ ";
/// Lines of the console that are shown when a machine fails.
const SHOWN_LINES: usize = 40;

/// A kernel package of Debian, unpacked.
#[derive(Debug)]
pub struct Kernel {
    image: PathBuf,
    modules: PathBuf,
}

impl Kernel {
    /// Finds the kernel and the programs that machines need. `None`, and a line that says what was not
    /// tried, if something is missing.
    pub fn find(what: &str) -> Option<Self> {
        let folder = repository_root().join(KERNELS);
        let kernel = first_in(&folder.join("boot"), "vmlinuz-");
        let modules = first_in(&folder.join("lib/modules"), "");
        let missing = match (&kernel, &modules) {
            _ if !cfg!(target_arch = "x86_64") => Some("a machine of the architecture x86-64"),
            _ if !runs(EMULATOR, "--version") => Some("package qemu-system-x86"),
            _ if !runs("cpio", "--version") => Some("package cpio"),
            _ if !runs("mke2fs", "-V") => Some("package e2fsprogs"),
            _ if runs("ldd", BUSYBOX) || !Path::new(BUSYBOX).exists() => {
                Some("package busybox-static")
            }
            (Some(_), Some(_)) => None,
            _ => Some("a kernel package, unpacked into target/guest as .ci/run does it"),
        };
        if let Some(missing) = missing {
            eprintln!("SKIPPED: {what}; a virtual machine needs {missing}");
            return None;
        }
        Some(Self {
            image: kernel?,
            modules: modules?,
        })
    }
}

/// The first entry by name that starts so.
fn first_in(folder: &Path, start: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(start)
        })
        .min()
}

fn runs(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A machine that is being put together.
#[derive(Debug)]
pub struct Machine(Command);

impl Machine {
    /// One processor and so much memory; it starts from its first disk unless it gets a kernel.
    pub fn new(memory_mib: u32) -> Self {
        let mut command = Command::new(EMULATOR);
        command
            .args([
                "-accel", "tcg", "-machine", "pc", "-cpu", "qemu64", "-smp", "1",
            ])
            .args(["-m", &memory_mib.to_string()])
            .args([
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-serial",
                "stdio",
            ]);
        Self(command)
    }

    /// Starts a kernel without a boot loader, with what [`initramfs::Initramfs::pack`] made.
    pub fn kernel(mut self, kernel: &Kernel, initramfs: &Path) -> Self {
        // Messages of the kernel would get into the lines of the test.
        let arguments = "console=ttyS0 loglevel=1 panic=-1";
        self.0.arg("-kernel").arg(&kernel.image);
        self.0.arg("-initrd").arg(initramfs);
        self.0.args(["-append", arguments, "-no-reboot"]);
        self
    }

    /// Adds a disk: a file of whole sectors. The first is `/dev/vda`, the second `/dev/vdb`.
    pub fn disk(mut self, file: &Path) -> Self {
        let file = file.to_str().unwrap();
        let drive = format!("file={file},format=raw,if=virtio,cache=writeback");
        self.0.args(["-drive", &drive]);
        self
    }

    /// Adds a network on which the host is [`HOST`].
    pub fn network(mut self) -> Self {
        self.0.args(["-netdev", "user,id=net"]);
        self.0
            .args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        self
    }

    /// Switches it on, for so long at most.
    pub fn start(mut self, patience: Duration) -> Guest {
        let streams = self.0.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut emulator = streams.spawn().unwrap();
        let mut console = BufReader::new(emulator.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            while console
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send(text).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Guest {
            emulator,
            lines,
            console: Vec::new(),
            deadline: Instant::now() + patience,
        }
    }
}

/// A machine that is on; killed when dropped.
#[derive(Debug)]
pub struct Guest {
    emulator: Child,
    lines: Receiver<String>,
    console: Vec<String>,
    deadline: Instant,
}

impl Guest {
    /// Waits for the next line that is marked with `@@`; `None` once the machine is off.
    pub fn next_line(&mut self) -> Option<String> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let marked = line.split_once(MARK).map(|(_, rest)| rest.to_owned());
                    self.console.push(line);
                    if marked.is_some() {
                        return marked;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("not in time: {}", self.console()),
            }
        }
    }

    /// Waits until the machine is off; returns the marked lines that are left.
    pub fn finish(mut self) -> Vec<String> {
        let lines = std::iter::from_fn(|| self.next_line()).collect();
        let status = self.emulator.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.console());
        lines
    }

    /// The end of what the console said.
    pub fn console(&self) -> String {
        let from = self.console.len().saturating_sub(SHOWN_LINES);
        self.console[from..].join("\n")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        drop(self.emulator.kill());
        drop(self.emulator.wait());
    }
}
