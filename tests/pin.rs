//! The pin of a device, and files that are validly signed but for somebody else (threats M27, M28).

use std::time::Duration;

use manifests::client::{Client, Reason, Stored};
use manifests::digest::Sha256;
use manifests::envelope::{ParseError, VerifyError};
use manifests::json::{self, Json, JsonError};
use manifests::limits;
use manifests::name::Name;
use manifests::pin::{Pin, PinError};
use support::repository::{
    Draft, Part, Repository, assert_accepted, assert_refused, key, members, now, product, replace,
    slot,
};

const WEEK: Duration = Duration::from_secs(604_800);

fn pin_of(root: &[u8]) -> Result<Pin, PinError> {
    Pin::new(root, product(), Name::parse("stable").unwrap(), WEEK)
}

fn good_pin() -> Pin {
    pin_of(&Repository::new().roots[0].encode()).unwrap()
}

/// The pin's file, changed as JSON.
fn changed(edit: impl FnOnce(&mut Json)) -> Result<Pin, PinError> {
    let mut document = json::parse(&good_pin().encode()).unwrap();
    edit(&mut document);
    Pin::parse(&json::encode(&document))
}

/// A pin for another root, consistent with itself.
fn pinned(edit: impl FnOnce(&mut Draft)) -> Result<Pin, PinError> {
    let mut root = Repository::new().roots[0].clone();
    edit(&mut root);
    let bytes = root.encode();
    let made = pin_of(&bytes);
    let read = changed(|document| {
        *slot(document, &["root"]) = Json::from(String::from_utf8(bytes.clone()).unwrap().as_str());
        *slot(document, &["publisher_id"]) = Json::from(Sha256::of(&bytes).to_string().as_str());
    });
    assert_eq!(made.is_ok(), read.is_ok(), "{made:?} {read:?}");
    read
}

/// The pin that all others here are changed from: it survives its own encoding, and a device starts with
/// it.
#[test]
fn accepts_the_pin_of_a_repository_m28() {
    let repository = Repository::new();
    let pin = good_pin();
    assert_eq!(Pin::parse(&pin.encode()).unwrap(), pin);
    assert_eq!(pin.publisher_id, Sha256::of(&repository.roots[0].encode()));
    assert_eq!(pin.account, key("p256-account").public());
    let device = Stored::from_pin(&pin);
    assert_eq!(device, repository.fresh_device());
    assert_accepted(&device, &repository.files());
    assert!(pinned(|_| {}).is_ok());
}

/// M28: nothing, and what is no pin.
#[test]
fn rejects_empty_pin_m28() {
    for bytes in [&b""[..], b" ", b"\0", b"null", b"[]", b"{}", b"\"\""] {
        assert!(
            matches!(Pin::parse(bytes), Err(PinError::Json(_))),
            "{bytes:?}"
        );
    }
    assert!(matches!(pin_of(b""), Err(PinError::Root(_))));
    assert!(matches!(pin_of(b"{}"), Err(PinError::Root(_))));
    let good = good_pin().encode();
    for length in 0..good.len() - 1 {
        assert!(
            matches!(Pin::parse(&good[..length]), Err(PinError::Json(_))),
            "{length}"
        );
    }
}

/// M28: a member removed, or of another type.
#[test]
fn rejects_pin_with_a_bad_member_m28() {
    let names = [
        "schema",
        "publisher_id",
        "account",
        "product",
        "channel",
        "min_security_version",
        "max_staleness_s",
        "root",
    ];
    for name in names {
        let removed = changed(|document| drop(members(document).remove(name)));
        assert!(matches!(removed, Err(PinError::Json(JsonError::Missing(found))) if found == name));
        for value in [
            Json::Null,
            Json::Bool(true),
            Json::Integer(-1),
            Json::Array(Vec::new()),
        ] {
            let odd = changed(|document| *slot(document, &[name]) = value);
            assert!(
                matches!(odd, Err(PinError::Json(JsonError::Type { .. }))),
                "{name}"
            );
        }
    }
    for (name, text) in [
        ("schema", "streembit-pin/2"),
        ("product", "../x"),
        ("channel", ""),
        ("publisher_id", "00"),
        ("account", "02"),
    ] {
        let odd = changed(|document| *slot(document, &[name]) = Json::from(text));
        assert!(
            matches!(odd, Err(PinError::Json(JsonError::Type { name: found, .. })) if found == name)
        );
    }
    let never = changed(|document| *slot(document, &["max_staleness_s"]) = Json::Integer(0));
    assert!(matches!(never, Err(PinError::Json(JsonError::Type { .. }))));
}

/// M28: one byte of the root changed, at every position: the publisher id no longer fits.
#[test]
fn rejects_pin_whose_root_was_tampered_with_m28() {
    let pin = good_pin();
    let root = String::from_utf8(pin.root.clone()).unwrap();
    let mut document = json::parse(&pin.encode()).unwrap();
    for position in 0..root.len() {
        let mut bytes = root.clone().into_bytes();
        bytes[position] ^= 1;
        let text = String::from_utf8(bytes).unwrap();
        *slot(&mut document, &["root"]) = Json::from(text.as_str());
        let refused = Pin::parse(&json::encode(&document));
        assert!(matches!(refused, Err(PinError::Mismatch)), "{position}");
    }
    *slot(&mut document, &["root"]) = Json::from(root.as_str());
    assert_eq!(Pin::parse(&json::encode(&document)).unwrap(), pin);
}

/// M28: the id of another publisher, or the same in upper case.
#[test]
fn rejects_pin_with_another_publisher_id_m28() {
    let other = Sha256::of(b"another root").to_string();
    let refused =
        changed(|document| *slot(document, &["publisher_id"]) = Json::from(other.as_str()));
    assert!(matches!(refused, Err(PinError::Mismatch)));
    let upper = good_pin().publisher_id.to_string().to_uppercase();
    let refused =
        changed(|document| *slot(document, &["publisher_id"]) = Json::from(upper.as_str()));
    assert!(matches!(
        refused,
        Err(PinError::Json(JsonError::Type { .. }))
    ));
}

/// M28: another account than the root names, or a root that names none.
#[test]
fn rejects_pin_with_another_account_m28() {
    let mallory = key("p256-mallory").public().to_hex();
    let refused = changed(|document| *slot(document, &["account"]) = Json::from(mallory.as_str()));
    assert!(
        matches!(refused, Err(PinError::Json(JsonError::Type { name, .. })) if name == "account")
    );
    let none = pinned(|root| root.remove(&["x-streembit-account"]));
    assert!(matches!(
        none,
        Err(PinError::Json(JsonError::Missing("x-streembit-account")))
    ));
    let odd = pinned(|root| root.set(&["x-streembit-account"], "02"));
    assert!(matches!(odd, Err(PinError::Root(ParseError::Json(_)))));
}

/// M28: a root that is not signed by its own threshold: by nobody, by too few, by others.
#[test]
fn rejects_pin_whose_root_is_not_self_signed_m28() {
    for (labels, valid) in [
        (&[][..], 0),
        (&["root-a"], 1),
        (&["mallory", "p256-mallory"], 0),
        (&["timestamp", "snapshot", "p256-targets"], 0),
    ] {
        let refused = pinned(|root| root.sign_with(labels));
        let Err(PinError::Unsigned(VerifyError::TooFewSignatures {
            valid: found,
            threshold: 2,
        })) = refused
        else {
            panic!("{refused:?}");
        };
        assert_eq!(found, valid);
    }
}

/// M28: a root without keys, or whose root role names none, is never "accept all".
#[test]
fn rejects_pin_without_keys_m28() {
    let no_keys = pinned(|root| {
        root.set(&["keys"], Json::object([]));
        root.sign_with(&[]);
    });
    assert!(matches!(no_keys, Err(PinError::Unsigned(_))), "{no_keys:?}");
    let no_ids = pinned(|root| root.set(&["roles", "root", "keyids"], Json::Array(Vec::new())));
    assert!(matches!(no_ids, Err(PinError::Unsigned(_))), "{no_ids:?}");
    for threshold in [0, -1] {
        let none =
            pinned(|root| root.set(&["roles", "root", "threshold"], Json::Integer(threshold)));
        assert!(matches!(none, Err(PinError::Root(_))), "{none:?}");
    }
}

/// M28: a later root than version 1, whose hash is nobody's publisher id, or a document of another role.
#[test]
fn rejects_pin_of_a_later_root_m28() {
    let later = pinned(|root| root.set(&["version"], 2));
    assert!(
        matches!(later, Err(PinError::Root(ParseError::Header(_)))),
        "{later:?}"
    );
    let timestamp = Repository::new().timestamp.encode();
    assert!(matches!(
        pin_of(&timestamp),
        Err(PinError::Root(ParseError::Header(_)))
    ));
}

/// M28: longer than a pin may be. The longest root that may be pinned gives a pin that can be read.
#[test]
fn rejects_endless_pin_m28() {
    let mut bytes = good_pin().encode();
    bytes.resize(usize::try_from(limits::PIN_BYTES_MAX).unwrap(), b'\n');
    assert_eq!(Pin::parse(&bytes).unwrap(), good_pin());
    bytes.push(b'\n');
    assert!(matches!(Pin::parse(&bytes), Err(PinError::TooLong)));

    let mut root = Repository::new().roots[0].encode();
    root.resize(usize::try_from(limits::ROOT_BYTES_MAX).unwrap(), b'\n');
    let longest = pin_of(&root).unwrap();
    assert_eq!(Pin::parse(&longest.encode()).unwrap(), longest);
    root.push(b'\n');
    assert!(matches!(pin_of(&root), Err(PinError::TooLong)));
}

/// M28: two members of one name in a pin.
#[test]
fn rejects_pin_with_two_roots_m28() {
    let mut bytes = good_pin().encode();
    replace(&mut bytes, "\"root\":", "\"root\": \"\", \"root\":");
    assert!(matches!(
        Pin::parse(&bytes),
        Err(PinError::Json(JsonError::Syntax(_)))
    ));
}

/// M27: another publisher's repository, valid in itself, is nothing to this device.
#[test]
fn rejects_repository_of_another_publisher_m27() {
    let repository = Repository::new();
    let device = repository.fresh_device();
    assert_accepted(&device, &repository.files());
    let mut foreign = Repository::new();
    for part in Part::ALL {
        let labels = match part {
            Part::Root | Part::Product => &["mallory", "p256-mallory"][..],
            Part::Timestamp | Part::Snapshot | Part::Targets => &["mallory"],
        };
        foreign.edit(part, |draft| draft.sign_with(labels));
    }
    assert_refused(
        (&device, &device),
        &foreign.files(),
        "timestamp.json",
        |found| {
            matches!(
                found,
                Reason::Untrusted(VerifyError::TooFewSignatures { valid: 0, .. })
            )
        },
    );
    foreign.next_root(|_| {});
    assert_refused(
        (&device, &device),
        &foreign.files(),
        "2.root.json",
        |found| {
            matches!(
                found,
                Reason::Untrusted(VerifyError::TooFewSignatures { valid: 0, .. })
            )
        },
    );
}

/// M27: a device of a product that the publisher does not delegate, or that the snapshot does not list.
#[test]
fn rejects_repository_without_the_product_m27() {
    let mut repository = Repository::new();
    let router = Name::parse("router").unwrap();
    let end = |repository: &Repository| {
        let files = repository.files();
        let mut client =
            Client::for_product(repository.fresh_device(), router.clone(), now()).unwrap();
        while let Some(request) = client.request() {
            if let Err(error) = client.respond(files.get(&request.name).map(Vec::as_slice)) {
                return error;
            }
        }
        client.finish().unwrap_err()
    };
    let error = end(&repository);
    assert_eq!(error.reason, Reason::RoleDropped("router.json".to_owned()));
    repository.edit(Part::Snapshot, |draft| {
        draft.set(&["meta", "router.json", "version"], 1)
    });
    let error = end(&repository);
    assert_eq!(error.reason, Reason::NotDelegated(router.clone()));
    assert_accepted(&repository.fresh_device(), &repository.files());
}
