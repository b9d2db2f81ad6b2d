//! Products: all at once, those that are not there, and a device that holds nothing but its pin.

use std::time::Duration;

use super::*;
use crate::digest::Blake3;
use crate::pin::Pin;
use crate::release::{Content, ImageFormat, Release};

/// Runs the client of a publisher over the files.
fn all_products(files: &Files) -> Result<Repository, ClientError> {
    let client = Client::for_all_products(fresh(files), UtcTime::from_unix(NOW)).unwrap();
    run(
        client,
        |request| Ok(files.get(&request.name).cloned()),
        |_| Ok(()),
    )
}

#[test]
fn all_products_are_read_by_their_names() {
    let repository = all_products(&files(FIRST)).unwrap();
    assert_eq!(repository.products.keys().collect::<Vec<_>>(), ["cam"]);
    assert!(repository.product(&name("cam")).is_ok());
    let missing = repository.product(&name("router")).unwrap_err();
    assert_eq!(missing.reason, Reason::NotDelegated(name("router")));
}

#[test]
fn product_that_is_missing_is_an_error_for_all() {
    let mut files = files(FIRST);
    files.remove("1.cam.json");
    let error = all_products(&files).unwrap_err();
    assert_eq!(
        (error.file.as_str(), error.reason),
        ("1.cam.json", Reason::Absent)
    );
}

/// The first files with other targets or another product, and what names them signed anew.
fn changed(targets: Option<&Targets>, product: Option<&Targets>) -> Files {
    let mut files = files(FIRST);
    let mut replace = |file: &str, role: Option<&Targets>, signer: &str| {
        if let Some(role) = role {
            let bytes = author::sign(role.to_signed(), &[&key(signer)]);
            files.insert(file.to_owned(), bytes);
        }
        FileMeta::of(1, &files[file])
    };
    let meta = [
        ("cam.json".to_owned(), replace("1.cam.json", product, "cam")),
        (
            "targets.json".to_owned(),
            replace("1.targets.json", targets, "targets"),
        ),
    ];
    let snapshot = Snapshot::new(header(1), meta.into());
    let snapshot = author::sign(snapshot.to_signed(), &[&key("snapshot")]);
    let timestamp = Timestamp::new(header(1), FileMeta::of(1, &snapshot));
    let timestamp = author::sign(timestamp.to_signed(), &[&key("timestamp")]);
    files.insert("1.snapshot.json".to_owned(), snapshot);
    files.insert("timestamp.json".to_owned(), timestamp);
    files
}

/// The first files with other delegations.
fn with_delegations(delegations: Delegations) -> Files {
    let targets = Targets::new(header(1), BTreeMap::new(), delegations);
    changed(Some(&targets), None)
}

#[test]
fn product_without_a_delegation_is_told() {
    let files = with_delegations(Delegations::default());
    let client = Client::for_product(fresh(&files), name("cam"), UtcTime::from_unix(NOW)).unwrap();
    let read = |request: &Request| Ok(files.get(&request.name).cloned());
    let error: ClientError = run(client, read, |_| Ok(())).unwrap_err();
    assert_eq!(error.reason, Reason::NotDelegated(name("cam")));
    assert!(all_products(&files).unwrap().products.is_empty());
}

#[test]
fn hash_bins_are_no_products() {
    let bins = crate::delegations::SuccinctRoles::new(authority("cam"), 4, "bin").unwrap();
    let files = with_delegations(Delegations::Succinct(bins));
    assert_eq!(all_products(&files).unwrap_err().reason, Reason::Bins);
}

#[test]
fn releases_are_the_targets_that_say_so() {
    let release = Release {
        product: name("cam"),
        channel: name("stable"),
        version: "1.0".to_owned(),
        release: 7,
        security_version: 1,
        hardware: vec![name("cam-a")],
        format: ImageFormat::Raw,
        image: Content {
            blake3: Blake3::new([7; 32]),
            size: 5,
        },
        deltas: Vec::new(),
    };
    let target = |release: Option<&Release>| ProductTarget {
        length: 5,
        sha256: Sha256::of(b"image"),
        release: release.cloned(),
    };
    let image = ("cam-image".to_owned(), target(Some(&release)).to_target());
    let notes = ("cam-notes".to_owned(), target(None).to_target());
    let role = Targets::new(header(1), [image, notes].into(), Delegations::default());
    let repository = all_products(&changed(None, Some(&role))).unwrap();
    let product = repository.product(&name("cam")).unwrap();
    assert_eq!(product.targets().len(), 2);
    assert_eq!(product.releases().collect::<Vec<_>>(), [&release]);
}

#[test]
fn device_starts_with_the_root_of_its_pin() {
    let files = files(FIRST);
    let root = files["1.root.json"].clone();
    let pin = Pin {
        publisher_id: Sha256::of(&root),
        account: key("account").public(),
        product: name("cam"),
        channel: name("stable"),
        min_security_version: 1,
        max_staleness: Duration::from_secs(86400),
        requirements: crate::pin::requirements::Requirements::default(),
        root,
    };
    let mut stored = Stored::from_pin(&pin);
    assert_eq!(stored, fresh(&files));
    let (_, _, repository) = follow(&mut stored, &files);
    assert!(repository.product(&name("cam")).is_ok());
}
