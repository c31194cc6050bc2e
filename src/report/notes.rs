//! What stands below the table: failures by class with their first words, requests cut, and how the run ended.

use std::time::Duration;

use super::capacity::capacity;
use super::compare::ChangeVerdict;
use super::compare::comparison_notes;
use super::compare::stories;
use super::document::BodyBytes;
use super::document::Document;
use super::document::FailureNote;
use super::document::Level;
use super::health::suspicions;
use super::knee::knee;
use super::merge::Shortfall;
use super::selftest::ceilings;
use super::tax::taxes;
use super::threshold::thresholds;
use crate::outcome::BodySize;
use crate::outcome::Class;
use crate::units::Size;
use crate::units::Span;
use crate::units::grouped;

/// Most characters shown of a message.
const MESSAGE_CHARS: usize = 160;

/// Decisions about endpoints that are told.
const MOST_EVENTS: usize = 8;

/// How late a part of a plan may be before it is worth a word: more than clocks of one network differ by.
const LATE_S: f64 = 0.1;

/// The notes, a line each with a final newline; empty where there is nothing to say.
pub fn notes(document: &Document) -> String {
    let mut lines = errors(document);
    lines.extend(document.levels.iter().filter_map(arrivals));
    lines.extend(taxes(document));
    lines.extend(ceilings(document));
    lines.extend(suspicions(document));
    lines.extend(decided(document));
    lines.extend(saved(document.body_bytes));
    lines.extend(document.access_tokens.map(|tokens| format!("access  {}", tokens.told())));
    lines.extend(cut(document));
    lines.extend(knee(document));
    lines.extend(capacity(document));
    lines.extend(thresholds(document));
    lines.extend(compared(document));
    lines.extend(ending(document));
    lines.extend(spread(document));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Failures by class over all levels, then the first message of each class.
fn errors(document: &Document) -> Vec<String> {
    let noted: Vec<(&Level, &FailureNote)> = document
        .levels
        .iter()
        .flat_map(|level| level.failures.iter().map(move |note| (level, note)))
        .collect();
    let mut counts = Vec::new();
    let mut messages = Vec::new();
    for class in Class::ALL.iter().map(|class| class.name()) {
        let of_class: Vec<_> = noted.iter().filter(|(_, note)| note.class == class).collect();
        let Some((_, first)) = of_class.first() else { continue };
        let count: u64 = of_class.iter().map(|(_, note)| note.count).sum();
        counts.push(format!("{class} {}", grouped(count)));
        if !first.message.is_empty() {
            messages.push(format!("        {class}: {}", plain(&first.message)));
        }
    }
    let earliest = noted.iter().fold(None, |best: Option<&(&Level, &FailureNote)>, candidate| match best {
        // Levels run in order, so only those of the first failing level compete.
        Some(best) if !std::ptr::eq(best.0, candidate.0) || best.1.after_s <= candidate.1.after_s => {
            Some(best)
        }
        _ => Some(candidate),
    });
    let Some((level, first)) = earliest else { return Vec::new() };
    let wait =
        first.retry_after_s.map(|seconds| format!(", retry-after {}", span(seconds))).unwrap_or_default();
    let place = format!("first at c={} after {}{wait}", level.concurrency, span(first.after_s));
    let mut lines = vec![format!("errors  {} ({place})", counts.join(" · "))];
    lines.append(&mut messages);
    lines
}

/// What became of the arrivals of an open loop.
fn arrivals(level: &Level) -> Option<String> {
    let counts = level.arrivals.as_ref()?;
    let rate = |rate: Option<f64>| rate.map_or("n/a".to_owned(), |rate| format!("{rate:.1}/s"));
    let mut parts = vec![
        format!("{} due at {}", grouped(counts.planned), rate(counts.planned_per_s)),
        format!("{} sent at {}", grouped(counts.sent), rate(counts.sent_per_s)),
    ];
    let some = |count: u64, what: &str| (count > 0).then(|| format!("{} {what}", grouped(count)));
    parts.extend(some(counts.late, "sent more than 1 ms late by this client"));
    parts.extend(some(
        counts.capped,
        &format!("waited, {} being in flight", grouped(level.concurrency.into())),
    ));
    parts.extend(some(counts.unsent, "never sent"));
    Some(format!("arrivals {}", parts.join(" · ")))
}

/// What was decided about several endpoints.
fn decided(document: &Document) -> Vec<String> {
    let events = &document.events;
    let mut lines = Vec::new();
    for (number, event) in events.iter().take(MOST_EVENTS).enumerate() {
        let label = if number == 0 { "events" } else { "" };
        lines.push(format!("{label:7} {:.1} s {}: {}", event.at_s, event.told(), event.reason));
    }
    let more = events.len().saturating_sub(MOST_EVENTS);
    lines.extend((more > 0).then(|| format!("        and {} more, in --format json", grouped(more as u64))));
    lines
}

/// What compression saved.
fn saved(BodyBytes { plain, sent }: BodyBytes) -> Option<String> {
    let body = BodySize { plain, sent };
    (body.saved() > 0).then(|| {
        let share = body.saved_share() * 100.0;
        format!("bodies  {} sent as {} ({share:.0} % saved)", Size(plain), Size(sent))
    })
}

/// How many requests were cut, and what that does to percentiles.
fn cut(document: &Document) -> Option<String> {
    let cut: u64 = document.levels.iter().map(|level| level.censored).sum();
    let requests = if cut == 1 { "request was" } else { "requests were" };
    (cut > 0).then(|| {
        let cut = grouped(cut);
        format!("cut     {cut} {requests} still running at the end; a percentile that reaches into them is shown as ≥")
    })
}

/// What has changed since an earlier result: what is worse or open, and how much else there is.
fn compared(document: &Document) -> Vec<String> {
    let Some(comparison) = &document.comparison else { return Vec::new() };
    let mut lines: Vec<_> = comparison_notes(comparison).lines().map(str::to_owned).collect();
    for verdict in [ChangeVerdict::Regression, ChangeVerdict::Undecided, ChangeVerdict::Improvement] {
        let story = |story: String| format!("        {}: {story}", verdict.name());
        lines.extend(stories(comparison, verdict).into_iter().map(story));
    }
    lines
}

/// How the run ended, where it did not run to its end.
fn ending(document: &Document) -> Option<String> {
    if let Some(gave_up) = &document.gave_up {
        let (class, message) = (&gave_up.class, plain(&gave_up.message));
        return Some(format!("ended   one failure kept repeating itself: {class}: {message}"));
    }
    let (planned, run) = (document.plan.levels.len(), document.levels.len());
    let why = document.bounded.as_deref().or(document.interrupted.then_some("interrupted"));
    why.map(|why| {
        let unfinished = document.levels.last().is_some_and(|level| level.ended_early);
        let last = if unfinished { ", the last one cut short" } else { "" };
        let of = if document.capacity.is_some() { String::new() } else { format!(" of {planned}") };
        format!("ended   {why}: {run}{of} levels{last}")
    })
}

/// Which parts of the plan are missing, short or late.
fn spread(document: &Document) -> Vec<String> {
    let is_late = |seconds: &f64| *seconds > LATE_S;
    let Some(merged) = &document.merged else {
        let late = |level: &Level| {
            let seconds = level.late_s.filter(is_late)?;
            Some(format!("late    c={} began {} after its slot", level.concurrency, span(seconds)))
        };
        return document.levels.iter().filter_map(late).collect();
    };
    let mut lines = vec![format!("shards  {} of {} added up", merged.parts.len(), merged.of)];
    let of_shortfall = |Shortfall { label, shard, words }: Shortfall| format!("{label:7} {shard} {words}");
    lines.extend(document.shortfalls().into_iter().map(of_shortfall));
    for part in &merged.parts {
        let shard = &part.shard;
        if let Some(seconds) = part.late_s.filter(is_late) {
            lines.push(format!("late    {shard} began a level {} after its slot", span(seconds)));
        } else if is_late(&part.behind_s) {
            lines.push(format!("late    {shard} was measured up to {} after the first", span(part.behind_s)));
        }
    }
    lines
}

/// A relay's words on one line of bounded length, without control characters that a terminal would obey.
pub(super) fn plain(message: &str) -> String {
    let words = message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let text = words.collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Seconds as people read them.
fn span(seconds: f64) -> Span {
    Span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn notes_have_their_golden_form() {
        golden::compare("notes.txt", &notes(&golden::streamed()));
        golden::compare("notes-open.txt", &notes(&golden::open()));
        golden::compare("notes-judged.txt", &notes(&golden::judged()));
        golden::compare("notes-spread.txt", &notes(&golden::spread()));
        golden::compare("notes-paired.txt", &notes(&golden::paired()));
        golden::compare("notes-stopped.txt", &notes(&golden::stopped()));
    }

    #[test]
    fn a_run_without_failures_has_nothing_to_note() {
        assert_eq!(notes(&golden::whole()), "");
    }

    #[test]
    fn a_relay_cannot_talk_to_the_terminal() {
        assert_eq!(plain("slow\r\n\u{1b}[2Jdown\u{7}"), "slow [2Jdown");
        assert_eq!(plain(&"é".repeat(500)).chars().count(), MESSAGE_CHARS + 1);
    }
}
