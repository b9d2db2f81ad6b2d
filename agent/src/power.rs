//! Batteries, as the Linux kernel tells of them: a folder per supply, a file per attribute
//! (Documentation/ABI/testing/sysfs-class-power).

use std::fs;
use std::path::Path;

/// Percent of charge of the fullest battery that discharges; `None` on mains, or where there is no battery.
///
/// What can't be read counts as not there: a broken driver must not stop updates. Batteries of other devices,
/// such as a keyboard, don't count.
pub fn discharging(folder: &Path) -> Option<u8> {
    let supplies = fs::read_dir(folder).ok()?;
    let charge = |supply: &Path| {
        let attribute = |name: &str| {
            let text = fs::read_to_string(supply.join(name)).ok()?;
            Some(text.trim().to_owned())
        };
        let is_ours = attribute("type")? == "Battery"
            && attribute("scope").is_none_or(|scope| scope == "System")
            && attribute("status")? == "Discharging";
        is_ours.then(|| attribute("capacity")?.parse::<u8>().ok())?
    };
    supplies
        .flatten()
        .filter_map(|supply| charge(&supply.path()))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with one supply per list of attributes.
    fn supplies(all: &[&[(&str, &str)]]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (index, attributes) in all.iter().enumerate() {
            let supply = folder.path().join(format!("supply{index}"));
            fs::create_dir(&supply).unwrap();
            for (name, text) in *attributes {
                fs::write(supply.join(name), format!("{text}\n")).unwrap();
            }
        }
        folder
    }

    fn battery<'a>(status: &'a str, capacity: &'a str) -> [(&'a str, &'a str); 3] {
        [
            ("type", "Battery"),
            ("status", status),
            ("capacity", capacity),
        ]
    }

    #[test]
    fn the_fullest_battery_that_discharges_counts() {
        let mains = [("type", "Mains"), ("online", "1")];
        let low = battery("Discharging", "12");
        let high = battery("Discharging", "77");
        let of = |all: &[&[(&str, &str)]]| discharging(supplies(all).path());
        assert_eq!(of(&[&mains, &low, &high]), Some(77));
        assert_eq!(of(&[&low]), Some(12));
        for status in ["Charging", "Full", "Not charging", "Unknown"] {
            assert_eq!(of(&[&mains, &battery(status, "12")]), None, "{status}");
        }
    }

    #[test]
    fn what_says_nothing_clear_stops_nothing() {
        assert_eq!(discharging(Path::new("/nowhere/at/all")), None);
        let of = |all: &[&[(&str, &str)]]| discharging(supplies(all).path());
        assert_eq!(of(&[]), None);
        let keyboard = [&battery("Discharging", "3")[..], &[("scope", "Device")]].concat();
        assert_eq!(of(&[&keyboard]), None);
        for capacity in ["", "-1", "300", "full"] {
            assert_eq!(of(&[&battery("Discharging", capacity)]), None, "{capacity}");
        }
        assert_eq!(of(&[&[("type", "Battery")]]), None, "no status");
    }
}
