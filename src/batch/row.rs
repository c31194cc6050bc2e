//! What a line of the input asks for: its form recognised, the gaps filled from the command line.

use serde_json::{Map, Value};

use crate::client::Content;
use crate::wire::{Dialect, Prompt, Shape, encode};

use super::plain::Plain;
use super::template::Template;

/// Fields of a row of ours, `{"prompt": …}`.
const FIELDS: [&str; 9] =
    ["prompt", "id", "custom_id", "system", "model", "max_tokens", "temperature", "params", "session"];

/// How lines are to be read.
#[derive(Debug)]
pub struct Form {
    /// The dialect of every request.
    pub dialect: Dialect,
    /// What the command line says of every prompt; a row's own fields win.
    pub base: Prompt,
    /// Whether a line is JSON or the prompt itself.
    pub lines: LineKind,
    /// Makes the prompt of the row's fields.
    pub template: Option<Template>,
}

/// What a line is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// One JSON value a line.
    Json,
    /// The prompt itself.
    Text,
}

/// What a row asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    /// The row's own name.
    pub(super) id: Option<String>,
    /// What is sent.
    pub(super) content: Content,
    /// What keeps it at one endpoint, with other rows.
    pub(super) session: Option<String>,
}

impl Question {
    fn new(id: Option<String>, content: Content) -> Self {
        Self { id, content, session: None }
    }
}

/// Why a line is no row, in words that follow its place.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Unreadable {
    /// It cannot be read.
    #[error("{0}")]
    Line(String),
    /// It is a request of another dialect.
    #[error("the line is made for {made_for}, and --api {spoken} is spoken")]
    Dialect { made_for: Dialect, spoken: Dialect },
}

impl From<String> for Unreadable {
    fn from(message: String) -> Self {
        Self::Line(message)
    }
}

impl Form {
    /// Reads a line.
    pub(super) fn read(&self, line: &[u8]) -> Result<Question, Unreadable> {
        if self.lines == LineKind::Text {
            let text = str::from_utf8(line).map_err(|error| not_utf8(&error))?;
            return self.prompt(Map::from_iter([("prompt".to_owned(), Value::from(text))]));
        }
        if self.dialect == Dialect::Raw && self.template.is_none() {
            return Ok(Question::new(None, Content::Body(line.to_vec())));
        }
        if self.template.is_none()
            && let Some(plain) = Plain::read(line)
        {
            let (text, id) = plain.into_parts();
            let prompt = Prompt { text, ..self.base.clone() };
            return Ok(Question::new(id, Content::Prompt(Box::new(prompt))));
        }
        match serde_json::from_slice(line).map_err(|error| format!("no JSON: {error}"))? {
            Value::String(text) => self.prompt(Map::from_iter([("prompt".to_owned(), Value::from(text))])),
            Value::Object(fields) => self.object(fields),
            _ => Err("neither a JSON string nor an object".to_owned().into()),
        }
    }

    fn object(&self, mut fields: Map<String, Value>) -> Result<Question, Unreadable> {
        if self.template.is_some() {
            return self.prompt(fields);
        }
        if fields.contains_key("body")
            && ["custom_id", "url", "method"].iter().any(|key| fields.contains_key(*key))
        {
            return self.openai(fields);
        }
        if fields.contains_key("params") && fields.contains_key("custom_id") && !fields.contains_key("prompt")
        {
            return self.anthropic(fields);
        }
        let is_legacy = self.dialect == Dialect::Complete && fields.contains_key("max_tokens_to_sample");
        if fields.contains_key("prompt") && !is_legacy {
            return self.prompt(fields);
        }
        let what = match self.dialect {
            Dialect::Messages | Dialect::Chat => "messages",
            Dialect::Responses => "input",
            Dialect::Complete | Dialect::Raw => "prompt",
        };
        if !fields.contains_key(what) {
            return Err(format!(
                "no form of row: neither a prompt, nor a vendor's batch line, nor a body with \"{what}\""
            )
            .into());
        }
        let id = take_id(&mut fields)?;
        Ok(Question::new(id, self.body(fields)))
    }

    /// A line of a file made for OpenAI's Batch API.
    fn openai(&self, mut fields: Map<String, Value>) -> Result<Question, Unreadable> {
        let id = take_id(&mut fields)?;
        if let Some(method) = fields.get("method").filter(|method| *method != "POST") {
            return Err(format!("method {method}: only \"POST\" asks a model").into());
        }
        if let Some(url) = fields.get("url") {
            let path = url.as_str().unwrap_or_default();
            let named = Dialect::ALL.into_iter().find(|dialect| is_path_of(path, *dialect));
            let named = named.ok_or_else(|| format!("url {url}: no path of a dialect that asks a model"))?;
            self.expect(named)?;
        }
        match fields.remove("body") {
            Some(Value::Object(body)) => Ok(Question::new(id, self.body(body))),
            _ => Err("its body is no JSON object".to_owned().into()),
        }
    }

    /// A line of a file made for Anthropic's Message Batches.
    fn anthropic(&self, mut fields: Map<String, Value>) -> Result<Question, Unreadable> {
        let id = take_id(&mut fields)?;
        self.expect(Dialect::Messages)?;
        match fields.remove("params") {
            Some(Value::Object(body)) => Ok(Question::new(id, self.body(body))),
            _ => Err("its params are no JSON object".to_owned().into()),
        }
    }

    /// Refuses a line that is made for another dialect than is spoken.
    fn expect(&self, made_for: Dialect) -> Result<(), Unreadable> {
        if self.dialect == made_for {
            return Ok(());
        }
        Err(Unreadable::Dialect { made_for, spoken: self.dialect })
    }

    /// A body of the row's own, its gaps filled from the command line.
    fn body(&self, mut body: Map<String, Value>) -> Content {
        if self.dialect == Dialect::Raw {
            return Content::Body(Value::Object(body).to_string().into_bytes());
        }
        let shape = Shape { stream: false, stream_usage: false };
        let unsaid = Prompt { system: None, ..self.base.clone() };
        let defaults: Value =
            serde_json::from_slice(&encode(self.dialect, &unsaid, shape)).unwrap_or_default();
        for (key, value) in defaults.as_object().into_iter().flatten() {
            if !["messages", "input", "prompt"].contains(&key.as_str()) && !has_its_own(&body, key) {
                body.insert(key.clone(), value.clone());
            }
        }
        if let Some(system) = &self.base.system {
            add_system(self.dialect, &mut body, system);
        }
        Content::Body(Value::Object(body).to_string().into_bytes())
    }

    /// A row of ours: a prompt and fields that win over the command line.
    fn prompt(&self, mut fields: Map<String, Value>) -> Result<Question, Unreadable> {
        if let Some(template) = &self.template {
            let prompt = Prompt { text: template.fill(&fields)?, ..self.base.clone() };
            let session = take_session(&mut fields)?;
            let content = Content::Prompt(Box::new(prompt));
            return Ok(Question { session, ..Question::new(take_id(&mut fields)?, content) });
        }
        let (id, session) = (take_id(&mut fields)?, take_session(&mut fields)?);
        let mut prompt = self.base.clone();
        for (key, value) in fields {
            match (key.as_str(), value) {
                (_, Value::Null) if key != "prompt" => {}
                ("prompt", Value::String(text)) => prompt.text = text,
                ("system", Value::String(text)) => prompt.system = Some(text),
                ("model", Value::String(name)) => prompt.model = Some(name),
                ("max_tokens", Value::Number(number)) if number.as_u64().is_some_and(|limit| limit > 0) => {
                    prompt.max_tokens = number.as_u64();
                }
                ("temperature", Value::Number(number)) => prompt.temperature = number.as_f64(),
                ("params", Value::Object(params)) => prompt.params.extend(params),
                (known, value) if FIELDS.contains(&known) => {
                    return Err(format!("\"{known}\" cannot be {value}").into());
                }
                // Other columns of a data set pass by; a slip of the keyboard does not.
                (other, _) => near_miss(other).map_or(Ok(()), |message| Err(Unreadable::Line(message)))?,
            }
        }
        if prompt.text.trim().is_empty() {
            return Err("its prompt is empty".to_owned().into());
        }
        Ok(Question { session, ..Question::new(id, Content::Prompt(Box::new(prompt))) })
    }
}

/// Whether an address of a batch line names the dialect.
fn is_path_of(url: &str, dialect: Dialect) -> bool {
    dialect.path().is_some_and(|path| url.trim_end_matches('/').ends_with(path))
}

/// Whether a body says for itself what a default would say, under one of the names that it may have.
fn has_its_own(body: &Map<String, Value>, key: &str) -> bool {
    let other_name = match key {
        "max_completion_tokens" => "max_tokens",
        _ => key,
    };
    body.contains_key(key) || body.contains_key(other_name)
}

/// Adds the command line's system prompt to a body that has none.
fn add_system(dialect: Dialect, body: &mut Map<String, Value>, system: &str) {
    let key = match dialect {
        Dialect::Messages => "system",
        Dialect::Responses => "instructions",
        Dialect::Chat => {
            let Some(Value::Array(turns)) = body.get_mut("messages") else { return };
            let is_system = |turn: &Value| turn["role"] == "system" || turn["role"] == "developer";
            if !turns.iter().any(is_system) {
                turns.insert(0, serde_json::json!({ "role": "system", "content": system }));
            }
            return;
        }
        Dialect::Complete | Dialect::Raw => return,
    };
    if !body.contains_key(key) {
        body.insert(key.to_owned(), Value::from(system));
    }
}

/// Takes the row's name out of it.
fn take_id(fields: &mut Map<String, Value>) -> Result<Option<String>, Unreadable> {
    let short = fields.shift_remove("id");
    match fields.shift_remove("custom_id").or(short) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(id)),
        Some(Value::Number(id)) => Ok(Some(id.to_string())),
        Some(other) => Err(format!("its id cannot be {other}").into()),
    }
}

/// What keeps a row at one of several endpoints.
fn take_session(fields: &mut Map<String, Value>) -> Result<Option<String>, Unreadable> {
    match fields.shift_remove("session") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) if !name.is_empty() => Ok(Some(name)),
        Some(other) => Err(format!("\"session\" cannot be {other}").into()),
    }
}

/// What a field was probably meant to be, where it is one or two letters off.
fn near_miss(key: &str) -> Option<String> {
    let near = FIELDS.iter().find(|known| known.len() > 3 && strsim::damerau_levenshtein(known, key) <= 2)?;
    Some(format!("there is no field \"{key}\": is \"{near}\" meant?"))
}

fn not_utf8(error: &std::str::Utf8Error) -> String {
    format!("not UTF-8 text (byte {})", error.valid_up_to())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(dialect: Dialect) -> Form {
        let base = Prompt { model: Some("m".into()), ..Prompt::default() };
        Form { dialect, base, lines: LineKind::Json, template: None }
    }

    fn body(dialect: Dialect, line: &Value) -> (Option<String>, Value) {
        let question = form(dialect).read(line.to_string().as_bytes()).unwrap();
        let body = match question.content {
            Content::Body(body) => body,
            Content::Prompt(prompt) => encode(dialect, &prompt, Shape { stream: false, stream_usage: false }),
        };
        (question.id, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn each_form_of_row_is_recognised() {
        let messages =
            json!({"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}]});
        let turns = json!([{"role": "user", "content": "Hi"}]);
        for (line, id) in [
            (json!("Hi"), None),
            (json!({"prompt": "Hi", "id": 7}), Some("7")),
            (
                json!({"custom_id": "a", "params": {"model": "m", "max_tokens": 4096, "messages": turns}}),
                Some("a"),
            ),
            (json!({"messages": turns, "id": "b"}), Some("b")),
        ] {
            assert_eq!(body(Dialect::Messages, &line), (id.map(str::to_owned), messages.clone()), "{line}");
        }
        let chat = json!({"model": "m", "messages": turns});
        let line = json!({"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": turns, "model": "m"}});
        assert_eq!(body(Dialect::Chat, &line), (Some("c".to_owned()), chat));
    }

    #[test]
    fn a_rows_own_fields_win_over_the_command_line_and_gaps_are_filled_from_it() {
        let mut form = form(Dialect::Chat);
        form.base.system = Some("Be brief".into());
        form.base.temperature = Some(0.5);
        form.base.max_tokens = Some(9);
        let line = br#"{"messages":[{"role":"user","content":"Hi"}],"temperature":1,"max_tokens":3}"#;
        let Content::Body(body) = form.read(line).unwrap().content else { panic!("a body") };
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&body["temperature"], &body["max_tokens"], &body["model"]),
            (&json!(1), &json!(3), &json!("m"))
        );
        assert_eq!(body["messages"][0], json!({"role": "system", "content": "Be brief"}));
        assert!(body.get("max_completion_tokens").is_none());
        let row = form.read(br#"{"prompt":"Hi","max_tokens":2,"label":"x"}"#).unwrap();
        let Content::Prompt(prompt) = row.content else { panic!("a prompt") };
        assert_eq!((prompt.max_tokens, prompt.temperature), (Some(2), Some(0.5)));
    }

    #[test]
    fn a_line_that_is_no_row_says_why() {
        let refused = |line: &[u8]| form(Dialect::Messages).read(line).unwrap_err().to_string();
        assert!(refused(b"{\"prompt\":").starts_with("no JSON"));
        assert!(refused(b"[1]").contains("neither a JSON string nor an object"));
        assert!(refused(br#"{"question":"Hi"}"#).contains("no form of row"));
        assert!(refused(br#"{"prompt":"Hi","temprature":1}"#).contains("is \"temperature\" meant"));
        assert!(refused(br#"{"prompt":7}"#).contains("\"prompt\" cannot be 7"));
        assert!(refused(br#"{"prompt":" "}"#).contains("empty"));
        let other = br#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}"#;
        assert!(refused(other).contains("made for chat"));
    }

    #[test]
    fn text_lines_are_prompts_and_raw_lines_are_bodies() {
        let text = Form { lines: LineKind::Text, ..form(Dialect::Messages) };
        let Content::Prompt(prompt) = text.read(b"{\"not\": json").unwrap().content else {
            panic!("a prompt")
        };
        assert_eq!(prompt.text, "{\"not\": json");
        assert!(text.read(b"\xFF").unwrap_err().to_string().contains("UTF-8"));
        assert_eq!(
            form(Dialect::Raw).read(b"any bytes").unwrap().content,
            Content::Body(b"any bytes".to_vec())
        );
    }
}
