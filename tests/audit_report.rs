//! A publisher's history as a page: what it says is what was signed, it needs nothing else, and it shows what is wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use support::device::noise;
use support::logged::{Publisher, Witness};
use support::programs::{run, text};

fn release(publisher: &Publisher, version: &str) {
    let image = publisher.path(version);
    fs::write(&image, noise(version, 5000)).unwrap();
    let image = image.to_str().unwrap();
    publisher.ok(&["release", image, "--version", version, "--deltas", "0"]);
}

/// A command of several lines.
fn done(publisher: &Publisher, words: &[&str]) {
    let output = run("streembit-publisher", words, publisher.folder());
    assert!(output.status.success(), "{words:?}: {}", text(&output));
}

fn report(publisher: &Publisher) -> (Option<i32>, String) {
    let words = ["report", "public", "--pin", "cam.pin", "-o", "page.html"];
    let output = run("streembit-audit", &words, publisher.folder());
    let page = fs::read_to_string(publisher.path("page.html"));
    (output.status.code(), page.unwrap_or_else(|_| text(&output)))
}

/// The page as a browser has it after it was read; `None` without one.
fn in_chromium(page: &Path) -> Option<String> {
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu"]);
    chromium.args(["--disable-dev-shm-usage", "--timeout=20000", "--dump-dom"]);
    let output = chromium.arg(format!("file://{}", page.display())).output();
    let output = output.ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

#[test]
fn page_shows_log_witnesses_and_keys_over_time() {
    let publisher = Publisher::empty();
    let mut witness = Witness::new("w.example/1");
    let [url, _] = witness.start();
    witness.watch(&publisher.key);
    publisher.set_policy(&[("our-witness", &witness.key, &url)], "all");
    release(&publisher, "1.0.0");
    release(&publisher, "1.1.0");
    done(&publisher, &["yank", "1.0.0"]);
    done(
        &publisher,
        &["keys", "rotate", "timestamp", "--no-passcode"],
    );
    done(&publisher, &["sign"]);
    done(&publisher, &["publish"]);
    publisher.ok(&["pin", "-o", "cam.pin"]);
    publisher.ok(&["export", "public"]);
    let (exit, page) = report(&publisher);
    assert_eq!(exit, Some(0), "{page}");
    for shown in [
        "no alarm",
        "cam 1.0.0 is released",
        "cam 1.1.0 is released",
        "cam 1.0.0 is withdrawn",
        "role root, version 2",
        "<td>our-witness</td>",
        "A quorum cosigned it ",
        "<th title=\"expires ",
        ">v2<br>",
        "<svg ",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    // The key that was replaced counts in one version alone, the one that came in the other.
    let rows = page.split("<tr>").filter(|row| row.contains(">timestamp<"));
    let versions: Vec<usize> = rows.map(|row| row.find("<td></td>").unwrap()).collect();
    assert_eq!(versions.len(), 2, "{page}");
    for elsewhere in [
        "http:", "https:", "src=", "<script", "<link", "url(", "@import",
    ] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    match in_chromium(&publisher.path("page.html")) {
        Some(read) => assert!(read.contains("cam 1.0.0 is withdrawn"), "{read}"),
        None => eprintln!("SKIPPED: no chromium here, the page was not read by a browser"),
    }
}

#[test]
fn page_shows_what_is_hidden() {
    let publisher = Publisher::empty();
    release(&publisher, "1.0.0");
    publisher.ok(&["pin", "-o", "cam.pin"]);
    publisher.ok(&["export", "public"]);
    let preimages = fs::read_dir(publisher.path("public/log/preimages")).unwrap();
    let hidden = preimages.map(|entry| entry.unwrap().path()).find(|path| {
        String::from_utf8_lossy(&fs::read(path).unwrap()).contains("attestation/release")
    });
    fs::remove_file(hidden.unwrap()).unwrap();
    let (exit, page) = report(&publisher);
    assert_eq!(exit, Some(1), "{page}");
    assert!(
        page.contains("2 alarms") && page.contains("nobody shows of what"),
        "{page}"
    );
}
