//! Logins by a device code (RFC 8628): one code for the device, one for a person, and that person's decision.

use uuid::Uuid;

/// All logins under way.
#[derive(Debug, Default)]
pub(super) struct Devices(Vec<Login>);

#[derive(Debug)]
struct Login {
    device: String,
    user: String,
    scope: String,
    word: Option<Word>,
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Allowed,
    Denied,
}

impl Word {
    pub(super) fn of(allows: impl Into<bool>) -> Self {
        if allows.into() { Self::Allowed } else { Self::Denied }
    }
}

impl Devices {
    /// Begins a login: the code of the device and that of the person.
    pub(super) fn begin(&mut self, scope: &str) -> (String, String) {
        let device = Uuid::new_v4().simple().to_string();
        let user = format!("{:04X}-{:04X}", fastrand::u16(..), fastrand::u16(..));
        let login = Login { device: device.clone(), user: user.clone(), scope: scope.to_owned(), word: None };
        self.0.push(login);
        (device, user)
    }

    /// Takes a person's decision; whether there is such a login.
    pub(super) fn decide(&mut self, user: &str, word: Word) -> bool {
        let login = self.0.iter_mut().find(|login| login.user == user);
        login.map(|login| login.word = Some(word)).is_some()
    }

    /// Ends a login that was allowed, with the scope of it.
    pub(super) fn collect(&mut self, device: &str) -> Result<String, &'static str> {
        let at = self.0.iter().position(|login| login.device == device).ok_or("invalid_grant")?;
        match self.0[at].word {
            None => Err("authorization_pending"),
            Some(Word::Denied) => Err("access_denied"),
            Some(Word::Allowed) => Ok(self.0.swap_remove(at).scope),
        }
    }
}
