//! Invitations: one line that can be read again, and nothing that isn't known.

use keys::{Algorithm, SigningKey};
use proptest::prelude::{prop_assert_eq, proptest};

use super::*;

fn invitation() -> Invitation {
    let founder = SigningKey::from_secret(Algorithm::P256, &[7; 32]).unwrap();
    let name = "home".parse().unwrap();
    Invitation {
        network: NetworkId::new(&founder.public(), &[1; 16], &name),
        name,
        founder: founder.public(),
        addresses: vec!["/ip4/192.0.2.1/tcp/4001/p2p/QmA".to_owned()],
        psk: Some(PresharedKey([0xab; PSK_BYTES])),
    }
}

#[test]
fn is_one_line_that_can_be_read_again() {
    let with_all = invitation();
    let text = with_all.to_string();
    assert!(text.starts_with("streembit:network/"), "{text}");
    assert!(text.contains("at=/ip4/192.0.2.1/tcp/4001"), "{text}");
    assert_eq!(format!(" {text}\n").parse(), Ok(with_all));
    let bare = Invitation {
        addresses: Vec::new(),
        psk: None,
        ..invitation()
    };
    assert_eq!(bare.to_string().parse(), Ok(bare));
}

#[test]
fn pre_shared_key_does_not_show_in_debug_k75() {
    let debug = format!("{:?}", invitation());
    assert!(!debug.contains("abab") && !debug.contains("171"), "{debug}");
}

#[test]
fn refuses_what_it_does_not_know() {
    let good = invitation().to_string();
    let (id, query) = good[SCHEME.len()..].split_once('?').unwrap();
    let founder = invitation().founder.to_hex();
    let many = "&at=/dns/example.com".repeat(INVITATION_ADDRESSES_MAX);
    let long = "&at=".to_owned() + &"x".repeat(ADDRESS_BYTES_MAX + 1);
    let of = |query: &str| format!("{SCHEME}{id}?{query}");
    for (text, error) in [
        ("https://example.com".to_owned(), InvitationError::Shape),
        (format!("{SCHEME}{id}"), InvitationError::Shape),
        (format!("{SCHEME}{}?{query}", &id[1..]), InvitationError::Id),
        (of(&format!("founder={founder}")), InvitationError::Name),
        (
            of(&format!("name=../x&founder={founder}")),
            InvitationError::Name,
        ),
        (
            of(&format!("name=%ff&founder={founder}")),
            InvitationError::Shape,
        ),
        (of("name=home"), InvitationError::Founder),
        (of("name=home&founder=02"), InvitationError::Founder),
        (
            of(&format!("name=home&founder={founder}&psk=AB")),
            InvitationError::Psk,
        ),
        (
            format!("{good}&psk={}", "00".repeat(32)),
            InvitationError::Parameter,
        ),
        (
            format!("{good}&founder={founder}"),
            InvitationError::Parameter,
        ),
        (format!("{good}&name=work"), InvitationError::Parameter),
        (format!("{good}&admin=1"), InvitationError::Parameter),
        (format!("{good}{many}"), InvitationError::Addresses),
        (format!("{good}{long}"), InvitationError::Addresses),
        (format!("{good}&at="), InvitationError::Addresses),
        (
            good.clone() + &"a".repeat(INVITATION_BYTES_MAX),
            InvitationError::Shape,
        ),
    ] {
        assert_eq!(text.parse::<Invitation>(), Err(error), "{text}");
    }
}

proptest! {
    #[test]
    fn reads_what_it_wrote(address in "[a-zé☎&=?%#/ +]{1,30}") {
        let invitation = Invitation { addresses: vec![address], ..invitation() };
        prop_assert_eq!(invitation.to_string().parse(), Ok(invitation));
    }

    #[test]
    fn nothing_makes_it_panic(text in "(streembit:network/)?[0-9a-f]{0,64}[?&=%a-z0-9]{0,80}") {
        drop(text.parse::<Invitation>());
    }
}
