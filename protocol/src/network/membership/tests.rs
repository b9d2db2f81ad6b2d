//! What is taken as charter and member list, and what is not: forged, foreign, replayed, oversized.

use std::time::Duration;

use keys::{AccountName, AgreementKey, Algorithm};
use serde_json::{Value, json};

use super::*;
use crate::jose::jws::{Claims, TimeError};
use crate::limits::{
    CHARTER_BYTES_MAX, MEMBERS_BYTES_MAX, NETWORK_ADMINS_MAX, NETWORK_LIFE_MAX, NETWORK_MEMBERS_MAX,
};

const NOW: u64 = 1_800_000_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_secret(Algorithm::P256, &[seed; 32]).unwrap()
}

fn account_name(seed: u8) -> AccountName {
    format!("account {seed}").parse().unwrap()
}

fn member(seed: u8) -> Member {
    Member {
        key: key(seed).public(),
        name: account_name(seed),
        agreement: AgreementKey::of_account(&key(seed)).unwrap().public(),
    }
}

fn admin(seed: u8) -> Admin {
    Admin {
        key: key(seed).public(),
        name: account_name(seed),
    }
}

/// A network founded by account 1, with these members.
fn network(members: &[u8]) -> Membership {
    let name = "home".parse().unwrap();
    let mut network = Membership::found(&key(1), name, [9; 16], member(1), NOW).unwrap();
    let members = members.iter().copied().map(member).collect();
    network.sign_members(&key(1), members, NOW).unwrap();
    network
}

/// The same network with account 2 as second admin.
fn network_of_two_admins() -> Membership {
    let mut network = network(&[1, 2, 3]);
    let members = network.members(NOW).to_vec();
    let admins = vec![admin(1), admin(2)];
    network.sign_charter(&key(1), admins, members, NOW).unwrap();
    network
}

fn tokens(network: &Membership) -> Vec<String> {
    network.tokens().map(str::to_owned).collect()
}

/// What a newcomer holds.
fn invited(network: &Membership) -> Membership {
    let founder = network.founder().clone();
    Membership::invited(network.network(), network.name().clone(), founder)
}

/// A token with other claims than the one given, signed by `signer`.
fn forge(token: &str, signer: u8, change: impl FnOnce(&mut Claims<Value>)) -> String {
    let typ = jws::peek_typ(token.as_bytes()).unwrap();
    let (mut claims, _) = jws::verify(token.as_bytes(), &typ, MEMBERS_BYTES_MAX).unwrap();
    change(&mut claims);
    jws::sign(&key(signer), &typ, claims).unwrap()
}

#[test]
fn newcomer_takes_charter_and_list_and_knows_who_is_in() {
    let network = network(&[1, 2]);
    let mut newcomer = invited(&network);
    assert!(newcomer.is_member(&key(1).public(), NOW), "the founder");
    assert!(!newcomer.is_member(&key(2).public(), NOW));
    for token in tokens(&network) {
        assert_eq!(newcomer.adopt(&token, NOW), Ok(true));
        assert_eq!(newcomer.adopt(&token, NOW), Ok(false), "once");
    }
    assert_eq!(newcomer, network);
    assert!(newcomer.is_member(&key(2).public(), NOW));
    assert!(!newcomer.is_member(&key(3).public(), NOW));
    assert_eq!(newcomer.keys(NOW).len(), 2);
    assert_eq!(newcomer.sequences(), (Some(1), Some(2)));
    let stored = serde_json::to_string(&newcomer).unwrap();
    assert_eq!(
        serde_json::from_str::<Membership>(&stored).unwrap(),
        newcomer
    );
}

#[test]
fn list_without_its_charter_is_refused() {
    let network = network(&[1, 2]);
    let list = &tokens(&network)[1];
    let refused = invited(&network).adopt(list, NOW);
    assert_eq!(refused, Err(MembershipError::NoCharter));
}

#[test]
fn forged_tokens_are_refused() {
    let network = network(&[1, 2]);
    for token in tokens(&network) {
        let (message, _) = token.rsplit_once('.').unwrap();
        let signature = tokens(&network_of_two_admins())[0]
            .rsplit_once('.')
            .unwrap()
            .1
            .to_owned();
        let swapped = format!("{message}.{signature}");
        assert!(network.clone().adopt(&swapped, NOW).is_err());
        for cut in [0, 1, token.len() / 2, token.len() - 1] {
            assert!(network.clone().adopt(&token[..cut], NOW).is_err());
        }
    }
    assert!(network.clone().adopt("", NOW).is_err());
    let other = jws::sign(&key(1), "streembit-account", claims()).unwrap();
    assert!(matches!(
        network.clone().adopt(&other, NOW),
        Err(MembershipError::Kind(_))
    ));
}

fn claims() -> Claims<Value> {
    Claims {
        iss: String::new(),
        sub: String::new(),
        aud: String::new(),
        iat: NOW,
        exp: NOW + 1,
        jti: "1".to_owned(),
        data: json!({}),
    }
}

#[test]
fn charter_of_another_founder_is_another_network() {
    let network = network(&[1, 2]);
    let [charter, _] = tokens(&network).try_into().unwrap();
    // Signed by another: the id no longer follows.
    let forged = forge(&charter, 2, |claims| claims.data["seq"] = json!(2));
    assert!(network.clone().adopt(&forged, NOW).is_err());
    // A network of its own under the same name and nonce.
    let other = Membership::found(&key(2), "home".parse().unwrap(), [9; 16], member(2), NOW);
    let other = other.unwrap();
    for token in tokens(&other) {
        assert!(network.clone().adopt(&token, NOW).is_err());
    }
    // An invitation that names another founder than the id: nothing is taken for it.
    let mut misled =
        Membership::invited(network.network(), network.name().clone(), key(2).public());
    assert_eq!(
        misled.adopt(&charter, NOW),
        Err(MembershipError::OtherNetwork)
    );
}

#[test]
fn list_of_who_is_no_admin_is_refused() {
    let network = network(&[1, 2, 3]);
    let [_, list] = tokens(&network).try_into().unwrap();
    let forged = forge(&list, 2, |claims| {
        claims.data["seq"] = json!(7);
        claims.jti = "7".to_owned();
    });
    assert_eq!(
        network.clone().adopt(&forged, NOW),
        Err(MembershipError::NotAdmin)
    );
    let mut member_signs = network.clone();
    let refused = member_signs.sign_members(&key(2), vec![member(2)], NOW);
    assert_eq!(refused, Err(MembershipError::NotAdmin));
    let refused = member_signs.sign_charter(&key(2), vec![admin(2)], Vec::new(), NOW);
    assert_eq!(refused, Err(MembershipError::NotFounder));
    assert_eq!(member_signs, network);
}

#[test]
fn older_sequence_and_replay_change_nothing_p56() {
    let mut network = network(&[1, 2]);
    let older = tokens(&network);
    let members = vec![member(1)];
    network.sign_members(&key(1), members, NOW).unwrap();
    let newest = network.clone();
    for token in &older {
        assert_eq!(network.adopt(token, NOW), Ok(false));
    }
    assert_eq!(network, newest);
    // A new charter, then the old one and its list again.
    network
        .sign_charter(&key(1), vec![admin(1)], vec![member(1), member(3)], NOW)
        .unwrap();
    let renewed = network.clone();
    assert_eq!(network.adopt(&older[0], NOW), Ok(false));
    assert_eq!(
        network.adopt(&older[1], NOW),
        Err(MembershipError::OtherCharter)
    );
    assert_eq!(network, renewed);
}

#[test]
fn removed_admins_lists_are_void_whatever_their_sequence() {
    let mut network = network_of_two_admins();
    // The admin that is to go signs the highest sequence there is, with whom it likes.
    let [_, list] = tokens(&network).try_into().unwrap();
    let poison = forge(&list, 2, |claims| {
        claims.data["seq"] = json!(u64::MAX);
        claims.jti = u64::MAX.to_string();
    });
    assert_eq!(
        network.adopt(&poison, NOW),
        Ok(true),
        "it is an admin still"
    );
    let stuck = network.sign_members(&key(1), vec![member(1)], NOW);
    assert_eq!(stuck, Err(MembershipError::Exhausted));
    network
        .sign_charter(&key(1), vec![admin(1)], vec![member(1), member(3)], NOW)
        .unwrap();
    assert!(!network.is_member(&key(2).public(), NOW));
    assert_eq!(network.adopt(&poison, NOW), Err(MembershipError::NotAdmin));
    let mut late = invited(&network);
    late.adopt(&tokens(&network)[0], NOW).unwrap();
    assert_eq!(late.adopt(&poison, NOW), Err(MembershipError::NotAdmin));
}

#[test]
fn two_admins_at_once_converge() {
    let common = network_of_two_admins();
    let (mut one, mut two) = (common.clone(), common);
    one.sign_members(&key(1), vec![member(1), member(2)], NOW)
        .unwrap();
    two.sign_members(&key(2), vec![member(1), member(2), member(4)], NOW)
        .unwrap();
    let (from_one, from_two) = (tokens(&one), tokens(&two));
    for token in from_two {
        one.adopt(&token, NOW).unwrap();
    }
    for token in from_one {
        two.adopt(&token, NOW).unwrap();
    }
    assert_eq!(one, two);
    assert_eq!(one.sequences(), (Some(2), Some(2)));
    // Another signature of the same claims is no other list.
    let [_, list] = tokens(&one).try_into().unwrap();
    let signer = if one.members(NOW).len() == 2 { 1 } else { 2 };
    assert_eq!(one.adopt(&forge(&list, signer, |_| {}), NOW), Ok(false));
}

#[test]
fn expired_list_leaves_admins_and_expired_charter_the_founder() {
    let mut network = network_of_two_admins();
    let later = NOW + DAY.as_secs();
    network
        .sign_members(&key(2), vec![member(2), member(3)], later)
        .unwrap();
    let charter_ends = NOW + NETWORK_LIFE_MAX.as_secs();
    assert_eq!(network.expires(), Some(charter_ends));
    for (seed, at, is_in) in [
        (3, charter_ends - 1, true),
        (2, charter_ends, true),
        (1, charter_ends, true),
        (3, charter_ends + DAY.as_secs(), false),
        (2, charter_ends + DAY.as_secs(), false),
        (1, charter_ends + DAY.as_secs(), true),
    ] {
        assert_eq!(
            network.is_member(&key(seed).public(), at),
            is_in,
            "{seed} at {at}"
        );
    }
    let expired = tokens(&network);
    let mut newcomer = invited(&network);
    let refused = newcomer.adopt(&expired[0], charter_ends);
    let expected = CharterError::Time(TimeError::Expired(charter_ends));
    assert_eq!(refused, Err(MembershipError::Charter(expected)));
}

#[test]
fn tokens_that_live_too_long_or_come_from_the_future_are_refused() {
    let network = network(&[1, 2]);
    let newer = |claims: &mut Claims<Value>| {
        claims.data["seq"] = json!(9);
        claims.jti = "9".to_owned();
    };
    for token in tokens(&network) {
        let too_long = forge(&token, 1, |claims| {
            newer(claims);
            claims.exp += 1;
        });
        let future = forge(&token, 1, |claims| {
            newer(claims);
            claims.iat += 3600;
            claims.exp += 3600;
        });
        for forged in [too_long, future] {
            assert!(network.clone().adopt(&forged, NOW).is_err());
        }
        let fine = forge(&token, 1, newer);
        assert_eq!(network.clone().adopt(&fine, NOW), Ok(true));
    }
}

#[test]
fn unknown_and_missing_members_are_refused() {
    let network = network(&[1, 2]);
    type Change = fn(&mut Claims<Value>);
    let changes: [Change; 6] = [
        |claims| claims.data["extra"] = json!(1),
        |claims| drop(claims.data.as_object_mut().unwrap().remove("seq")),
        |claims| claims.aud = "dht".to_owned(),
        |claims| claims.jti = "01".to_owned(),
        |claims| claims.sub = "00".repeat(32),
        |claims| {
            for list in ["members", "admins"] {
                if let Some(all) = claims.data.get_mut(list) {
                    all[0]["role"] = json!("king");
                }
            }
        },
    ];
    for token in tokens(&network) {
        for change in changes {
            let forged = forge(&token, 1, |claims| {
                claims.data["seq"] = json!(9);
                claims.jti = "9".to_owned();
                change(claims);
            });
            assert!(network.clone().adopt(&forged, NOW).is_err());
        }
    }
    for name in ["extra", "version"] {
        let mut stored = serde_json::to_value(&network).unwrap();
        stored[name] = json!(1);
        assert!(serde_json::from_value::<Membership>(stored).is_err());
    }
}

#[test]
fn stored_tokens_are_verified_again() {
    let network = network(&[1, 2]);
    let other = Membership::found(&key(2), "home".parse().unwrap(), [9; 16], member(2), NOW);
    let other = serde_json::to_value(other.unwrap()).unwrap();
    for part in ["network", "founder", "charter", "members"] {
        let mut stored = serde_json::to_value(&network).unwrap();
        stored[part] = other[part].clone();
        assert!(
            serde_json::from_value::<Membership>(stored).is_err(),
            "{part}"
        );
    }
}

#[test]
fn malformed_lists_of_people_are_refused() {
    let network = network(&[1, 2]);
    let [charter, list] = tokens(&network).try_into().unwrap();
    let with = |token: &str, part: &'static str, all: Vec<Value>| {
        forge(token, 1, |claims| {
            claims.data["seq"] = json!(9);
            claims.jti = "9".to_owned();
            claims.data[part] = json!(all);
        })
    };
    let (_, list_now) = network.list.clone().unwrap();
    let sorted = list_now.roll.members.iter().map(
        |member| json!({"key": member.key.to_hex(), "name": "x", "agreement": member.agreement}),
    );
    let sorted: Vec<Value> = sorted.collect();
    let twice = vec![sorted[0].clone(), sorted[0].clone()];
    let backwards: Vec<Value> = sorted.iter().rev().cloned().collect();
    for all in [Vec::new(), twice, backwards] {
        let refused = network.clone().adopt(&with(&list, "members", all), NOW);
        assert_eq!(
            refused,
            Err(MembershipError::Members(MembersError::Members))
        );
    }
    let one = |seed: u8| json!({"key": key(seed).public().to_hex(), "name": "x"});
    let crowd = (1..=NETWORK_ADMINS_MAX + 1).map(|seed| one(u8::try_from(seed).unwrap()));
    for all in [
        Vec::new(),
        vec![one(2)],
        vec![one(1), one(1)],
        vec![one(2), one(1)],
        crowd.collect(),
    ] {
        let refused = network.clone().adopt(&with(&charter, "admins", all), NOW);
        assert_eq!(refused, Err(MembershipError::Charter(CharterError::Admins)));
    }
}

/// As many members as there may be, with names that take the most bytes in JSON.
fn crowd(count: usize) -> Vec<Member> {
    let longest = "\"".repeat(keys::id::ACCOUNT_NAME_BYTES_MAX);
    let member = |index: usize| {
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&u64::try_from(index + 1).unwrap().to_be_bytes());
        let key = SigningKey::from_secret(Algorithm::P256, &secret).unwrap();
        Member {
            key: key.public(),
            name: longest.parse().unwrap(),
            agreement: member(1).agreement,
        }
    };
    (0..count).map(member).collect()
}

#[test]
fn largest_list_and_charter_fit_and_larger_ones_are_refused() {
    let mut network = network(&[1]);
    let mut all = crowd(NETWORK_MEMBERS_MAX);
    network.sign_members(&key(1), all.clone(), NOW).unwrap();
    let list = tokens(&network)[1].clone();
    assert!(list.len() <= MEMBERS_BYTES_MAX, "{}", list.len());
    assert!(list.len() > MEMBERS_BYTES_MAX * 3 / 4, "{}", list.len());
    all.push(member(1));
    let refused = network.sign_members(&key(1), all.clone(), NOW);
    assert_eq!(
        refused,
        Err(MembershipError::Members(MembersError::Members))
    );

    let name = "\"".repeat(keys::id::ACCOUNT_NAME_BYTES_MAX);
    let mut admins = vec![admin(1)];
    admins.extend(all.iter().take(NETWORK_ADMINS_MAX - 1).map(|member| Admin {
        key: member.key.clone(),
        name: name.parse().unwrap(),
    }));
    network
        .sign_charter(&key(1), admins, vec![member(1)], NOW)
        .unwrap();
    assert!(tokens(&network)[0].len() <= CHARTER_BYTES_MAX);
    let long = forge(&tokens(&network)[0], 1, |claims| {
        claims.data["seq"] = json!(9);
        claims.jti = " ".repeat(CHARTER_BYTES_MAX);
    });
    let refused = network.adopt(&long, NOW);
    assert_eq!(
        refused,
        Err(MembershipError::Charter(CharterError::Jws(JwsError::Shape)))
    );
}
