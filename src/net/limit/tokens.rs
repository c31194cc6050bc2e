//! Rates of tokens as people write them: `40000/m` for both directions together, `input=40000/m,output=8000/m` for each.

use std::fmt;
use std::str::FromStr;

use crate::units::{Rate, UnitError};

/// Tokens in a time, by direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenRates {
    /// Tokens of prompts.
    pub input: Option<Rate>,
    /// Tokens generated.
    pub output: Option<Rate>,
    /// Both together, as some vendors count.
    pub both: Option<Rate>,
}

/// Why a text is no rate of tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRateError {
    /// One of its rates is none.
    #[error(transparent)]
    Rate(#[from] UnitError),
    /// A part names something else.
    #[error(
        "'{0}' is no rate of tokens: write one rate for both directions, as in 40000/m, or input=40000/m,output=8000/m"
    )]
    Part(String),
    /// The same is limited twice.
    #[error("{0} is limited twice: write each limit once, as in input=40000/m,output=8000/m")]
    Twice(String),
}

impl FromStr for TokenRates {
    type Err = TokenRateError;

    fn from_str(text: &str) -> Result<Self, TokenRateError> {
        let mut rates = Self::default();
        for part in text.split(',') {
            let (name, slot, rate) = match part.split_once('=') {
                None => ("both directions", &mut rates.both, part),
                Some(("input", rate)) => ("input", &mut rates.input, rate),
                Some(("output", rate)) => ("output", &mut rates.output, rate),
                Some(_) => return Err(TokenRateError::Part(part.to_owned())),
            };
            if slot.replace(rate.parse()?).is_some() {
                return Err(TokenRateError::Twice(name.to_owned()));
            }
        }
        Ok(rates)
    }
}

impl fmt::Display for TokenRates {
    /// The text that reads back as these rates.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [("input=", self.input), ("output=", self.output), ("", self.both)];
        let parts = named.iter().filter_map(|(name, rate)| Some(format!("{name}{}", rate.as_ref()?)));
        out.write_str(&parts.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_tokens_read_back_as_they_were_written() {
        for text in ["40000/m", "input=40000/m", "input=40000/m,output=8000/m", "input=1/s,output=2/s,3/s"] {
            assert_eq!(text.parse::<TokenRates>().unwrap().to_string(), text);
        }
        assert_eq!("output=8k/m".parse::<TokenRates>().unwrap().to_string(), "output=8000/m");
        for bad in ["", "40000", "in=4/m", "input=", "4/m,5/m", "input=4/m,input=5/m", "input=4/m;output=5/m"]
        {
            assert!(bad.parse::<TokenRates>().is_err(), "{bad} should be refused");
        }
    }
}
