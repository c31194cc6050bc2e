//! The list of models (`GET /v1/models`) in both vendors' forms.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::WireError;
use super::json::{BODY, broken};
use super::printable::excerpt;

/// One page of a relay's list of models.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelPage {
    /// The models, in the relay's order.
    pub models: Vec<Model>,
    /// The id after which the next page begins, where there is one.
    pub next: Option<String>,
}

/// A model as a relay lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name to ask for.
    pub id: String,
    /// The name for people, which Anthropic's form has.
    pub display_name: Option<String>,
    /// Who offers it, which `OpenAI`'s form has.
    pub owned_by: Option<String>,
    /// When it came into being, where that is known.
    pub created: Option<Timestamp>,
}

/// Reads one page of either form: relays answer in one vendor's form whatever was asked for.
///
/// # Errors
///
/// [`WireError::Json`] where the JSON is broken, [`WireError::NotTheDialect`] where it is no list.
pub fn decode_models(body: &[u8]) -> Result<ModelPage, WireError> {
    let bytes = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let value: Value = serde_json::from_slice(bytes).map_err(|error| broken(BODY, &error, body))?;
    let entries = value.get("data").and_then(Value::as_array);
    let models = entries.and_then(|entries| entries.iter().map(model).collect::<Option<Vec<_>>>());
    let Some(models) = models else {
        return Err(WireError::NotTheDialect { dialect: "list of models", excerpt: excerpt(body) });
    };
    let more = value.get("has_more").and_then(Value::as_bool).unwrap_or(false);
    let last = value.get("last_id").and_then(Value::as_str).filter(|id| !id.is_empty());
    Ok(ModelPage { models, next: last.filter(|_| more).map(str::to_owned) })
}

/// One entry; only its id is indispensable.
fn model(value: &Value) -> Option<Model> {
    let fields = value.as_object()?;
    let id = text(fields, "id")?;
    let created = match (fields.get("created_at"), fields.get("created")) {
        (Some(Value::String(text)), _) => text.parse().ok(),
        (Some(Value::Number(seconds)), _) | (_, Some(Value::Number(seconds))) => {
            seconds.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok())
        }
        _ => None,
    };
    // Anthropic documents the epoch as "unknown", and relays fill in a zero.
    let created = created.filter(|time| *time != Timestamp::UNIX_EPOCH);
    let (display_name, owned_by) = (text(fields, "display_name"), text(fields, "owned_by"));
    Some(Model { id, display_name, owned_by, created })
}

/// A text that is not empty.
fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANTHROPIC: &[u8] = include_bytes!("../../tests/fixtures/wire/models-anthropic.json");
    const OPENAI: &[u8] = include_bytes!("../../tests/fixtures/wire/models-openai.json");

    #[test]
    fn a_page_in_anthropics_form_has_names_dates_and_the_way_to_the_next() {
        let page = decode_models(ANTHROPIC).unwrap();
        assert_eq!(page.next.as_deref(), Some("claude-3-7-sonnet-20250219"));
        assert_eq!(
            page.models[0],
            Model {
                id: "claude-sonnet-4-20250514".into(),
                display_name: Some("Claude Sonnet 4".into()),
                owned_by: None,
                created: Some("2025-05-22T00:00:00Z".parse().unwrap()),
            }
        );
        assert_eq!(page.models[1].created, None, "the epoch stands for an unknown date");
    }

    #[test]
    fn a_list_in_openais_form_has_owners_and_is_whole() {
        let page = decode_models(OPENAI).unwrap();
        assert_eq!((page.models.len(), page.next), (3, None));
        assert_eq!(
            page.models[1],
            Model {
                id: "model-id-1".into(),
                display_name: None,
                owned_by: Some("organization-owner".into()),
                created: Some(Timestamp::from_second(1_686_935_002).unwrap()),
            }
        );
    }

    #[test]
    fn an_empty_list_is_a_list_and_other_json_is_none() {
        assert_eq!(decode_models(br#"{"object":"list","data":[]}"#).unwrap(), ModelPage::default());
        for body in ["[]", "{}", r#"{"data":{}}"#, r#"{"data":[{"name":"x"}]}"#, r#"{"error":"no"}"#] {
            let error = decode_models(body.as_bytes()).unwrap_err();
            assert!(matches!(error, WireError::NotTheDialect { .. }), "{body}: {error}");
        }
        assert!(matches!(decode_models(b"{\"data\":"), Err(WireError::Json { .. })));
    }

    #[test]
    fn a_page_that_says_there_is_more_without_saying_where_is_the_last() {
        assert_eq!(decode_models(br#"{"data":[],"has_more":true,"last_id":null}"#).unwrap().next, None);
    }
}
