//! What a device remembers of link and CPU for the next choice: no single odd update decides it.

use std::fs;

use crate::agent_repair::World;

/// Bytes per second that nothing reaches.
const OLD: u64 = 1 << 40;

/// A device on which link and CPU were wonders.
fn world() -> World {
    let world = World::new();
    let mut state = world.device.state();
    state.measured.link = Some(OLD);
    state.measured.mixing = Some(OLD);
    world.device.set_state(&state);
    world
}

#[test]
fn measured_speeds_move_half_way() {
    let half = OLD / 2..OLD * 3 / 4;
    let mixed = world();
    mixed.mirror.take_asked();
    assert_eq!(mixed.install().0, "delta");
    let asked = mixed.mirror.take_asked();
    assert!(asked.contains(&mixed.published.mixing_path()));
    let speed = mixed.device.state().measured.mixing.unwrap();
    assert!(half.contains(&speed), "{speed}");
    let fetched = world();
    fetched.modify_all();
    assert_eq!(fetched.install().0, "repack");
    let measured = fetched.device.state().measured;
    assert!(half.contains(&measured.link.unwrap()), "{measured:?}");
    assert_eq!(measured.mixing, Some(OLD), "nothing was mixed");
}

/// Most of the image was there: reading it is no measure of rebuilding it.
#[test]
fn what_was_there_is_not_measured() {
    let world = world();
    let image = &world.images[1];
    fs::write(world.device.slot_path("b"), &image[..image.len() / 2]).unwrap();
    assert_eq!(world.install().0, "delta");
    assert_eq!(world.device.state().measured.mixing, Some(OLD));
}
