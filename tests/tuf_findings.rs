//! What `streembit-tuf` does wrong: each test states the wanted behaviour and fails today, so each is
//! ignored until it is mended. `cargo test -p tests tuf_findings -- --ignored` shows them.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use manifests::delegations::Delegation;
use manifests::digest::Sha256;
use manifests::json::Json;
use support::graph::{Graph, TOP, edge, paths};
use support::programs::text;
use support::site::{Site, encode};

use crate::tuf_http::{FAR, PATH, Releases};

/// Roles are remembered for ever and read whole at every start: 31 roles of nearly 1 MiB, which are all
/// within the limits of one search, leave a folder that no later run can read.
#[test]
fn many_large_roles_do_not_lock_the_client_out_m19_m20() {
    let mut graph = Graph::unhashed();
    let filling = "x".repeat(1_045_000);
    for index in 0..31 {
        graph.delegate(TOP, edge(&format!("r{index}")));
        graph
            .role(&format!("r{index}"))
            .set(&["filling"], Json::from(filling.as_str()));
    }
    let more = "x".repeat(2_000_000);
    graph
        .base
        .snapshot
        .set(&["filling"], Json::from(more.as_str()));
    graph.publish("r30", "file", b"content");
    graph.expire(FAR);
    let site = Site::new();
    site.publish(&graph, &[("file", b"content")]);
    let client = site.client(&graph);
    client.succeed(client.download(&["file"]));
    let mut next = graph.clone();
    // A role that will never be asked for again counts too.
    next.release(&[]);
    next.publish(TOP, "file", b"content");
    site.publish(&next, &[("file", b"content")]);
    client.succeed(client.command(&["refresh"]));
}

/// The specification bounds no role's name, our limit is 256 bytes: a name that is legal must not make its
/// file impossible. Encoded, with `.json.tmp`, more than 246 bytes are too long for a file system.
#[test]
fn long_role_names_are_stored_m22() {
    for name in ["r".repeat(250), "é".repeat(60)] {
        let mut graph = Graph::new();
        graph.delegate(TOP, edge(&name));
        graph.publish(&name, "file", b"content");
        graph.expire(FAR);
        let site = Site::new();
        site.publish(&graph, &[("file", b"content")]);
        let client = site.client(&graph);
        client.succeed(client.download(&["file"]));
    }
}

/// The file name of a long or dotted path is part of it and its hash; that text is a path as well, which
/// another role may publish. Its file must not take the place of the first one.
#[test]
fn shortened_names_are_nobody_elses_m22() {
    let victim = ".profile";
    let attack = format!("profile-{}", Sha256::of(victim.as_bytes()));
    let mut graph = Graph::new();
    for (role, path, content) in [("a", victim, b"good"), ("b", attack.as_str(), b"evil")] {
        let scope = paths(&[path]);
        graph.delegate(
            TOP,
            Delegation {
                scope,
                ..edge(role)
            },
        );
        graph.publish(role, path, content);
    }
    graph.expire(FAR);
    let site = Site::new();
    site.publish(&graph, &[(victim, b"good"), (attack.as_str(), b"evil")]);
    let client = site.client(&graph);
    client.succeed(client.download(&[victim, attack.as_str()]));
    let files = client.targets();
    assert_eq!(files.len(), 2, "{:?}", files.keys());
}

/// A path's dot segments are resolved by the URL library: the request leaves the folder that was named.
#[test]
fn requests_stay_below_the_base_url_m22() {
    for (path, consistent) in [
        ("../outside", true),
        ("d/../../../outside", true),
        ("..", false),
    ] {
        let mut graph = Graph::new();
        for root in &mut graph.base.roots {
            root.set(&["consistent_snapshot"], Json::Bool(consistent));
        }
        graph.publish(TOP, path, b"content");
        graph.expire(FAR);
        let site = Site::new();
        site.publish(&graph, &[]);
        let client = site.client(&graph);
        client.fail(client.download(&[path]));
        let asked = site.mirror.take_asked();
        let inside = |url: &String| url.starts_with("/metadata/") || url.starts_with("/blobs/");
        assert!(asked.iter().all(inside), "{asked:?}");
    }
}

/// Two processes with metadata of their own and one target folder share the file beside the target. What
/// the second one is sent, before it is verified, goes into the file that the first has verified and put
/// in place.
#[test]
fn unverified_bytes_of_another_process_reach_no_verified_file_s88() {
    let releases = Releases::new();
    let (site, first) = releases.site();
    let second = site.twin(&first);
    let (begun, wait_for_begin) = channel();
    let (go_on, wait_for_first) = channel();
    let wait = Mutex::new(Some(wait_for_first));
    // The request that comes second is answered at once; the first, with other bytes, when that is done.
    site.mirror.tamper(move |asked, answer| {
        if asked.path.starts_with("/blobs/") {
            let wait = wait.lock().unwrap().take();
            if let Some(wait) = wait {
                begun.send(()).unwrap();
                let () = wait.recv().unwrap();
                answer.body.fill(b'!');
            }
        }
    });
    // The folder is shared by a link, as it might be by two configurations.
    std::fs::remove_dir_all(second.folder.join("targets")).unwrap();
    let shared = first.folder.join("targets");
    std::os::unix::fs::symlink(shared, second.folder.join("targets")).unwrap();
    let attacked = second.download(&[PATH]).spawn().unwrap();
    wait_for_begin.recv().unwrap();
    first.succeed(first.download(&[PATH]));
    let name = encode(PATH);
    assert!(first.targets()[&name] == releases.content[1], "verified");
    go_on.send(()).unwrap();
    let attacked = attacked.wait_with_output().unwrap();
    assert!(!attacked.status.success(), "{}", text(&attacked));
    assert!(
        first.targets()[&name] == releases.content[1],
        "overwritten after it was verified"
    );
}
