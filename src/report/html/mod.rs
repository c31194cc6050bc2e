//! The result as one page that needs nothing beside itself: figures inline, by day and by night, on paper and read aloud.

mod figures;
mod plot;

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value;

use self::figures::Plate;
use self::figures::marked;
use self::figures::name;
use self::figures::number;
use self::figures::plates;
use self::figures::waiting;
use super::columns::Column;
use super::columns::columns;
use super::columns::tp99;
use super::document::Document;
use super::document::Level;
use super::endpoints::EndpointEvent;
use super::endpoints::columns_of_endpoints;
use super::health::health;
use super::json::json;
use super::notes::notes;
use super::tax::columns_of_tax;
use crate::load::Verdict;

/// The page, which minijinja fills; its name makes it escape what it is given.
const PAGE: (&str, &str) = ("page.html", include_str!("page.html"));

/// What the page is filled with.
#[derive(Debug, Serialize)]
struct Page<'a> {
    relay: String,
    headline: String,
    started: &'a str,
    model: Option<&'a str>,
    version: &'a str,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    notes: String,
    thresholds: Vec<Ruling<'a>>,
    endpoint_head: Vec<&'static str>,
    endpoint_rows: Vec<Vec<String>>,
    direct: Option<&'a str>,
    tax_head: Vec<&'static str>,
    tax_rows: Vec<Vec<String>>,
    plates: Vec<Plate>,
    facts: Vec<Facts>,
    json: String,
}

/// A threshold and what became of it.
#[derive(Debug, Serialize)]
struct Ruling<'a> {
    expression: &'a str,
    verdict: &'static str,
    evidence: String,
}

/// Names and values under a title.
#[derive(Debug, Serialize)]
struct Facts {
    id: &'static str,
    title: &'static str,
    rows: Vec<(String, String)>,
}

/// The document as an HTML page.
pub fn html(document: &Document) -> String {
    let columns = columns(document);
    let endpoints = columns_of_endpoints(document).unwrap_or_default();
    let tax = columns_of_tax(document).unwrap_or_default();
    let urls: Vec<_> = document.endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect();
    let mut page = Page {
        relay: urls.join(", "),
        headline: headline(document),
        started: &document.started,
        model: document.plan.model.as_deref(),
        version: &document.machine.version,
        head: columns.iter().map(|column| column.heading).collect(),
        rows: rows_of(&columns),
        notes: notes(document).trim_end().to_owned(),
        thresholds: document
            .thresholds
            .iter()
            .map(|threshold| Ruling {
                expression: &threshold.expression,
                verdict: threshold.verdict.name(),
                evidence: threshold.evidence(),
            })
            .collect(),
        endpoint_head: endpoints.iter().map(|column| column.heading).collect(),
        endpoint_rows: rows_of(&endpoints),
        direct: document.direct.as_ref().map(|direct| direct.url.as_str()),
        tax_head: tax.iter().map(|column| column.heading).collect(),
        tax_rows: rows_of(&tax),
        plates: plates(document),
        facts: vec![
            Facts { id: "plan", title: "Plan", rows: known(serde_json::to_value(&document.plan)) },
            Facts { id: "machine", title: "Machine", rows: known(serde_json::to_value(&document.machine)) },
            Facts { id: "events", title: "Decisions about endpoints", rows: decisions(document) },
            Facts {
                id: "selftest",
                title: "This machine and a relay that answers at once",
                rows: ceilings(document),
            },
            Facts { id: "client", title: "The client's own health", rows: health(document) },
        ],
        json: json(document),
    };
    page.facts.retain(|facts| !facts.rows.is_empty());
    filled(&page)
}

/// Columns as rows.
fn rows_of(columns: &[Column]) -> Vec<Vec<String>> {
    let rows = columns.first().map_or(0, |column| column.cells.len());
    (0..rows).map(|at| columns.iter().map(|column| column.cells[at].clone()).collect()).collect()
}

/// What was decided about endpoints, by the numbers that the timeline has for it.
fn decisions(document: &Document) -> Vec<(String, String)> {
    let row = |(place, event): (u32, &EndpointEvent)| {
        let words = format!("{} s: {}: {}", number(event.at_s), event.told(), event.reason);
        (place.to_string(), words)
    };
    (1..).zip(&document.events).map(row).collect()
}

/// The page with everything in its place.
fn filled(page: &Page<'_>) -> String {
    let (name, source) = PAGE;
    let rendered = Environment::new().render_named_str(name, source, Serde(page));
    rendered.expect("the page is part of the program, and so is what fills it")
}

/// What the run shows, in a sentence.
fn headline(document: &Document) -> String {
    let said = |level: &Level| {
        let p99 = tp99(level, waiting(level));
        let p99 = p99.map(|p99| format!(" with TP99 {} ms", marked(p99))).unwrap_or_default();
        let rps = level.rps.map(|rps| format!(" at {} requests/s", number(rps))).unwrap_or_default();
        format!("{}{p99}{rps}", name(level))
    };
    let carried = document.levels.iter().take_while(|level| level.verdict == Verdict::Ok).last();
    let spoilt = document.levels.iter().find(|level| level.verdict != Verdict::Ok);
    let first = match carried {
        Some(level) => format!("Carried {}", said(level)),
        None => "No level was carried at ease".to_owned(),
    };
    match spoilt {
        Some(level) => format!("{first}; {} is {}.", name(level), level.verdict.name()),
        None => format!("{first}."),
    }
}

/// The fields of an object that have a value.
fn known(value: Result<Value, serde_json::Error>) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = value else { return Vec::new() };
    let row = |(name, value): (String, Value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name, text)),
        other => Some((name, other.to_string())),
    };
    fields.into_iter().filter_map(row).collect()
}

/// What the client made of a relay that answers at once.
fn ceilings(document: &Document) -> Vec<(String, String)> {
    let row = |told: String| told.split_once(": ").map(|(name, words)| (name.to_owned(), words.to_owned()));
    document.selftest.iter().filter_map(|ceiling| row(ceiling.told())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    #[test]
    fn the_page_needs_nothing_beside_itself() {
        for document in [golden::streamed(), golden::open(), golden::whole(), golden::stopped()] {
            let page = html(&document);
            for outside in ["src=", "href=", "url(", "@import", "<script", "<link"] {
                assert!(!page.contains(outside), "{outside}");
            }
            assert!(page.matches("<tr>").count() > document.levels.len());
        }
    }

    #[test]
    fn a_run_over_several_endpoints_has_a_row_for_each_and_its_decisions_on_the_timeline() {
        let page = html(&golden::spread());
        assert!(page.contains("<table id=\"endpoints\">"));
        assert!(page.contains("eu.example ejected: 5 requests in a row failed"));
        // As posts, which have a number each.
        let timeline = &page[page.find("id=\"timeline\"").unwrap()..];
        for number in ["\n1\n", "\n2\n"] {
            assert!(timeline.contains(number), "{number:?}");
        }
        assert!(!page.contains("id=\"events\"><tbody>\n<tr><th scope=\"row\">3"));
        assert!(!html(&golden::whole()).contains("id=\"endpoints\""));
    }

    #[test]
    fn what_a_relay_adds_has_a_row_for_each_figure_beside_where_its_upstream_is() {
        let page = html(&golden::paired());
        let table = &page[page.find("<table id=\"tax\">").unwrap()..];
        assert!(table.contains("ttft.p99") && page.contains("upstream.example"));
        assert_eq!(table[..table.find("</table>").unwrap()].matches("<tr>").count(), 13);
        assert!(!html(&golden::whole()).contains("id=\"tax\""));
    }

    #[test]
    fn what_a_relay_says_is_text_and_no_markup() {
        let mut document = golden::streamed();
        document.levels[1].failures[0].message = "<script>alert(1)</script>".to_owned();
        assert!(!html(&document).contains("<script"));
    }

    #[test]
    fn every_level_is_in_the_table_and_at_the_end_of_its_line() {
        let page = html(&golden::streamed());
        assert!(page.contains("Carried c=50") && page.contains("c=100 is relay-saturated."));
        // In the load curve, in the distribution, and in their tables.
        for name in ["c=50", "c=100", "c=200"] {
            assert!(page.matches(name).count() >= 4, "{name}");
        }
        assert_eq!(page.matches("<figure").count(), 3);
        assert_eq!(page.matches("<svg").count(), 5);
    }
}
