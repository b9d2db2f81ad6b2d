//! Entries that come to a mirror: whole, in parts, cut off, wrong, and twice.

use std::io;

use axum::body::Bytes;
use futures::stream;
use tlog::mirror::{INFO_TYPE, Package, Upload};
use tlog::tree::Tree;

use super::*;
use crate::tiles::{Files, Growth};

/// A log on a disk, and its witness with a mirror.
struct Scene {
    folder: tempfile::TempDir,
    log: tempfile::TempDir,
    witness: Witness,
    size: u64,
}

fn entry(number: u64) -> Vec<u8> {
    format!("a {number}").into_bytes()
}

impl Scene {
    /// The witness has cosigned a log of so many entries; the mirror has none.
    async fn new(size: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = place(&folder);
        files
            .create_mirror("m.example/1", key(10).public())
            .unwrap();
        let log = tempfile::tempdir().unwrap();
        let mut growth = Growth::open(Files::new(log.path()), 0).unwrap();
        for number in 0..size {
            growth.push(&entry(number)).unwrap();
        }
        growth.settle().unwrap();
        let witness = Witness::new(files, key(9), Some(key(10))).unwrap();
        let answer = witness.add_checkpoint(request(size, "a", 1)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self {
            folder,
            log,
            witness,
            size,
        }
    }

    fn restart(self) -> Self {
        drop(self.witness);
        let witness = Witness::new(Place::of(self.folder.path()), key(9), Some(key(10)));
        Self {
            witness: witness.unwrap(),
            ..self
        }
    }

    /// An upload from `start` on.
    fn upload(&self, start: u64) -> Vec<u8> {
        let upload = Upload {
            origin: ORIGIN.to_owned(),
            start,
            end: self.size,
            ticket: Vec::new(),
        };
        let mut bytes = upload.encode().unwrap();
        for range in upload.packages() {
            let files = Files::new(self.log.path());
            let tree = Tree::new(&files, self.size);
            let proof = tree.subtree_proof(Package::bundle_start(&range), range.end);
            let package = Package {
                entries: range.map(entry).collect(),
                proof: proof.unwrap(),
            };
            bytes.extend(package.encode().unwrap());
        }
        bytes
    }

    async fn send(&self, bytes: &[u8]) -> (u16, String) {
        let pieces = bytes.chunks(1000);
        let pieces = pieces.map(|piece| io::Result::Ok(Bytes::copy_from_slice(piece)));
        let pieces: Vec<_> = pieces.collect();
        let answer = self.witness.add_entries(stream::iter(pieces)).await;
        if matches!(answer.status, 202 | 409) {
            assert_eq!(answer.kind, INFO_TYPE);
        }
        (answer.status, answer.body)
    }

    /// Whether an answer is the mirror's cosignature of all.
    fn is_cosigned(&self, (status, body): &(u16, String)) -> bool {
        let mut note = AddCheckpoint::parse(&request(self.size, "a", 1))
            .unwrap()
            .checkpoint;
        for line in note::parse_lines(body).unwrap() {
            note.add(line);
        }
        let mirror = Scheme::Cosignature(key(10).public());
        let mirror = VerifierKey::new("m.example/1", mirror).unwrap();
        *status == 200 && matches!(note.signed_by(&mirror), Some(Signed::At(_)))
    }
}

#[tokio::test]
async fn all_entries_are_held_before_anything_is_cosigned() {
    let scene = Scene::new(600).await;
    assert!(scene.is_cosigned(&scene.send(&scene.upload(0)).await));
    // Again: nothing is new, and it may be cosigned anew.
    assert!(scene.is_cosigned(&scene.send(&scene.upload(600)).await));
    let scene = scene.restart();
    assert!(scene.is_cosigned(&scene.send(&scene.upload(600)).await));
}

/// What came before the cut counts, a package at a time, also after a restart.
#[tokio::test]
async fn what_was_cut_off_goes_on_where_it_ended() {
    let scene = Scene::new(600).await;
    let whole = scene.upload(0);
    let package = |start: u64| whole.len() - scene.upload(start).len();
    assert_eq!(scene.send(&whole[..40]).await.0, 400);
    assert_eq!(scene.send(&whole[..package(256)]).await.0, 400);
    let head = scene.upload(600).len();
    let cut = head + package(512) + 3;
    assert_eq!(
        scene.send(&whole[..cut]).await,
        (202, "600\n512\n\n".to_owned())
    );
    let scene = scene.restart();
    // Too far ahead, too far back, and where nothing is known of the sizes.
    for (start, end) in [(600, 600), (255, 600), (0, 0), (512, 512)] {
        let mut bytes = scene.upload(start);
        let at = 2 + ORIGIN.len() + 8;
        bytes[at..at + 8].copy_from_slice(&u64::to_be_bytes(end));
        let answer = scene.send(&bytes).await;
        assert_eq!(answer, (409, "600\n512\n\n".to_owned()), "{start} {end}");
    }
    assert!(scene.is_cosigned(&scene.send(&scene.upload(512)).await));
}

/// A checkpoint with more entries in the middle of a bundle: those that are held are not sent again.
#[tokio::test]
async fn a_bundle_grows() {
    let scene = Scene::new(300).await;
    assert!(scene.is_cosigned(&scene.send(&scene.upload(0)).await));
    let Scene {
        folder,
        log,
        witness,
        ..
    } = scene;
    let mut growth = Growth::open(Files::new(log.path()), 300).unwrap();
    for number in 300..310 {
        growth.push(&entry(number)).unwrap();
    }
    growth.settle().unwrap();
    let mut more = AddCheckpoint::parse(&request(310, "a", 1)).unwrap();
    more.old_size = 300;
    more.proof = Tree::new(&Files::new(log.path()), 310)
        .consistency(300)
        .unwrap();
    let answer = witness.add_checkpoint(more.to_string().into_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let size = 310;
    let scene = Scene {
        folder,
        log,
        witness,
        size,
    };
    assert!(scene.is_cosigned(&scene.send(&scene.upload(300)).await));
    let scene = scene.restart();
    assert!(scene.is_cosigned(&scene.send(&scene.upload(256)).await));
}

#[tokio::test]
async fn entries_of_no_such_tree_are_not_kept() {
    let scene = Scene::new(300).await;
    let good = scene.upload(0);
    let head = scene.upload(300).len();
    let mut bad = good.clone();
    // A letter of the first entry.
    bad[head + 3] ^= 1;
    assert_eq!(scene.send(&bad).await.0, 422);
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(scene.send(&bad).await.0, 422);
    assert_eq!(
        scene.send(&scene.upload(300)).await,
        (409, "300\n0\n\n".to_owned())
    );
    let mut other = good.clone();
    other[2] = b'x';
    assert_eq!(scene.send(&other).await.0, 404);
    assert_eq!(scene.send(b"\xff\xff").await.0, 400);
    assert!(scene.is_cosigned(&scene.send(&good).await));
}

/// A mirror whose files are gone or changed cosigns nothing until they are back.
#[tokio::test]
async fn damaged_files_are_not_held() {
    let scene = Scene::new(300).await;
    assert!(scene.is_cosigned(&scene.send(&scene.upload(0)).await));
    let held = Place::of(scene.folder.path()).mirror_folder(&place::hash(ORIGIN));
    for name in [
        "tile/0/001.p/44",
        "tile/entries/001.p/44",
        "tree",
        "checkpoint",
    ] {
        let good = fs::read(held.join(name)).unwrap();
        fs::write(held.join(name), b"x").unwrap();
        assert_eq!(scene.send(&scene.upload(300)).await.0, 500, "{name}");
        fs::write(held.join(name), good).unwrap();
    }
    assert!(scene.is_cosigned(&scene.send(&scene.upload(300)).await));
}

/// Uploads that never end hold a few places, and none of those for checkpoints.
#[tokio::test]
async fn stalled_uploads_are_few() {
    let scene = Scene::new(3).await;
    let head = scene.upload(0)[..10].to_vec();
    let stalled: Vec<_> = (0..UPLOADS_MAX)
        .map(|_| {
            let (witness, head) = (scene.witness.clone(), head.clone());
            let (started, is_started) = tokio::sync::oneshot::channel();
            let mut started = Some(started);
            let first = stream::once(std::future::ready(Ok(Bytes::from(head))));
            let never = stream::poll_fn(move |_| {
                if let Some(started) = started.take() {
                    started.send(()).unwrap();
                }
                std::task::Poll::Pending
            });
            let pieces = Box::pin(futures::StreamExt::chain(first, never));
            let task = tokio::spawn(async move { witness.add_entries(pieces).await });
            (task, is_started)
        })
        .collect();
    let mut tasks = Vec::new();
    for (task, is_started) in stalled {
        is_started.await.unwrap();
        tasks.push(task);
    }
    assert_eq!(scene.send(&scene.upload(0)).await.0, 503);
    let shown = scene.witness.checkpoint(place::hash(ORIGIN)).await;
    assert_eq!(shown.status, 200);
    for task in tasks {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert!(scene.is_cosigned(&scene.send(&scene.upload(0)).await));
}

#[test]
fn paths_lead_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (place, hash) = (place(&folder), place::hash(ORIGIN));
    let file = |path: &str| super::super::mirror::file(&place, &hash, path);
    for good in [
        "checkpoint",
        "tile/0/000",
        "tile/entries/x001/234.p/5",
        "tile/7/x001/x002/003",
    ] {
        assert!(file(good).is_some(), "{good}");
    }
    let deep = format!("tile/0{}", "/x000".repeat(20));
    for bad in [
        "",
        "tree",
        "tile",
        "tile/",
        "tile/0",
        "tile//000",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/1234",
        "tile/a/000",
        "tile/0/.p",
        &deep,
    ] {
        assert!(file(bad).is_none(), "{bad}");
    }
    assert!(super::super::mirror::file(&place, "..", "checkpoint").is_none());
}
