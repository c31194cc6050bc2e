//! A template whose `{{field}}` places are filled from a row's fields.

use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

/// The one template's name inside the library.
const NAME: &str = "template";

/// A prompt with places for a row's fields.
#[derive(Debug)]
pub struct Template(Environment<'static>);

impl Template {
    /// Reads a template; the error says what is wrong with it and in which line.
    pub fn new(text: String) -> Result<Self, String> {
        let mut environment = Environment::new();
        // A field that a row lacks is a mistake, never an empty place in a prompt.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template_owned(NAME, text).map_err(|error| error.to_string())?;
        let template = environment.get_template(NAME).map_err(|error| error.to_string())?;
        if template.undeclared_variables(false).is_empty() {
            return Err("it has no place for a field of a row, such as {{name}}".to_owned());
        }
        Ok(Self(environment))
    }

    /// The prompt of one row.
    pub(super) fn fill(&self, fields: &Map<String, Value>) -> Result<String, String> {
        let template = self.0.get_template(NAME).expect("it was added when this was made");
        template.render(minijinja::value::Serde(fields)).map_err(|error| {
            let missing = template.undeclared_variables(false);
            let mut missing: Vec<_> = missing.into_iter().filter(|name| !fields.contains_key(name)).collect();
            missing.sort_unstable();
            match missing[..] {
                [] => format!("the template cannot be filled: {error}"),
                _ => format!("the row has no field {} for the template", missing.join(", ")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(template: &str, row: &Value) -> Result<String, String> {
        Template::new(template.to_owned())?.fill(row.as_object().unwrap())
    }

    #[test]
    fn fields_fill_their_places_verbatim() {
        let row = json!({"name": "<Ada>", "age": 36, "tags": ["a", "b"], "to": {"city": "Turin"}});
        assert_eq!(fill("{{name}} & {{ age }} in {{ to.city }}", &row).unwrap(), "<Ada> & 36 in Turin");
        assert_eq!(fill("{% for tag in tags %}{{ tag }},{% endfor %}", &row).unwrap(), "a,b,");
    }

    #[test]
    fn a_missing_field_and_a_broken_template_are_named() {
        assert!(fill("{{name}} {{job}}", &json!({"name": "Ada"})).unwrap_err().contains("no field job"));
        assert!(Template::new("{{name".to_owned()).is_err());
        assert!(Template::new("no places".to_owned()).unwrap_err().contains("no place"));
    }
}
