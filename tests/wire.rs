//! The table of record kinds in `docs/wire.md` is the one in the code.

use protocol::dht::record::RULES;
use support::programs::repository_root;

#[test]
fn kinds_of_records_are_those_of_the_document() {
    let document = std::fs::read_to_string(repository_root().join("docs/wire.md")).unwrap();
    let rows = RULES.map(|rule| {
        format!(
            "| `{}` | `{}` | {} | {} | {} | {} | {} | {} |",
            rule.typ,
            rule.key.replace("||", "‖"),
            rule.signer,
            rule.bytes_max,
            rule.life_max.as_secs(),
            rule.merge,
            rule.tombstone,
            rule.per_signer_max,
        )
    });
    let table = document
        .lines()
        .filter(|line| line.starts_with("| `streembit-"));
    assert_eq!(table.collect::<Vec<_>>(), rows);
}
