//! Who seals for whom, and which addresses are told.

use std::collections::BTreeSet;

use keys::Algorithm;

use super::*;

const NOW: u64 = 1_800_000_000;

fn key(number: u64) -> SigningKey {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_secret(Algorithm::P256, &secret).unwrap()
}

fn network(count: u64) -> Membership {
    let member = |number| Member {
        key: key(number).public(),
        name: "x".parse().unwrap(),
        agreement: AgreementKey::of_account(&key(number)).unwrap().public(),
    };
    let name = "home".parse().unwrap();
    let mut held = Membership::found(&key(0), name, [9; 16], member(0), NOW).unwrap();
    held.sign_members(&key(0), (0..count).map(member).collect(), NOW)
        .unwrap();
    held
}

#[test]
fn every_member_reads_those_before_it_and_itself() {
    for (count, readable) in [(1, 0), (3, 2), (64, 63), (100, 63)] {
        let held = network(count);
        for number in [0, count / 2, count - 1] {
            let own = key(number).public();
            let agreement = AgreementKey::of_account(&key(number)).unwrap().public();
            let before = before(&held, &own, NOW);
            assert_eq!(before.len(), readable, "{count}");
            for member in before {
                assert!(readers(&held, &member.key, NOW).contains(&agreement));
            }
            let readers = readers(&held, &own, NOW);
            assert!(readers.len() <= JWE_RECIPIENTS_MAX);
            assert_eq!(readers[0], agreement);
            assert_eq!(readers.iter().collect::<BTreeSet<_>>().len(), readers.len());
        }
    }
}

#[test]
fn addresses_of_a_member_end_in_its_own_peer_id_p60() {
    let other = "/ip4/198.51.100.7/tcp/1/p2p/QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51";
    let own = identity::peer_id(&key(1).public()).unwrap();
    let told = addresses_of(&key(1).public(), &[other.to_owned(), "junk".to_owned()]);
    assert_eq!(
        told,
        [format!("/ip4/198.51.100.7/tcp/1/p2p/{own}")
            .parse()
            .unwrap()]
    );
}
