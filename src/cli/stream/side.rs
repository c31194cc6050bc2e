//! The side file of an answer that did not become whole: what happened, for people and scripts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::rendering::Form;
use crate::cli::show;
use crate::cli::show::Account;
use crate::client::Exchange;

use super::intake::Remains;
use super::place::side_of;

/// What is known of an answer that did not become whole.
pub(super) struct Story<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) remains: &'a Remains,
    pub(super) form: Form,
    pub(super) account: Account,
    /// What went wrong, in words.
    pub(super) message: String,
}

impl Story<'_> {
    /// Writes it beside the partial file and says where.
    pub(super) fn write(&self, partial: &Path) -> io::Result<PathBuf> {
        let name = partial.file_name().unwrap_or_default().to_string_lossy();
        let text = format!("{:#}\n", Value::Object(self.fields(&name)));
        let side = side_of(partial);
        fs::write(&side, text).map(|()| side)
    }

    fn fields(&self, partial: &str) -> Map<String, Value> {
        let Self { exchange, remains, form, account, message } = self;
        let last = remains.last.map(|(event, at)| json!({ "event": event, "t_ms": show::ms(Some(at)) }));
        let mut fields = Map::new();
        let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        add("partial", partial.into());
        add("format", form.name().into());
        add("bytes", remains.written.bytes.into());
        add("message", message.as_str().into());
        add("last_event", last.unwrap_or_default());
        add("deltas", exchange.deltas.into());
        add("ended", Timestamp::now().to_string().into());
        fields.extend(show::exchange_fields(exchange, *account));
        fields
    }
}
