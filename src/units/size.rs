//! Amounts of bytes, typed and shown: `512`, `64k`, `64KiB`, `2.15 GB`.

use std::fmt;
use std::str::FromStr;

use super::UnitError;

/// An amount of bytes. `k`, `M` and `G` are thousands, millions and billions, `Ki`, `Mi` and `Gi` powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

/// The most that can be typed, which any system's file offsets hold.
const MOST: f64 = 1e18;

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = || {
            UnitError(format!(
                "'{text}' is not an amount of bytes: write a number, as in 512, 64k, 64KiB or 2G"
            ))
        };
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.to_ascii_lowercase();
        let scale = match unit.strip_suffix('b').unwrap_or(&unit) {
            "" => 1.0,
            "k" => 1e3,
            "m" => 1e6,
            "g" => 1e9,
            "ki" => 1024.0,
            "mi" => 1024.0 * 1024.0,
            "gi" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(refuse()),
        };
        let value = number.parse::<f64>().map_err(|_| refuse())? * scale;
        if unit.is_empty() && value.fract() != 0.0 {
            return Err(refuse());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded by the check before it"
        )]
        if (0.0..=MOST).contains(&value) { Ok(Self(value.round() as u64)) } else { Err(refuse()) }
    }
}

impl fmt::Display for Size {
    /// Three significant digits in the unit that fits: `850 B`, `64 kB`, `2.15 GB`.
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            0..1_000 => return write!(out, "{} B", self.0),
            bytes @ 1_000..999_500 => (bytes as f64 / 1e3, "kB"),
            bytes @ 999_500..999_500_000 => (bytes as f64 / 1e6, "MB"),
            bytes => (bytes as f64 / 1e9, "GB"),
        };
        let digits = if value >= 99.95 { 0 } else { 1 + usize::from(value < 9.995) };
        write!(out, "{value:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(read("512"), Ok(512));
        assert_eq!(read("64k"), Ok(64_000));
        assert_eq!(read("64KiB"), Ok(65_536));
        assert_eq!(read("4.35MB"), Ok(4_350_000));
        assert_eq!(read("2Gi"), Ok(2 * 1024 * 1024 * 1024));
        for bad in ["", "k", "-1", "0.5", "5x", "64 k", "1kk", "99999999999g"] {
            assert!(bad.parse::<Size>().is_err(), "{bad} should be refused");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_unit_that_fits() {
        let show = |bytes| Size(bytes).to_string();
        assert_eq!(show(850), "850 B");
        assert_eq!(show(64_000), "64.0 kB");
        assert_eq!(show(999_499), "999 kB");
        assert_eq!(show(999_500), "1.00 MB");
        assert_eq!(show(2_147_483_648), "2.15 GB");
    }
}
