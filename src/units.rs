//! Quantities that people type, parsed once into types that the rest of the program trusts.

mod clock;
mod rate;
mod shard;
mod size;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

pub use self::clock::Clock;
pub use self::rate::Rate;
pub use self::shard::Shard;
pub use self::size::Size;

/// Why a typed quantity was refused; the text says what would have been accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

/// A length of time as people write it: `500ms`, `2s`, `1.5s`, `2m`, `1h`, `1m30s`; a bare `0` is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// The longest time that can be typed: a year, so that no clock overflows when it is added.
const LONGEST_SECONDS: f64 = 365.0 * 86_400.0;

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = || {
            UnitError(format!(
                "'{text}' is not a time: write a number and a unit, as in 500ms, 2s, 1m30s or 1h"
            ))
        };
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut rest = text;
        let mut total = 0.0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refuse)?;
            let number: f64 = rest[..digits].parse().map_err(|_| refuse())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
            total += number * unit_seconds(&rest[..letters]).ok_or_else(refuse)?;
            rest = &rest[letters..];
        }
        if total > LONGEST_SECONDS {
            return Err(UnitError(format!("'{text}' is longer than a year: write at most 365d")));
        }
        let whole = Duration::try_from_secs_f64(total).map_err(|_| refuse())?;
        if text.is_empty() { Err(refuse()) } else { Ok(Self(whole)) }
    }
}

/// The length of one unit in seconds.
fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    })
}

impl fmt::Display for Span {
    /// Three significant digits in the unit that fits: `850 µs`, `80 ms`, `12.4 s`, `2 min`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (value, unit) = match seconds {
            0.0 => return out.write_str("0 s"),
            s if s < 0.001 => (s * 1e6, "µs"),
            s if s < 1.0 => (s * 1e3, "ms"),
            s if s < 120.0 => (s, "s"),
            s => (s / 60.0, "min"),
        };
        let digits = if value >= 99.95 { 0 } else { 1 + usize::from(value < 9.995) };
        let text = format!("{value:.digits$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        write!(out, "{text} {unit}")
    }
}

/// A number of things, with the suffixes `k` and `m` for thousands and millions: `500`, `10k`, `1.5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u64);

impl Count {
    /// So many times what the text says, where that is a whole number of things.
    fn times(text: &str, times: u64) -> Option<Self> {
        let (number, scale) = match text.char_indices().last() {
            Some((at, 'k' | 'K')) => (&text[..at], 1e3),
            Some((at, 'm' | 'M')) => (&text[..at], 1e6),
            _ => (text, 1.0),
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "no multiple is that large")]
        let value = number.parse::<f64>().ok()? * scale * times as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded by the check before it"
        )]
        ((1.0..=1e15).contains(&value) && value.fract() == 0.0).then_some(Self(value as u64))
    }
}

impl FromStr for Count {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::times(text, 1).ok_or_else(|| {
            UnitError(format!(
                "'{text}' is not a count: write a whole number of at least 1, as in 500, 10k or 2m"
            ))
        })
    }
}

/// A whole number within bounds.
pub fn whole<N: TryFrom<u64>>(text: &str, bounds: RangeInclusive<u64>) -> Result<N, UnitError> {
    let number = text.parse::<u64>().ok().filter(|number| bounds.contains(number));
    number
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| UnitError(format!("write a whole number from {} to {}", bounds.start(), bounds.end())))
}

/// An exact amount of US dollars, counted in millionths of a micro-dollar: the price of a million tokens in
/// micro-dollars is the price of one token in this unit, so that no cost is ever rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Money(u128);

impl Money {
    const DOLLAR: u128 = 1_000_000_000_000;
    const MICRO: u128 = 1_000_000;
    /// Decimals of a typed amount.
    const DECIMALS: usize = 6;

    /// What so many tokens cost, if this is the price of a million.
    #[must_use]
    pub fn per_million(self, tokens: u64) -> Self {
        // A typed amount is whole in micro-dollars, so the division leaves nothing.
        Self((self.0 / Self::MICRO).saturating_mul(u128::from(tokens)))
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(u128::from(count)))
    }

    /// The amount in dollars, as the nearest number.
    #[expect(clippy::cast_precision_loss, reason = "JSON has no exact fractions; the nearest is meant")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / Self::DOLLAR as f64
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        Self(parts.fold(0, |sum, part| sum.saturating_add(part.0)))
    }
}

impl FromStr for Money {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || whole.len() > 9 || decimals.len() > Self::DECIMALS {
            return Err(UnitError(format!(
                "'{text}' is not an amount of money: write dollars with at most {} decimals, as in 3, 0.25",
                Self::DECIMALS
            )));
        }
        let micros = format!("{whole}{decimals:0<width$}", width = Self::DECIMALS);
        micros.parse().map(|micros: u128| Self(micros * Self::MICRO)).map_err(|_| UnitError(text.to_owned()))
    }
}

impl fmt::Display for Money {
    /// Cents from a dime upwards, two significant digits below: `412.90 USD`, `0.0054 USD`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return out.write_str("0 USD");
        }
        let (mut digits, mut bound) = (2, Self::DOLLAR / 10);
        while self.0 < bound && digits < 12 {
            digits += 1;
            bound /= 10;
        }
        write!(out, "{:.digits$} USD", self.dollars())
    }
}

/// How alike two words must be for one to be taken for a slip of the other, from 0 to 1.
const ALIKE: f64 = 0.75;

/// The known word that a mistyped one is nearest to, if any is near.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let likeness = |candidate: &str| strsim::jaro_winkler(word, candidate);
    let near = known.iter().copied().filter(|candidate| likeness(candidate) > ALIKE);
    near.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// A text that must never be shown: its `Debug` and `Display` print a mask, only [`Secret::expose`] gives it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What stands in place of a secret wherever a request is shown.
pub const MASK: &str = "***";

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that puts it on the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(MASK)
    }
}

/// A whole number with thin groups of three digits, as in `6 659`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Span>().map(|span| span.0);
        assert_eq!(read("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(read("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(read("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(read("0"), Ok(Duration::ZERO));
        for bad in ["", "5", "s", "-1s", "1.2.3s", "5 s", "ten", "1e99d", "99999999999999999999d", "366d"] {
            assert!(read(bad).is_err(), "{bad} should be refused");
        }
    }

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        let show = |text: &str| text.parse::<Span>().unwrap().to_string();
        assert_eq!(show("0"), "0 s");
        assert_eq!(show("850us"), "850 µs");
        assert_eq!(show("80ms"), "80 ms");
        assert_eq!(show("12.43s"), "12.4 s");
        assert_eq!(show("2.914s"), "2.91 s");
        assert_eq!(show("3.001s"), "3 s");
        assert_eq!(show("2m"), "2 min");
        assert_eq!(show("30s"), "30 s");
    }

    #[test]
    fn counts_take_suffixes_and_refuse_fractions_of_a_thing() {
        assert_eq!("10k".parse(), Ok(Count(10_000)));
        assert_eq!("1.5m".parse(), Ok(Count(1_500_000)));
        for bad in ["", "0", "k", "1.5", "-3", "x", "1e3", "99999999999999999999"] {
            assert!(bad.parse::<Count>().is_err(), "{bad} should be refused");
        }
    }

    #[test]
    fn a_whole_number_is_refused_outside_its_bounds_and_the_refusal_names_them() {
        assert_eq!(whole::<u16>("256", 1..=256), Ok(256));
        for bad in ["0", "257", "x", "", "-1", "1.5"] {
            let problem = whole::<u16>(bad, 1..=256).unwrap_err().to_string();
            assert_eq!(problem, "write a whole number from 1 to 256", "{bad}");
        }
        assert!(whole::<u8>("256", 1..=256).is_err());
    }

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("sk-planted");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "sk-planted");
    }

    #[test]
    fn money_is_exact_and_shown_in_cents_or_two_digits() {
        let price = |text: &str| text.parse::<Money>().unwrap();
        let show = |text: &str, tokens| price(text).per_million(tokens).to_string();
        assert_eq!(show("3", 1_800), "0.0054 USD");
        assert_eq!(show("412.9", 1_000_000), "412.90 USD");
        assert_eq!(show("0.5", 1_000_000), "0.50 USD");
        assert_eq!(show("0.1", 1), "0.00000010 USD");
        assert_eq!(show("3", 0), "0 USD");
        // Ten times a tenth is one, which floating point denies.
        let tenths: Money = std::iter::repeat_n(price("0.1").per_million(1), 10).sum();
        assert_eq!(tenths, price("1").per_million(1));
        assert!((price("0.075").per_million(40).dollars() - 0.000_003).abs() < f64::EPSILON);
        for bad in ["", "-1", "1e3", "0.1234567", "1.", ".5", "nan", "1234567890"] {
            assert!(bad.parse::<Money>().is_err(), "{bad} should be refused");
        }
    }

    #[test]
    fn large_numbers_get_thin_groups() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }
}
