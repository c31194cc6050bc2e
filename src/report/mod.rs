//! Results on paper: one versioned document, and every printed form a view of it.
//!
//! A run becomes a [`Document`] once; table, notes, Markdown, CSV and JSON are printed from the document, so that a
//! saved file prints later what the run printed itself. [`Progress`] shows a run while it lasts, [`ArrivalLine`] an answer.

mod access;
mod arrival;
mod batch;
mod capacity;
mod check;
mod columns;
mod compare;
mod csv;
mod document;
mod endpoints;
#[cfg(test)]
mod golden;
mod hdr;
mod health;
mod html;
mod json;
mod junit;
mod knee;
mod log;
mod markdown;
mod merge;
mod notes;
mod progress;
mod prompts;
mod restored;
mod result;
mod selftest;
mod table;
mod tax;
mod threshold;
mod together;

pub use arrival::ArrivalLine;
pub use batch::BatchProgress;
pub use batch::batch_line;
pub use batch::batch_summary;
pub use batch::batch_summary_json;
pub use capacity::Capacity;
pub use check::{Accepted, CheckInfo, CheckReport};
pub use check::{check_docs, check_json, check_junit, check_line, check_markdown, check_text};
pub use compare::stories;
pub use compare::{Change, ChangeVerdict, CompareError, Comparison, DamagedHistogram, Plans, Terms};
pub use compare::{
    comparison_json, comparison_markdown, comparison_notes, comparison_table, plan_differences,
};
pub use csv::csv;
pub use document::ArrivalCounts;
pub use document::ArrivalsInfo;
pub use document::Distribution;
pub use document::Document;
pub use document::Endpoint;
pub use document::FailureNote;
pub use document::GaveUp;
pub use document::Level;
pub use document::Machine;
pub use document::PlanInfo;
pub use document::SCHEMA;
pub use document::StageInfo;
pub use document::Tail;
pub use endpoints::{EndpointEvent, EndpointShare};
pub use hdr::hdr;
pub use health::Client;
pub use html::html;
pub use json::ReadError;
pub use json::json;
pub use json::read;
pub use junit::junit;
pub use knee::Knee;
pub use log::RequestLog;
pub use markdown::markdown;
pub use merge::{MergeError, Merged, MergedPart, Saved, Shortfall, merge};
pub use notes::notes;
pub use progress::Progress;
pub use progress::line;
pub use prompts::{PromptSetInfo, PromptsInfo};
pub use result::RunInfo;
pub use result::Traffic;
pub use selftest::Ceiling;
pub use table::Style;
pub use table::Table;
pub use table::Tint;
pub use table::table;
pub use tax::{DirectSide, Tax};
pub use threshold::{Goodput, Threshold, ThresholdLevel, ThresholdVerdict};
