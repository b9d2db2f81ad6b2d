//! Tests of the decision over verified metadata (threats M26, M27, D41, S86).

use super::*;
use crate::sample::{image, name, pin, product, product_of, release};
use crate::state::Pending;

/// Decides for hardware `cam-r3` with raw slots.
fn decide_for(state: &State, running: u64, releases: &[Release]) -> Decision {
    let (pin, hardware) = (pin(), name("cam-r3"));
    let device = Device {
        pin: &pin,
        hardware: &hardware,
        slots: SlotKind::Raw,
        state,
        running,
    };
    decide(&device, &product(releases))
}

fn install(release: &Release) -> Decision {
    Decision::Install(Box::new(release.clone()))
}

#[test]
fn takes_the_highest_counter_whatever_the_order_and_the_version_text() {
    let mut newest = release(9);
    newest.version = "0.1".to_owned();
    let others = [release(1), release(8), release(3)];
    for position in 0..=others.len() {
        let mut releases = others.to_vec();
        releases.insert(position, newest.clone());
        let found = decide_for(&State::default(), 1, &releases);
        assert_eq!(found, install(&newest), "at {position}");
    }
}

#[test]
fn takes_any_release_when_what_runs_is_unknown() {
    let found = decide_for(&State::default(), 0, &[release(1)]);
    assert_eq!(found, install(&release(1)));
}

#[test]
fn nothing_is_newer_than_an_equal_counter_or_an_empty_list() {
    for floor in [0, 5] {
        let state = State {
            release_floor: floor,
            ..State::default()
        };
        assert_eq!(
            decide_for(&state, 5, &[release(4), release(5)]),
            Decision::UpToDate
        );
        assert_eq!(decide_for(&state, 5, &[]), Decision::UpToDate);
    }
    // Another image under the counter that runs is not installed either.
    let mut same = release(5);
    same.image.size = 7;
    assert_eq!(
        decide_for(&State::default(), 5, &[same]),
        Decision::UpToDate
    );
}

#[test]
fn refuses_release_for_other_hardware_m27() {
    for other in ["cam-r4", "cam-r", "cam-r33", "CAM-R3"] {
        let mut only = release(2);
        only.hardware = vec![name("cam-r2"), name(other)];
        let found = decide_for(&State::default(), 1, &[only]);
        let refusal = Refusal::Hardware {
            hardware: name("cam-r3"),
            offered: format!("cam-r2, {other}"),
        };
        assert!(refusal.to_string().contains("cam-r3"), "{refusal}");
        assert_eq!(found, Decision::Refuse(refusal));
    }
}

#[test]
fn takes_the_newest_release_that_fits_and_skips_newer_ones_for_other_hardware_m27() {
    let mut newer = release(9);
    newer.hardware = vec![name("cam-r4")];
    let found = decide_for(&State::default(), 1, &[newer, release(2)]);
    assert_eq!(found, install(&release(2)));
}

#[test]
fn ignores_releases_of_other_products_and_channels_m27() {
    let mut other_product = release(9);
    other_product.product = name("router");
    let mut other_channel = release(9);
    other_channel.channel = name("beta");
    let releases = [other_product, other_channel];
    assert_eq!(
        decide_for(&State::default(), 1, &releases),
        Decision::UpToDate
    );
    let with_ours = [&releases[..], &[release(2)]].concat();
    assert_eq!(
        decide_for(&State::default(), 1, &with_ours),
        install(&release(2))
    );
}

#[test]
fn ignores_targets_that_are_no_release() {
    let (pin, hardware, state) = (pin(), name("cam-r3"), State::default());
    let device = Device {
        pin: &pin,
        hardware: &hardware,
        slots: SlotKind::Raw,
        state: &state,
        running: 0,
    };
    assert_eq!(decide(&device, &product_of(&[None])), Decision::UpToDate);
}

#[test]
fn refuses_image_for_other_slots() {
    let mut archive = release(2);
    archive.format = ImageFormat::Tar;
    let found = decide_for(&State::default(), 1, &[archive.clone()]);
    let refusal = Refusal::Format {
        release: 2,
        format: "tar",
        slots: "raw",
    };
    assert_eq!(found, Decision::Refuse(refusal));
    let (pin, hardware, state) = (pin(), name("cam-r3"), State::default());
    let directories = Device {
        pin: &pin,
        hardware: &hardware,
        slots: SlotKind::Dir,
        state: &state,
        running: 1,
    };
    let found = decide(&directories, &product(std::slice::from_ref(&archive)));
    assert_eq!(found, install(&archive));
    assert!(matches!(
        decide(&directories, &product(&[release(2)])),
        Decision::Refuse(Refusal::Format { format: "raw", .. })
    ));
}

#[test]
fn refuses_release_below_what_ran_d41() {
    for (floor, running) in [(5, 0), (0, 5), (5, 2), (5, 5), (3, 5)] {
        let state = State {
            release_floor: floor,
            ..State::default()
        };
        let found = decide_for(&state, running, &[release(4), release(1)]);
        let refusal = Refusal::Older {
            floor: 5,
            offered: 4,
        };
        assert_eq!(found, Decision::Refuse(refusal), "{floor} {running}");
    }
    let state = State {
        release_floor: u64::MAX,
        ..State::default()
    };
    let found = decide_for(&state, 0, &[release(u64::MAX - 1)]);
    assert!(matches!(found, Decision::Refuse(Refusal::Older { .. })));
}

#[test]
fn refuses_release_below_the_security_floor_d41() {
    let mut newest = release(9);
    newest.security_version = 3;
    for (seen, pinned) in [(4, 0), (0, 4), (4, 4), (2, 4), (4, 2)] {
        let state = State {
            security_floor: seen,
            ..State::default()
        };
        let mut pin = pin();
        pin.min_security_version = pinned;
        let hardware = name("cam-r3");
        let device = Device {
            pin: &pin,
            hardware: &hardware,
            slots: SlotKind::Raw,
            state: &state,
            running: 1,
        };
        let found = decide(&device, &product(std::slice::from_ref(&newest)));
        let refusal = Refusal::Security {
            release: 9,
            offered: 3,
            floor: 4,
        };
        assert_eq!(found, Decision::Refuse(refusal), "{seen} {pinned}");
        newest.security_version = 4;
        let found = decide(&device, &product(std::slice::from_ref(&newest)));
        assert_eq!(found, install(&newest), "{seen} {pinned}");
        newest.security_version = 3;
    }
}

#[test]
fn failed_release_is_not_installed_again_but_its_successor_is_s86() {
    let mut state = State::default();
    state.fail(5);
    let found = decide_for(&state, 4, &[release(4), release(5)]);
    assert_eq!(found, Decision::Refuse(Refusal::Failed(5)));
    let found = decide_for(&state, 4, &[release(4), release(5), release(6)]);
    assert_eq!(found, install(&release(6)));
}

#[test]
fn installed_release_is_pending_until_it_proves_itself() {
    let state = State {
        pending: Some(Pending {
            bootname: "B".to_owned(),
            image: image(5, b"five"),
            from: None,
        }),
        ..State::default()
    };
    assert_eq!(decide_for(&state, 4, &[release(5)]), Decision::Pending);
    let found = decide_for(&state, 4, &[release(5), release(6)]);
    assert_eq!(found, install(&release(6)));
}

/// The exact names of hardware that a release fits are the only ones: no order, no prefix, no case.
#[test]
fn every_signed_field_counts_and_nothing_else_m26() {
    let base = decide_for(&State::default(), 1, &[release(2)]);
    assert_eq!(base, install(&release(2)));
    let changes: [fn(&mut Release); 5] = [
        |release| release.product = name("router"),
        |release| release.channel = name("beta"),
        |release| release.release = 1,
        |release| release.hardware = vec![name("cam-r9")],
        |release| release.format = ImageFormat::Tar,
    ];
    for change in changes {
        let mut changed = release(2);
        change(&mut changed);
        let found = decide_for(&State::default(), 1, &[changed]);
        assert!(!matches!(found, Decision::Install(_)), "{found:?}");
    }
}
