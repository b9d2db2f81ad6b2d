//! What the figures were measured on.

use std::fs;
use std::process::Command;

use super::process;
use super::tool::{HDiff, Programs};

/// Processor, system and the programs that say their version, a line each.
pub(super) fn describe(programs: &Programs) -> Vec<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let cores = cpu.lines().filter(|line| line.starts_with("processor"));
    let mut facts = vec![
        format!(
            "Processor: {}, {} cores",
            field(&cpu, "model name").unwrap_or(std::env::consts::ARCH),
            cores.count()
        ),
        format!(
            "System: {}",
            field(&system, "PRETTY_NAME").unwrap_or("unknown")
        ),
    ];
    let packages = ["bsdiff", "xdelta3", "zstd", "rdiff", "e2fsprogs"];
    let mut ask = Command::new("dpkg-query");
    ask.args(["-W", "-f", "${Package} ${Version}\n"])
        .args(packages);
    if let Ok(versions) = process::output(&mut ask) {
        let versions: Vec<&str> = versions.lines().collect();
        facts.push(format!("Packages: {}", versions.join(", ")));
    }
    facts.push(match &programs.hdiff {
        HDiff::Missing => "hdiffz: bytes from the reference".to_owned(),
        HDiff::Program(_) => "hdiffz: `-m -SD -c-zstd-21-24`, the program".to_owned(),
        HDiff::Python(_) => "hdiffz: the Python module hdiffpatch, zstd level 22, window 24, \
             without the interpreter's start"
            .to_owned(),
    });
    facts
}

/// The value of the first line `name: value` or `name="value"`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value = line.trim_start_matches([' ', '\t', ':', '=']);
    Some(value.trim_matches('"'))
}
