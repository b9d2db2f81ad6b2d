//! Tests of `id`. The node id was computed by Python's hashlib.

use proptest::prelude::*;

use super::*;
use crate::signing::tests::{ed25519, p256};

const NODE_ID: &str = "0c793231042967a986ad7c83309020ba8635647201bcfbcf7bb10ed9048e6a6d";

#[test]
fn node_id_hashes_context_key_and_name() {
    let name = AccountName::parse("Zsófia").unwrap();
    let id = node_id(&p256().public(), &name).unwrap();
    assert_eq!(id.to_hex(), NODE_ID);
    assert_eq!(id.account_id(), NODE_ID[..40]);
    assert_eq!(NODE_ID.parse(), Ok(id));
    assert_eq!(NodeId::from_bytes(*id.as_bytes()), id);
    assert_eq!(
        format!("{id} {id:?}"),
        format!("{NODE_ID} NodeId({NODE_ID})")
    );
    assert_eq!(node_id(&ed25519().public(), &name), Err(KeyError::NotP256));
}

#[test]
fn node_id_depends_on_every_part() {
    let other = p256().public();
    let name = AccountName::parse("a").unwrap();
    let id = node_id(&other, &name);
    assert_ne!(id, node_id(&other, &AccountName::parse("b").unwrap()));
    assert_ne!(id, node_id(&other, &AccountName::parse("aa").unwrap()));
    let secret = [1; 32];
    let key = crate::SigningKey::from_secret(Algorithm::P256, &secret).unwrap();
    assert_ne!(id, node_id(&key.public(), &name));
}

#[test]
fn rejects_node_ids_of_another_form() {
    for text in [
        NODE_ID.to_uppercase(),
        NODE_ID[1..].to_owned(),
        format!("{NODE_ID} "),
        String::new(),
    ] {
        assert_eq!(
            text.parse::<NodeId>(),
            Err(IdError::MalformedNodeId),
            "{text:?}"
        );
        assert!(serde_json::from_value::<NodeId>(text.into()).is_err());
    }
}

#[test]
fn accepts_names_within_bounds() {
    for name in ["a", "Kovács Zsófia", "büro:3", "名前", &"x".repeat(64)] {
        assert_eq!(AccountName::parse(name).unwrap().as_str(), name);
    }
}

#[test]
fn rejects_names_out_of_bounds() {
    for (name, error) in [
        (String::new(), IdError::NameLength),
        ("x".repeat(65), IdError::NameLength),
        ("é".repeat(33), IdError::NameLength),
        ("a\0b".to_owned(), IdError::ControlCharacter),
        ("a\n".to_owned(), IdError::ControlCharacter),
        ("a\u{1b}[2J".to_owned(), IdError::ControlCharacter),
        ("a\u{85}b".to_owned(), IdError::ControlCharacter),
        (" a".to_owned(), IdError::SurroundingWhiteSpace),
        ("a\u{3000}".to_owned(), IdError::SurroundingWhiteSpace),
        (" ".to_owned(), IdError::SurroundingWhiteSpace),
    ] {
        assert_eq!(AccountName::parse(&name), Err(error), "{name:?}");
        assert!(serde_json::from_value::<AccountName>(name.into()).is_err());
    }
}

#[test]
fn ids_and_names_are_json_strings() {
    let id: NodeId = NODE_ID.parse().unwrap();
    let name: AccountName = "Ann".parse().unwrap();
    let text = serde_json::to_string(&(id, &name)).unwrap();
    assert_eq!(text, format!(r#"["{NODE_ID}","Ann"]"#));
    assert_eq!(
        serde_json::from_str::<(NodeId, AccountName)>(&text).unwrap(),
        (id, name)
    );
}

proptest! {
    #[test]
    fn parse_never_panics(text in any::<String>()) {
        prop_assert!(text.parse::<NodeId>().is_err());
        if let Ok(name) = text.parse::<AccountName>() {
            prop_assert_eq!(name.to_string(), text);
        }
    }
}
