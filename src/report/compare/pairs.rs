//! Which level of one result stands beside which level of another.

use crate::report::document::Level;
use crate::report::threshold::place;

/// The k-th level of a name in one result beside the k-th of that name in the other, and those without a partner.
pub(super) fn pairs<'a>(before: &'a [Level], after: &'a [Level]) -> Vec<[Option<&'a Level>; 2]> {
    let name = |level: &Level| place(level.concurrency, level.rate);
    let mut left: Vec<Option<&Level>> = after.iter().map(Some).collect();
    let mut pairs = Vec::with_capacity(before.len());
    for earlier in before {
        let partner = left.iter_mut().find(|later| later.is_some_and(|later| name(later) == name(earlier)));
        pairs.push([Some(earlier), partner.and_then(Option::take)]);
    }
    pairs.extend(left.into_iter().flatten().map(|later| [None, Some(later)]));
    pairs
}
