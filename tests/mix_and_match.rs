//! Documents of different days put together (threats M15, M16).

use manifests::client::Reason;
use manifests::file_meta::FileMetaError;
use support::repository::{Part, Repository, assert_accepted, assert_refused};

/// M15: the snapshot of day 2 with targets or product of day 1, under the name of day 2, and the other
/// way round. Length or hash tell.
#[test]
fn rejects_targets_of_another_day_m15() {
    for part in [Part::Targets, Part::Product] {
        let first = Repository::new();
        let mut second = first.clone();
        second.release(part);
        for (shown, hidden) in [(&second, &first), (&first, &second)] {
            let device = shown.fresh_device();
            assert_accepted(&device, &shown.files());
            let mut files = shown.files();
            let name = shown.file_name(part);
            files.insert(name.clone(), hidden.draft(part).encode());
            let mut above = vec![Part::Timestamp, Part::Snapshot];
            if part == Part::Product {
                above.push(Part::Targets);
            }
            let after = shown.persisted(&device, &above);
            assert_refused((&device, &after), &files, &name, |found| {
                matches!(
                    found,
                    Reason::Content(FileMetaError::Hash { .. } | FileMetaError::Length { .. })
                        | Reason::TooLong { .. }
                )
            });
        }
    }
}

/// M15: the same where references are by version alone: the version inside tells.
#[test]
fn rejects_targets_of_another_version_m15() {
    for part in [Part::Targets, Part::Product] {
        let first = Repository::unhashed();
        let device = first.updated_device();
        let mut second = first.clone();
        second.release(part);
        assert_accepted(&device, &second.files());
        let mut files = second.files();
        let name = second.file_name(part);
        files.insert(name.clone(), first.draft(part).encode());
        let after = second.persisted(&device, &[Part::Timestamp, Part::Snapshot]);
        let reason = Reason::Version {
            expected: 2,
            actual: 1,
        };
        assert_refused((&device, &after), &files, &name, |found| *found == reason);
    }
}

/// M15: the timestamp of day 2 with the snapshot of day 1.
#[test]
fn rejects_snapshot_of_another_day_m15() {
    for hashes in [true, false] {
        let mut first = Repository::new();
        first.hashes = hashes;
        first.link();
        let device = first.updated_device();
        let mut second = first.clone();
        second.release(Part::Product);
        assert_accepted(&device, &second.files());
        let mut files = second.files();
        files.insert("2.snapshot.json".to_owned(), first.snapshot.encode());
        let after = second.persisted(&device, &[Part::Timestamp]);
        assert_refused((&device, &after), &files, "2.snapshot.json", |found| {
            let older = Reason::Version {
                expected: 2,
                actual: 1,
            };
            let other = matches!(found, Reason::Content(FileMetaError::Hash { .. }));
            if hashes { other } else { *found == older }
        });
    }
}

/// M15: a stored file is reused only if it is the one the new snapshot names: it is asked for again if
/// the hash differs, and refused as equivocation.
#[test]
fn rejects_stored_product_that_the_snapshot_does_not_name_m15() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Snapshot);
    assert_accepted(&device, &repository.files());
    repository.edit(Part::Product, |draft| draft.set(&["x-other"], "content"));
    let after = repository.persisted(&device, &[Part::Timestamp, Part::Snapshot]);
    let old = repository.files();
    assert_refused((&device, &after), &old, "1.cam.json", |found| {
        *found == Reason::Equivocation(1)
    });
    let mut files = repository.files();
    files.insert("1.cam.json".to_owned(), device.roles["cam"].clone());
    assert_refused((&device, &after), &files, "1.cam.json", |found| {
        matches!(found, Reason::Content(FileMetaError::Length { .. }))
    });
}

/// M16: a role that the trusted snapshot lists is not in the next one: product, targets, or one that this
/// device never reads.
#[test]
fn rejects_role_dropped_from_snapshot_m16() {
    for file in ["cam.json", "targets.json", "other.json"] {
        let mut repository = Repository::new();
        repository.edit(Part::Snapshot, |draft| {
            draft.set(&["meta", "other.json", "version"], 1);
        });
        let device = repository.updated_device();
        repository.release(Part::Snapshot);
        assert_accepted(&device, &repository.files());
        repository.edit(Part::Snapshot, |draft| draft.remove(&["meta", file]));
        let after = repository.persisted(&device, &[Part::Timestamp]);
        assert_refused(
            (&device, &after),
            &repository.files(),
            "2.snapshot.json",
            |found| *found == Reason::RoleDropped(file.to_owned()),
        );
    }
}

/// M16: a first snapshot without the product or the targets is of no use: not stored.
#[test]
fn rejects_first_snapshot_without_the_role_m16() {
    for file in ["cam.json", "targets.json"] {
        let mut repository = Repository::new();
        let device = repository.fresh_device();
        assert_accepted(&device, &repository.files());
        repository.edit(Part::Snapshot, |draft| draft.remove(&["meta", file]));
        let after = repository.persisted(&device, &[Part::Timestamp]);
        assert_refused(
            (&device, &after),
            &repository.files(),
            "snapshot.json",
            |found| *found == Reason::RoleDropped(file.to_owned()),
        );
    }
}

/// M16: targets that delegate nothing to the product any more. They are stored, being verified (TUF
/// 5.6.6), and the run ends.
#[test]
fn rejects_product_dropped_from_targets_m16() {
    let mut repository = Repository::new();
    let device = repository.updated_device();
    repository.release(Part::Targets);
    assert_accepted(&device, &repository.files());
    repository.edit(Part::Targets, |draft| draft.remove(&["delegations"]));
    let after = repository.persisted(&device, &[Part::Timestamp, Part::Snapshot, Part::Targets]);
    let reason = Reason::NotDelegated(support::repository::product());
    assert_refused(
        (&device, &after),
        &repository.files(),
        "targets.json",
        |found| *found == reason,
    );
}
