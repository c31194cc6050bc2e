//! The flags of request-body compression, and what is said of the bytes that it saved.

use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::config::PolicyDefaults;
use crate::net::{Compress, CompressRules, Compressor};
use crate::outcome::BodySize;
use crate::units::{Size, whole};

use super::Usage;

/// Whether and how request bodies are compressed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct CompressOptions {
    /// Compress request bodies; `auto` by gzip, and not where the relay turns out to refuse it [default: off]
    #[arg(long, value_name = "HOW", value_parser = ways())]
    compress: Option<Compress>,
    /// How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd [default: 1; from 16 KiB on 6 for gzip and 3 for zstd]
    #[arg(long, value_name = "N", value_parser = |text: &str| whole::<u32>(text, 1..=19))]
    compress_level: Option<u32>,
    /// Compress bodies of this size and larger; media never [default: 1KiB]
    #[arg(long, value_name = "SIZE")]
    compress_above: Option<Size>,
}

impl CompressOptions {
    /// The compressor that they ask for, if they ask for one; `own` is what the profile sets.
    pub(super) fn compressor(&self, own: &PolicyDefaults) -> Result<Option<Arc<Compressor>>, Usage> {
        let compress = self.compress.or(own.compress).unwrap_or(Compress::Off);
        let Some(rules) = CompressRules::of(compress) else {
            let given = [
                ("--compress-level", self.compress_level.is_some()),
                ("--compress-above", self.compress_above.is_some()),
            ];
            return match given.into_iter().find(|(_, is_given)| *is_given) {
                Some((flag, _)) => {
                    Err(Usage::new(format!("{flag} has no effect where nothing is compressed"))
                        .hint("--compress auto, gzip or zstd asks for it"))
                }
                None => Ok(None),
            };
        };
        let hardest = rules.coding.hardest();
        // The profile's level may be meant for the other coding.
        let level = self.compress_level.or(own.compress_level.map(|level| level.min(hardest)));
        if let Some(level) = level.filter(|level| *level > hardest) {
            let message = format!("--compress-level {level} is more than {} has", rules.coding.name());
            return Err(Usage::new(message).hint(format!("write a number from 1 to {hardest}")));
        }
        let least = self.compress_above.or(own.compress_above).map_or(rules.least, |Size(bytes)| bytes);
        Ok(Some(Arc::new(Compressor::new(CompressRules { level, least, ..rules }))))
    }
}

/// The bytes of a body as people read them, where compression saved some.
pub(super) fn saved(body: BodySize) -> Option<String> {
    (body.saved() > 0).then(|| {
        let (plain, sent) = (Size(body.plain), Size(body.sent));
        format!("body {plain} sent as {sent} ({:.0} % saved)", body.saved_share() * 100.0)
    })
}

/// A way to compress; help, completions and the refusal of another word list all four.
fn ways() -> impl TypedValueParser<Value = Compress> {
    PossibleValuesParser::new(Compress::NAMES).try_map(|name| name.parse::<Compress>())
}
