//! A whole set of prompts at once, for who sends it more than once; a line that is no row is refused with its place.

use crate::client::Content;

use super::lines::Lines;
use super::row::{Form, Unreadable};
use super::{Error, Input};

/// What every row of these inputs asks for, in their order.
pub fn read_all(inputs: &[Input], form: &Form) -> Result<Vec<Content>, Error> {
    let mut lines = Lines::of(inputs);
    let mut asked = Vec::new();
    while let Some(line) = lines.next()? {
        let question = form.read(line.bytes).map_err(|unreadable| match unreadable {
            Unreadable::Line(message) => Error::Unreadable { place: line.place(), message },
            Unreadable::Dialect { made_for, .. } => Error::Dialect { place: line.place(), made_for },
        })?;
        asked.push(question.content);
    }
    Ok(asked)
}
