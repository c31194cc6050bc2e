//! What each endpoint did of one level of several shards: counts and histograms are added, rates too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::document::Distribution;
use super::super::document::Level;
use super::super::endpoints::EndpointShare;
use super::super::restored::metric;
use super::super::result::rounded;
use super::MergeError;
use super::level::Part;
use crate::load::Metric;

/// The endpoints of a level at a position, over the parts that have it, for a window of this length in seconds.
pub(super) fn merged(
    having: &[(&Part<'_>, &Level)],
    (position, window_s): (usize, f64),
) -> Result<Vec<EndpointShare>, MergeError> {
    let mut by_name: BTreeMap<&str, Vec<(&Part<'_>, &Level, &EndpointShare)>> = BTreeMap::new();
    for (part, level) in having {
        for share in &level.endpoints {
            by_name.entry(&share.endpoint).or_default().push((part, level, share));
        }
    }
    by_name.into_iter().map(|(name, shares)| sum(name, &shares, (position, window_s))).collect()
}

fn sum(
    name: &str,
    shares: &[(&Part<'_>, &Level, &EndpointShare)],
    (position, window_s): (usize, f64),
) -> Result<EndpointShare, MergeError> {
    let count = |of: fn(&EndpointShare) -> u64| shares.iter().map(|(_, _, share)| of(share)).sum();
    let distribution = |of: fn(&EndpointShare) -> Option<&Distribution>, label| {
        let mut all = Metric::default();
        for (part, _, share) in shares {
            let Some(saved) = of(share) else {
                // Nothing ended there, and of what was cut only that it took some time is known.
                (0..share.censored).for_each(|_| all.censor(Duration::ZERO));
                continue;
            };
            all.merge(&metric(saved).map_err(|source| MergeError::Metric {
                name: part.name.to_owned(),
                level: position + 1,
                metric: label,
                source,
            })?);
        }
        Ok(Distribution::of(&all))
    };
    let mut classes = BTreeMap::new();
    for (class, count) in shares.iter().flat_map(|(_, _, share)| &share.classes) {
        *classes.entry(class.clone()).or_insert(0) += count;
    }
    let amounts: Vec<f64> =
        shares.iter().filter_map(|(_, level, share)| Some(share.rps? * level.window_s)).collect();
    let is_known = !amounts.is_empty() && window_s > 0.0;
    Ok(EndpointShare {
        endpoint: name.to_owned(),
        requests: count(|share| share.requests),
        errors: count(|share| share.errors),
        censored: count(|share| share.censored),
        classes,
        rps: is_known.then(|| rounded(amounts.iter().sum::<f64>() / window_s)),
        latency_ms: distribution(|share| share.latency_ms.as_ref(), "latency_ms of an endpoint")?,
        ttft_ms: distribution(|share| share.ttft_ms.as_ref(), "ttft_ms of an endpoint")?,
    })
}
