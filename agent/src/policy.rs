//! May a release be installed here? A pure decision over verified metadata; nothing outside the
//! signed part is looked at (threats M26).
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use manifests::name::Name;
use manifests::pin::Pin;
use manifests::product::Product;
use manifests::release::{ImageFormat, Release};

use crate::slot::SlotKind;
use crate::state::State;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Install this release.
    Install(Box<Release>),
    /// It is installed already and waits for a reboot or to prove itself.
    Pending,
    /// Nothing is newer than what runs.
    UpToDate,
    /// The newest release is refused.
    Refuse(Refusal),
}

/// Why the newest release is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It failed on this device before.
    #[error("release {0} failed on this device before")]
    Failed(u64),
    /// It is for other slots.
    #[error("release {release} is a {format} image, the slots take {slots}")]
    Format {
        /// The release counter.
        release: u64,
        /// The image's format.
        format: &'static str,
        /// What the slots take.
        slots: &'static str,
    },
    /// No release of the product fits this hardware.
    #[error("no release is for hardware {hardware}: they are for {offered}")]
    Hardware {
        /// This device's hardware id.
        hardware: Name,
        /// The hardware ids of the newest release.
        offered: String,
    },
    /// It is older than what ran here.
    #[error("the newest release is {offered}, this device ran {floor} (rollback)")]
    Older {
        /// The highest release that proved itself.
        floor: u64,
        /// The newest release offered.
        offered: u64,
    },
    /// Its security version is below the floor.
    #[error("release {release} has security version {offered}, the floor is {floor} (rollback)")]
    Security {
        /// The release counter.
        release: u64,
        /// Its security version.
        offered: u64,
        /// The floor.
        floor: u64,
    },
}

/// This device, as far as policy asks.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// What it trusts and follows.
    pub pin: &'a Pin,
    /// Its hardware id.
    pub hardware: &'a Name,
    /// What its slots take.
    pub slots: SlotKind,
    /// What it knows.
    pub state: &'a State,
    /// The release that runs, 0 if unknown.
    pub running: u64,
}

/// Decides over the product's verified targets.
pub fn decide(device: &Device<'_>, product: &Product) -> Decision {
    let releases = product
        .targets()
        .values()
        .filter_map(|target| target.release.as_ref());
    let ours: Vec<&Release> = releases
        .filter(|release| release.product == device.pin.product)
        .filter(|release| release.channel == device.pin.channel)
        .collect();
    let fits = |release: &&&Release| release.hardware.contains(device.hardware);
    let Some(newest) = ours
        .iter()
        .filter(fits)
        .max_by_key(|release| release.release)
    else {
        return match ours.iter().max_by_key(|release| release.release) {
            None => Decision::UpToDate,
            Some(other) => Decision::Refuse(wrong_hardware(device.hardware, other)),
        };
    };
    let floor = device.state.release_floor.max(device.running);
    if newest.release < floor {
        return Decision::Refuse(Refusal::Older {
            floor,
            offered: newest.release,
        });
    }
    if newest.release == floor {
        return Decision::UpToDate;
    }
    if device
        .state
        .pending
        .as_ref()
        .is_some_and(|it| it.image.release == newest.release)
    {
        return Decision::Pending;
    }
    match refusal(device, newest) {
        Some(refusal) => Decision::Refuse(refusal),
        None => Decision::Install(Box::new((*newest).clone())),
    }
}

fn refusal(device: &Device<'_>, newest: &Release) -> Option<Refusal> {
    let floor = device
        .state
        .security_floor
        .max(device.pin.min_security_version);
    if newest.security_version < floor {
        let (release, offered) = (newest.release, newest.security_version);
        return Some(Refusal::Security {
            release,
            offered,
            floor,
        });
    }
    if device.state.failed.contains(&newest.release) {
        return Some(Refusal::Failed(newest.release));
    }
    let slots = match device.slots {
        SlotKind::Dir => ImageFormat::Tar,
        SlotKind::Raw => ImageFormat::Raw,
    };
    (newest.format != slots).then(|| Refusal::Format {
        release: newest.release,
        format: newest.format.name(),
        slots: slots.name(),
    })
}

fn wrong_hardware(hardware: &Name, offered: &Release) -> Refusal {
    let ids: Vec<&str> = offered.hardware.iter().map(Name::as_str).collect();
    Refusal::Hardware {
        hardware: hardware.clone(),
        offered: ids.join(", "),
    }
}

#[cfg(test)]
mod tests;
