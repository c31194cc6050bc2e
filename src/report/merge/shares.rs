//! What each endpoint did of one level of several shards: counts and histograms are added, rates too.

use std::collections::BTreeMap;

use super::super::document::Level;
use super::super::endpoints::EndpointShare;
use super::MergeError;
use super::level::Part;
use super::level::counted;
use super::level::overall;
use super::level::summed;

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
    let latency = shares.iter().map(|(part, _, share)| (*part, share.latency_ms.as_ref(), share.censored));
    let ttft = shares.iter().map(|(part, _, share)| (*part, share.ttft_ms.as_ref(), share.censored));
    Ok(EndpointShare {
        endpoint: name.to_owned(),
        requests: count(|share| share.requests),
        errors: count(|share| share.errors),
        censored: count(|share| share.censored),
        classes: counted(shares.iter().map(|(_, _, share)| &share.classes)),
        rps: overall(shares.iter().map(|(_, level, share)| (share.rps, level.window_s)), window_s),
        latency_ms: summed((position, "latency_ms of an endpoint"), latency)?,
        ttft_ms: summed((position, "ttft_ms of an endpoint"), ttft)?,
    })
}
