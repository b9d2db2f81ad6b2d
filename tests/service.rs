//! A node as a service: what it tells who started it, how it ends, what its unit says.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::programs::{PATIENCE, command, json, repository_root};

/// What is told next.
fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let count = socket.recv(&mut buffer).expect("something is told in time");
    String::from_utf8_lossy(&buffer[..count]).trim().to_owned()
}

fn start(folder: &Path, socket: &Path) -> Child {
    let config = "mdns = false\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n";
    fs::write(folder.join("node.toml"), config).unwrap();
    json("streembit", &["account", "create", "pole"], folder);
    let mut node = command("streembit", folder);
    node.args(["run", "-v", "--config", "node.toml", "--log-format", "json"])
        .env("NOTIFY_SOCKET", socket)
        .stderr(Stdio::from(fs::File::create(folder.join("log")).unwrap()));
    node.spawn().unwrap()
}

#[test]
fn says_when_it_is_ready_and_stops_when_told_l97() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    for signal in ["TERM", "INT"] {
        drop(fs::remove_dir_all(folder.path().join("streembit-data")));
        let mut node = start(folder.path(), &path);
        assert_eq!(told(&socket), "READY=1");
        // Ready means that it answers.
        let status = json("streembit", &["status"], folder.path());
        assert!(status["peer_id"].is_string());
        let kill = Command::new("kill")
            .args(["-s", signal, &node.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(told(&socket), "STOPPING=1");
        assert_eq!(node.wait().unwrap().code(), Some(0), "SIG{signal}");
        assert!(!folder.path().join("streembit-data/control.sock").exists());
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        let notes = log.lines().filter(|line| !line.starts_with("node "));
        let lines: Vec<serde_json::Value> = notes
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        assert!(
            lines.iter().any(|line| line["message"] == "listening"),
            "{log}"
        );
    }
    socket
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    assert!(socket.recv(&mut [0; 8]).is_err(), "nothing else is told");
}

/// The unit names options that exist, and systemd understands it.
#[test]
fn the_unit_starts_what_there_is() {
    let unit = repository_root().join("dist/streembit.service");
    let text = fs::read_to_string(&unit).unwrap();
    let start = text
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/usr/bin/"));
    let mut words = start.unwrap().split_whitespace();
    assert_eq!(words.next(), Some("streembit"));
    let words: Vec<&str> = words.filter(|word| !word.starts_with('/')).collect();
    let folder = tempfile::tempdir().unwrap();
    let help = command("streembit", folder.path())
        .args(["run", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for option in words.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(option), "{option}");
    }
    let verify = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&unit)
        .output();
    let Ok(verify) = verify else {
        eprintln!("SKIPPED: there is no systemd-analyze here; the unit was not verified by it");
        return;
    };
    let said = String::from_utf8_lossy(&verify.stderr).into_owned();
    // The program and its user are not installed where tests run.
    let faults: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("streembit.service") && !line.contains("/usr/bin/streembit"))
        .collect();
    assert!(faults.is_empty(), "{said}");
}
