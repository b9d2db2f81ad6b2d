//! Who keeps a place under a key that everybody wants, and who is named.

use std::collections::BTreeSet;

use super::*;

fn announce(providers: &mut Providers, peer: PeerId, now: u64) {
    let record = ProviderRecord::new(RecordKey::new(&[7; 32]), peer, Vec::new());
    providers.add(record, now).unwrap();
}

fn named(providers: &Providers, now: u64) -> Vec<PeerId> {
    let found = providers.of(&RecordKey::new(&[7; 32]), now);
    found.iter().map(|record| record.provider).collect()
}

#[test]
fn a_flood_of_names_drives_out_its_own_and_not_who_came_again_h63_h65() {
    let mut providers = Providers::new(PeerId::random());
    let honest = PeerId::random();
    announce(&mut providers, honest, 1000);
    announce(&mut providers, honest, 1001);
    for _ in 0..1000 {
        // Newer than the honest one, by far.
        announce(&mut providers, PeerId::random(), 2000);
        announce(&mut providers, PeerId::random(), 2000);
    }
    let found = named(&providers, 2000);
    assert_eq!(found.len(), PROVIDERS_PER_KEY_MAX);
    assert!(found.contains(&honest));
    let late = PeerId::random();
    announce(&mut providers, late, 2001);
    assert!(
        named(&providers, 2001).contains(&late),
        "newcomers get a place"
    );
}

#[test]
fn squatters_that_come_again_hold_half_of_the_places_h63() {
    let mut providers = Providers::new(PeerId::random());
    let squatters: Vec<PeerId> = (0..PROVIDERS_PER_KEY_MAX)
        .map(|_| PeerId::random())
        .collect();
    for now in [1000, 1001] {
        squatters
            .iter()
            .for_each(|peer| announce(&mut providers, *peer, now));
    }
    let late: Vec<PeerId> = (0..PROVIDERS_PER_KEY_MAX)
        .map(|_| PeerId::random())
        .collect();
    late.iter()
        .for_each(|peer| announce(&mut providers, *peer, 1002));
    let found = named(&providers, 1002);
    let kept = found.iter().filter(|peer| squatters.contains(peer)).count();
    assert_eq!(kept, PROVIDERS_SETTLED_MAX);
}

#[test]
fn an_answer_of_20_names_others_each_time_and_this_node_first_h63() {
    let local = PeerId::random();
    let mut providers = Providers::new(local);
    (0..PROVIDERS_PER_KEY_MAX - 1).for_each(|_| announce(&mut providers, PeerId::random(), 1000));
    announce(&mut providers, local, 1000);
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let found = named(&providers, 1000);
        assert_eq!(found[0], local);
        seen.extend(found.into_iter().take(20).map(|peer| peer.to_bytes()));
    }
    assert_eq!(
        seen.len(),
        PROVIDERS_PER_KEY_MAX,
        "nobody is hidden for good"
    );
}
