//! `streembit-publisher log policy`: other witnesses. Devices follow by a target of each product that was logged under the
//! policy before.

use std::path::Path;

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::signer::Signer;
use cli::{CliError, Exit, Output};
use manifests::digest::Sha256;
use manifests::evidence::names;
use manifests::hashes::Hashes;
use manifests::name::Name;
use manifests::targets::Target;
use serde_json::json;

use crate::change::Change;
use crate::evidence::{self, BUNDLE, Evidence};
use crate::log::opened::{FOLDER, OpenLog, POLICY, read_policy};
use crate::preview::Preview;
use crate::publish::{OnlineKeys, publish};
use crate::repository::product_of;
use crate::{edit, settings};

/// Runs `log policy`. It can be run again where it was cut off, or lacked witnesses or signatures.
///
/// # Errors
/// [`CliError`] with [`Exit::Quorum`] if the witnesses so far, or the signers of a product, are too few.
pub fn run(path: &Path, folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (bytes, _) = read_policy(path)?;
    let mut change = Change::open_unstaged(folder)?;
    let (open, log) = match (
        OpenLog::open(folder, &change.settings)?,
        &change.settings.log,
    ) {
        (Some(open), Some(log)) => (open, log.clone()),
        _ => {
            return Err(CliError::new(Exit::Usage, "this repository has no log")
                .hint("streembit-publisher log init --origin NAME"));
        }
    };
    let keys = OnlineKeys::open(&change)?;
    let subject = Name::parse(names::POLICY_SUBJECT).context(Exit::No, "policy")?;
    let evidence = Evidence::of(&open, &subject);
    let number = number_of(&evidence, &bytes)?;
    let name = format!("policy-{number}");
    if !evidence.path(&format!("{name}{BUNDLE}")).exists() {
        let signer = Signer::open(&settings::resolve(folder, &log.statements)?)?;
        evidence.keep(&format!("{name}.txt"), &bytes)?;
        evidence.sign_bytes(&name, &bytes, &signer)?;
        evidence::update(&open, output)?;
    }
    let products: Vec<String> = change
        .in_force
        .repository
        .products
        .keys()
        .cloned()
        .collect();
    for product in &products {
        set_target(&mut change, product, &bytes)?;
    }
    output.note(Preview::text(&change.preview()));
    change.sign_with_keys_here(output)?;
    if !change.lacks()?.is_empty() {
        change.save()?;
    }
    publish(&change, &keys)?;
    // From now on these witnesses are asked; devices with the policy before learn of it by what was logged under that.
    let place = folder.join(FOLDER).join(POLICY);
    durable::replace(&place, &bytes, Access::World).context(Exit::No, "policy")?;
    let value = json!({ "policy": place, "number": number, "products": products });
    let text = format!(
        "policy      {} (change {number})\nnext        streembit-publisher refresh",
        place.display()
    );
    output.result(&value, text)?;
    Ok(Exit::Done)
}

/// The number of this policy, or the next.
fn number_of(evidence: &Evidence<'_>, bytes: &[u8]) -> Result<u64, CliError> {
    for number in 1..=names::POLICIES_MAX {
        let [text, _] = names::policy_files(number);
        let limit = u64::try_from(tlog::limits::POLICY_BYTES_MAX).unwrap_or(u64::MAX);
        let there = durable::read_if_there(&evidence.path(&text), limit);
        match there.context(Exit::No, "policy")? {
            None => return Ok(number),
            Some(there) => {
                let is_last = !evidence.path(&names::policy_files(number + 1)[0]).exists();
                if there == bytes && is_last {
                    return Ok(number);
                }
            }
        }
    }
    let message = format!("the policy has changed {} times", names::POLICIES_MAX);
    Err(CliError::new(Exit::No, message).hint("give new devices a pin with the newest"))
}

fn set_target(change: &mut Change, product: &str, bytes: &[u8]) -> Result<(), CliError> {
    let name = names::policy_target(product);
    let parsed = Name::parse(product).context(Exit::No, "product")?;
    let role = product_of(&change.in_force.repository, &parsed)?;
    let target_name = Name::parse(&name).context(Exit::No, "product")?;
    let is_there = role.targets().contains_key(&target_name);
    let target = Target {
        length: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        hashes: Hashes::of_sha256(Sha256::of(bytes)),
        custom: None,
    };
    let place = change.layout.target(&Sha256::of(bytes), &target_name);
    durable::replace(&place, bytes, Access::World).context(Exit::No, "target")?;
    change.edit(product, |signed| {
        if is_there {
            edit::remove_target(signed, &name)?;
        }
        edit::add_target(signed, &name, target.to_json())
    })
}
