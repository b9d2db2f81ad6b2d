//! Tests of `agent.toml` (threats L98, S87): every refusal names the member.

use std::fs;

use super::*;

const GOOD: &str = "
[system]
compatible = 'cam-r3'
data-directory = '/var/lib/streembit'
boot-attempts = 3

[slot.rootfs.0]
device = '/dev/a'
type = 'raw'
bootname = 'A'

[slot.rootfs.1]
device = '/dev/b'
type = 'raw'
bootname = 'B'

[streaming]
peers = true
mirrors = ['https://one.example/fw/', 'http://127.0.0.1:8000']
patience = '90s'

[handlers]
health-timeout = '30s'
";

#[track_caller]
fn assert_refused(text: &str, member: &str) {
    let error = Config::parse(text).unwrap_err();
    assert_eq!(error.exit, Exit::Usage, "{error}");
    let shown = error.to_string();
    assert!(shown.contains(member), "{shown:?} does not name {member}");
}

/// [`GOOD`] with `from`, which must be there once or more, replaced by `to` where it comes first.
#[track_caller]
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn streaming_policy_is_read_and_checked() {
    use crate::plan::Prefer;
    let policy = Config::parse(GOOD).unwrap().streaming;
    assert_eq!(
        (policy.prefer, policy.prefer_on_battery),
        (Prefer::Time, Prefer::Time)
    );
    assert_eq!((policy.min_battery, policy.mixing), (0, true));
    assert_eq!((policy.link_speed, policy.mixing_speed), (None, None));
    let with = |members: &str| changed("peers = true", members);
    let text = "prefer = 'bytes'\nprefer-on-battery = 'cpu'\nmin-battery = 30\nmixing = false
        link-speed = '64 kbit/s'\nmixing-speed = '3 MB/s'";
    let policy = Config::parse(&with(text)).unwrap().streaming;
    assert_eq!(
        (policy.prefer, policy.prefer_on_battery),
        (Prefer::Bytes, Prefer::Cpu)
    );
    assert_eq!((policy.min_battery, policy.mixing), (30, false));
    assert_eq!(
        (policy.link_speed, policy.mixing_speed),
        (Some(8000), Some(3_000_000))
    );
    let policy = Config::parse(&with("prefer = 'bytes'")).unwrap().streaming;
    assert_eq!(policy.prefer_on_battery, Prefer::Bytes);
    assert_refused(&with("min-battery = 101"), "streaming.min-battery");
    assert_refused(&with("link-speed = '5'"), "streaming.link-speed");
    assert_refused(&with("mixing-speed = '0 MB/s'"), "streaming.mixing-speed");
    assert_refused(&with("prefer = 'speed'"), "prefer");
}

#[test]
fn reads_a_good_file_and_fills_in_the_rest() {
    let config = Config::parse(GOOD).unwrap();
    assert_eq!(config.hardware.as_str(), "cam-r3");
    assert_eq!(config.boot_attempts, 3);
    assert_eq!(config.slots[0].name, "rootfs.0");
    assert_eq!(config.slots[1].bootname, "B");
    assert_eq!(
        config.mirrors,
        ["https://one.example/fw", "http://127.0.0.1:8000"]
    );
    assert_eq!(config.patience, Duration::from_secs(90));
    assert_eq!(config.health_timeout, Duration::from_secs(30));
    assert_eq!(config.polling_interval, Duration::from_secs(3600));
    assert_eq!(config.node.data_directory, config.data_directory);
    assert_eq!(
        config.node.mode,
        Mode::Leaf,
        "a device stores nothing for others"
    );
    assert!(config.peers && config.pin.is_none() && config.health.is_none());
}

#[test]
fn refuses_unknown_members_l98() {
    for (from, to, member) in [
        ("[system]", "[system]\nboot-atempts = 2", "boot-atempts"),
        ("[system]", "[system]\nBoot-Attempts = 2", "Boot-Attempts"),
        (
            "[system]",
            "[system]\ndata_directory = '/x'",
            "data_directory",
        ),
        ("[streaming]", "[streaming]\nmirror = 'https://x'", "mirror"),
        ("[handlers]", "[handlers]\nhealt = '/bin/true'", "healt"),
        (
            "[slot.rootfs.0]",
            "[slot.rootfs.0]\nreadonly = true",
            "readonly",
        ),
        (
            "[handlers]",
            "[polling]\nintervall = '1h'\n[handlers]",
            "intervall",
        ),
        ("[handlers]", "[network]\nseed = true\n[handlers]", "seed"),
        ("[handlers]", "[keyring]\nuse = 'x'\n[handlers]", "use"),
        ("[handlers]", "[handler]", "handler"),
        ("[system]", "typo = 1\n[system]", "typo"),
    ] {
        assert_refused(&changed(from, to), member);
    }
}

#[test]
fn refuses_typos_in_values_l98() {
    for (from, to, member) in [
        ("peers = true", "peers = 'true'", "peers"),
        ("peers = true", "peers = True", "peers"),
        ("peers = true", "peers = yes", "peers"),
        ("peers = true", "peers = 1", "peers"),
        ("type = 'raw'", "type = 'Raw'", "type"),
        ("type = 'raw'", "type = 'block'", "type"),
        ("boot-attempts = 3", "boot-attempts = '3'", "boot-attempts"),
        ("boot-attempts = 3", "boot-attempts = 3.0", "boot-attempts"),
        ("'90s'", "'90'", "streaming.patience"),
        ("'90s'", "'90 parsecs'", "streaming.patience"),
        ("'90s'", "90", "patience"),
        ("'30s'", "'soon'", "handlers.health-timeout"),
        ("'cam-r3'", "'cam r3'", "system.compatible"),
        ("'cam-r3'", "''", "system.compatible"),
        ("'cam-r3'", "'../cam'", "system.compatible"),
    ] {
        assert_refused(&changed(from, to), member);
    }
}

#[test]
fn refuses_duplicates_l98() {
    for (from, to, member) in [
        (
            "boot-attempts = 3",
            "boot-attempts = 3\nboot-attempts = 4",
            "boot-attempts",
        ),
        ("[streaming]", "[system]\n[streaming]", "system"),
        ("[slot.rootfs.1]", "[slot.rootfs.0]", "rootfs"),
        ("peers = true", "peers = true\npeers = false", "peers"),
    ] {
        assert_refused(&changed(from, to), member);
    }
}

#[test]
fn refuses_missing_members_l98() {
    for (line, member) in [
        ("compatible = 'cam-r3'", "compatible"),
        ("data-directory = '/var/lib/streembit'", "data-directory"),
        ("device = '/dev/a'", "device"),
        ("type = 'raw'", "type"),
        ("bootname = 'A'", "bootname"),
    ] {
        assert_refused(&changed(line, ""), member);
    }
    for text in ["", "[system]", "\u{feff}nonsense", "= 1"] {
        assert_refused(text, "");
    }
}

#[test]
fn refuses_values_out_of_range_l98() {
    for attempts in ["0", "11", "-1", "4294967296", "99999999999999999999"] {
        let text = changed("boot-attempts = 3", &format!("boot-attempts = {attempts}"));
        assert_refused(&text, "boot-attempts");
    }
    for attempts in 1..=10 {
        let text = changed("boot-attempts = 3", &format!("boot-attempts = {attempts}"));
        assert_eq!(Config::parse(&text).unwrap().boot_attempts, attempts);
    }
    for long in [
        "0s",
        "2y",
        "366d",
        "99999999999y",
        "500000000000y",
        "18446744073709551615s",
    ] {
        let quoted = format!("'{long}'");
        assert_refused(&changed("'90s'", &quoted), "streaming.patience");
        assert_refused(&changed("'30s'", &quoted), "handlers.health-timeout");
        let polling = format!("[polling]\ninterval = {quoted}\n[handlers]");
        assert_refused(&changed("[handlers]", &polling), "polling.interval");
    }
    Config::parse(&changed("'90s'", "'1y'")).unwrap();
}

#[test]
fn refuses_other_boot_loaders_than_are_supported_l98() {
    let text = changed("[system]", "[system]\nbootloader = 'grub'");
    assert_refused(&text, "system.bootloader");
    Config::parse(&changed("[system]", "[system]\nbootloader = 'file'")).unwrap();
}

#[test]
fn refuses_mirrors_that_are_no_url_l98() {
    for url in [
        "",
        "ftp://one.example",
        "file:///srv",
        "one.example/fw",
        "httpx://one.example",
        "https:one.example",
        "https://",
        "https://one.example/fw?key=1",
        "https://one.example/fw#part",
        "https://one.example:99999/",
        "https://one example/",
    ] {
        let text = changed("https://one.example/fw/", url);
        assert_refused(&text, "streaming.mirrors");
    }
}

#[test]
fn refuses_slots_on_one_device_or_of_one_name_s87() {
    for (from, to) in [
        ("'/dev/b'", "'/dev/a'"),
        ("'/dev/b'", "'/dev//a'"),
        ("'/dev/b'", "'/dev/./a/'"),
        ("'B'", "'A'"),
    ] {
        assert_refused(&changed(from, to), "share a device or a bootname");
    }
    assert_refused(&changed("type = 'raw'", "type = 'dir'"), "different types");
    for (from, to) in [("'B'", "''"), ("'/dev/b'", "''"), ("'/dev/b'", "'/'")] {
        assert_refused(&changed(from, to), "slot");
    }
}

#[test]
fn refuses_other_numbers_of_slots_than_two_s87() {
    let third = "[slot.rootfs.2]\ndevice = '/dev/c'\ntype = 'raw'\nbootname = 'C'\n[handlers]";
    assert_refused(&changed("[handlers]", third), "exactly two slots");
    let other = third.replace("rootfs.2", "data.0");
    assert_refused(&changed("[handlers]", &other), "exactly two slots");
    let one = GOOD.split("[slot.rootfs.1]").next().unwrap();
    assert_refused(one, "exactly two slots");
    assert_refused(
        &format!("{}[slot]", one.split("[slot").next().unwrap()),
        "two slots",
    );
}

/// An installation clears `<slot>.new` and `<slot>.old`: the other slot must not lie there.
#[test]
fn refuses_directory_slots_that_an_installation_would_remove_s87() {
    let directories = GOOD.replace("'raw'", "'dir'");
    for (a, b) in [
        ("/srv/a", "/srv/a.old"),
        ("/srv/a.new", "/srv/a"),
        ("/srv/a", "/srv/a.old/root"),
        ("/srv/a", "/srv/a/b"),
        ("/srv/a/b/c", "/srv/a"),
    ] {
        let text = directories.replace("/dev/a", a).replace("/dev/b", b);
        assert_refused(&text, "slot");
    }
    for (a, b) in [("/srv/a", "/srv/ab"), ("/srv/a", "/srv/b.old")] {
        let text = directories.replace("/dev/a", a).replace("/dev/b", b);
        Config::parse(&text).unwrap();
    }
}

#[test]
fn refuses_file_that_is_missing_oversized_or_no_text_and_names_it_l98() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let refused = |rule: &str| {
        let error = Config::load(&path).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.to_string().contains("agent.toml"), "{error}");
        assert!(error.to_string().contains(rule), "{error}");
    };
    refused("No such file");
    fs::write(&path, "#".repeat(64 * 1024 + 1)).unwrap();
    refused("longer than");
    fs::write(&path, b"[system]\ncompatible = '\xff'").unwrap();
    refused("utf-8");
    fs::write(&path, changed("boot-attempts = 3", "boot-atempts = 3")).unwrap();
    refused("boot-atempts");
    fs::write(&path, GOOD).unwrap();
    Config::load(&path).unwrap();
}
