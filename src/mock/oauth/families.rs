//! Refresh tokens that rotate: each serves once, and one that comes again after its grace takes its whole family with it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// All refresh tokens.
#[derive(Debug)]
pub(super) struct Families {
    grace: Duration,
    tokens: HashMap<String, Link>,
    logins: Vec<Family>,
}

/// One token.
#[derive(Debug)]
struct Link {
    family: usize,
    /// What replaced it, and when.
    replaced: Option<(Instant, String)>,
}

/// All tokens that began with one login.
#[derive(Debug)]
struct Family {
    client: &'static str,
    scope: String,
    revoked: bool,
}

impl Families {
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, tokens: HashMap::new(), logins: Vec::new() }
    }

    /// The first token of a new family.
    pub(super) fn begin(&mut self, client: &'static str, scope: &str) -> String {
        self.logins.push(Family { client, scope: scope.to_owned(), revoked: false });
        self.add(self.logins.len() - 1)
    }

    /// Replaces a token: the next one and its scope, or whether the refusal is one of a token that came again.
    pub(super) fn turn(&mut self, token: &str, client: &str) -> Result<(String, String), bool> {
        let link = self.tokens.get(token).ok_or(false)?;
        let (number, replaced) = (link.family, link.replaced.clone());
        let family = &mut self.logins[number];
        if family.revoked || family.client != client {
            return Err(false);
        }
        let scope = family.scope.clone();
        match replaced {
            Some((when, _)) if when.elapsed() > self.grace => {
                family.revoked = true;
                Err(true)
            }
            // Whoever lost the answer gets the same one again.
            Some((_, next)) => Ok((next, scope)),
            None => {
                let next = self.add(number);
                let link = self.tokens.get_mut(token).expect("it was just looked at");
                link.replaced = Some((Instant::now(), next.clone()));
                Ok((next, scope))
            }
        }
    }

    /// How many families were revoked.
    pub(super) fn revoked(&self) -> usize {
        self.logins.iter().filter(|family| family.revoked).count()
    }

    fn add(&mut self, family: usize) -> String {
        let token = format!("rt-{}", Uuid::new_v4().simple());
        self.tokens.insert(token.clone(), Link { family, replaced: None });
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_serves_again_within_its_grace_and_ends_its_family_after_it() {
        let mut families = Families::new(Duration::from_secs(5));
        let first = families.begin("baton", "prompts");
        let (second, scope) = families.turn(&first, "baton").unwrap();
        assert_eq!(scope, "prompts");
        assert_eq!(families.turn(&first, "baton").unwrap().0, second);
        assert_eq!(families.turn(&second, "baton-post"), Err(false));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!((families.turn(&first, "baton"), families.revoked()), (Err(true), 1));
        assert_eq!(families.turn(&second, "baton"), Err(false));
        assert_eq!(families.turn("rt-unknown", "baton"), Err(false));
    }
}
