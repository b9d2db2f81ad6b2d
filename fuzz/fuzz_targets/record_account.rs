//! Account records: live, moved, deleted and with changes of key, damaged behind a good signature.
#![no_main]

use std::sync::LazyLock;

use fuzz::accounts::{Account, NOW, check, damaged};
use fuzz::choices::Choices;
use libfuzzer_sys::fuzz_target;
use protocol::dht::record::Record;
use protocol::identity::account::{self, Live, Moved, State};
use protocol::identity::account_change;

struct Good {
    account: Account,
    tokens: Vec<String>,
}

static GOOD: LazyLock<Option<Good>> = LazyLock::new(|| {
    let (before, account) = (Account::new(2)?, Account::new(1)?);
    let scope = keys::node_id(&before.key.public(), &before.name).ok()?;
    let change = account_change::sign(&before.key, scope.as_bytes(), &account.key.public(), 1).ok();
    let changed = change.map(|change| {
        State::Live(Box::new(Live {
            agreement: account.agreement.public(),
            changes: vec![change],
        }))
    });
    let moved = State::Moved(Moved {
        successor: before.key.public().to_hex(),
    });
    let states = [
        State::live(&account.key).ok(),
        Some(moved),
        Some(State::Deleted),
        changed,
    ];
    let sign = |state| account::sign_state(&account.key, &account.name, (1, state), NOW).ok();
    let tokens: Vec<String> = states.into_iter().flatten().filter_map(sign).collect();
    assert_eq!(tokens.len(), 4, "one of each state");
    Some(Good { account, tokens })
});

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let Some((good, token)) = GOOD
        .as_ref()
        .and_then(|good| Some((good, choices.one_of(&good.tokens)?)))
    else {
        panic!("the good records can't be made");
    };
    let token = damaged(token, &good.account.key, &mut choices);
    let record = account::verify(&token, NOW).ok();
    if let Some(record) = &record {
        assert_eq!(record.public_key, good.account.key.public());
    }
    check(&token, record.map(Record::Account));
});
