//! What relays do wrong: each habit by its name, and the personalities that are made of them.

use std::str::FromStr;

use crate::units::nearest;

/// One way in which a gateway treats its clients or its upstream badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Holds a stream back until it is whole.
    Buffer,
    /// States a usage of nothing in streams.
    ZeroUsage,
    /// Drops `Retry-After` and the vendors' rate-limit headers.
    DropLimits,
    /// Reads the upstream to its end although the client has gone.
    KeepUpstream,
    /// Never gives the place of an aborted request back.
    LeakSlots,
    /// Gives an upstream up that is silent for a minute.
    CutSilence,
    /// Passes an empty answer on as a success.
    PassEmpty,
    /// Makes a successful end of an error inside of a stream.
    MaskErrors,
    /// Ends a broken stream cleanly.
    CleanEnd,
    /// Adds the terminal event that the upstream did not send.
    AddTerminal,
    /// Names another model than the one asked for.
    RenameModel,
    /// Serves a model of its own where the one asked for is unknown.
    ServeAnyModel,
    /// Answers 400 to a compressed body.
    CompressedIsInvalid,
    /// Answers 500 to a compressed body.
    CompressedIsFatal,
    /// Asks the upstream three times before it gives a failure on.
    RetryUpstream,
    /// Takes bodies of up to 32 KiB.
    SmallBodies,
    /// Appends `[DONE]` to every stream.
    StrayDone,
    /// Decides on access by what `X-Forwarded-For` claims.
    TrustForwarded,
    /// Neither echoes nor forwards the request's id.
    LoseRequestId,
    /// Closes each connection after one reply.
    CloseConnections,
    /// Speaks no HTTP/1.1.
    RefuseHttpOne,
    /// Knows none of the vendors' paths.
    NoDialect,
    /// Lets every key in.
    AnyKey,
    /// Answers 400 to a wrong key.
    KeyIsInvalid,
    /// Words errors as plain text with a stack trace.
    TextErrors,
    /// Tells what it runs on, lets every web page in, and repeats the key.
    LeakHeaders,
    /// States a time ten minutes ahead.
    WrongDate,
    /// Makes 500 of 529.
    FlattenOverload,
    /// Ends a stream silently at a line of more than 64 KiB.
    LineLimit,
    /// Decodes every read by itself, so that characters between two reads are lost.
    MangleText,
    /// Drops the comments of a stream.
    DropComments,
    /// Forwards none of the client's own headers.
    DropHeaders,
    /// Answers 500 to every dialect but Anthropic's.
    CrashElsewhere,
    /// Unpacks whatever it gets, without a bound.
    UnpackAnything,
}

/// Every habit with its name.
const HABITS: [(&str, Habit); 34] = [
    ("buffer", Habit::Buffer),
    ("zero-usage", Habit::ZeroUsage),
    ("drop-limits", Habit::DropLimits),
    ("keep-upstream", Habit::KeepUpstream),
    ("leak-slots", Habit::LeakSlots),
    ("cut-silence", Habit::CutSilence),
    ("pass-empty", Habit::PassEmpty),
    ("mask-errors", Habit::MaskErrors),
    ("clean-end", Habit::CleanEnd),
    ("add-terminal", Habit::AddTerminal),
    ("rename-model", Habit::RenameModel),
    ("serve-any-model", Habit::ServeAnyModel),
    ("compressed-is-invalid", Habit::CompressedIsInvalid),
    ("compressed-is-fatal", Habit::CompressedIsFatal),
    ("retry-upstream", Habit::RetryUpstream),
    ("small-bodies", Habit::SmallBodies),
    ("stray-done", Habit::StrayDone),
    ("trust-forwarded", Habit::TrustForwarded),
    ("lose-request-id", Habit::LoseRequestId),
    ("close-connections", Habit::CloseConnections),
    ("refuse-http-one", Habit::RefuseHttpOne),
    ("no-dialect", Habit::NoDialect),
    ("any-key", Habit::AnyKey),
    ("key-is-invalid", Habit::KeyIsInvalid),
    ("text-errors", Habit::TextErrors),
    ("leak-headers", Habit::LeakHeaders),
    ("wrong-date", Habit::WrongDate),
    ("flatten-overload", Habit::FlattenOverload),
    ("line-limit", Habit::LineLimit),
    ("mangle-text", Habit::MangleText),
    ("drop-comments", Habit::DropComments),
    ("drop-headers", Habit::DropHeaders),
    ("crash-elsewhere", Habit::CrashElsewhere),
    ("unpack-anything", Habit::UnpackAnything),
];

/// Known relays, as they were measured or read, and two of our own.
///
/// Sources: a lab of LiteLLM 1.100.5, Portkey 1.15.2 and claude-code-router 2.0.0 with a scripted upstream, and the
/// source text of one-api; nginx by its documented defaults (`proxy_buffering on`, `proxy_read_timeout 60s`).
const PERSONALITIES: [(&str, &[Habit]); 8] = [
    ("strict", &[]),
    (
        "litellm",
        &[
            Habit::DropLimits,
            Habit::FlattenOverload,
            Habit::CompressedIsInvalid,
            Habit::LoseRequestId,
            Habit::AddTerminal,
            Habit::RetryUpstream,
            Habit::DropHeaders,
            Habit::DropComments,
            Habit::KeyIsInvalid,
        ],
    ),
    (
        "portkey",
        &[
            Habit::CompressedIsFatal,
            Habit::CleanEnd,
            Habit::KeepUpstream,
            Habit::DropHeaders,
            Habit::LoseRequestId,
            Habit::RenameModel,
        ],
    ),
    (
        "ccr",
        &[
            Habit::ZeroUsage,
            Habit::DropLimits,
            Habit::TextErrors,
            Habit::CompressedIsInvalid,
            Habit::KeepUpstream,
            Habit::MaskErrors,
            Habit::AddTerminal,
            Habit::DropComments,
            Habit::RenameModel,
            Habit::DropHeaders,
            Habit::LoseRequestId,
        ],
    ),
    (
        "one-api",
        &[
            Habit::DropLimits,
            Habit::LineLimit,
            Habit::AddTerminal,
            Habit::StrayDone,
            Habit::DropComments,
            Habit::TrustForwarded,
            Habit::LoseRequestId,
        ],
    ),
    ("nginx-buffered", &[Habit::Buffer, Habit::CutSilence]),
    ("envoy", &[Habit::SmallBodies]),
    (
        "careless",
        &[
            Habit::LeakSlots,
            Habit::PassEmpty,
            Habit::ServeAnyModel,
            Habit::CloseConnections,
            Habit::AnyKey,
            Habit::LeakHeaders,
            Habit::WrongDate,
            Habit::MangleText,
            Habit::CrashElsewhere,
            Habit::UnpackAnything,
        ],
    ),
];

/// What a gateway is like: the habits it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Personality(Vec<Habit>);

impl Personality {
    /// A gateway with these habits.
    pub fn of(habits: &[Habit]) -> Self {
        Self(habits.to_vec())
    }

    /// Whether it has this habit.
    pub fn has(&self, habit: Habit) -> bool {
        self.0.contains(&habit)
    }

    /// The names of all personalities and the habits they are made of, for a list.
    pub fn known() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
        PERSONALITIES.iter().map(|(name, habits)| (*name, habits.iter().map(|habit| habit.name()).collect()))
    }
}

impl Habit {
    /// Every habit.
    pub fn all() -> impl Iterator<Item = Self> {
        HABITS.iter().map(|(_, habit)| *habit)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        HABITS.iter().find(|(_, habit)| *habit == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for Personality {
    type Err = String;

    /// Reads the name of a personality, or habits separated by `+`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((_, habits)) = PERSONALITIES.iter().find(|(name, _)| *name == text) {
            return Ok(Self::of(habits));
        }
        let habit = |name: &str| {
            let found = HABITS.iter().find(|(known, _)| *known == name).map(|(_, habit)| *habit);
            found.ok_or_else(|| unknown(name))
        };
        Ok(Self(text.split('+').map(habit).collect::<Result<_, _>>()?))
    }
}

/// What to say of a name that stands for nothing.
fn unknown(name: &str) -> String {
    let personalities = PERSONALITIES.map(|(name, _)| name);
    let names: Vec<&str> = personalities.into_iter().chain(HABITS.map(|(name, _)| name)).collect();
    let near = nearest(name, &names).map(|near| format!(": did you mean {near}?"));
    let list =
        format!("; write one of {} (`--list-personalities` says what they do)", personalities.join(", "));
    format!("'{name}' is no personality and no habit{}", near.unwrap_or(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personality_is_a_name_or_a_sum_of_habits() {
        let read = |text: &str| text.parse::<Personality>();
        assert!(read("strict").unwrap().0.is_empty());
        assert!(read("nginx-buffered").unwrap().has(Habit::Buffer));
        assert_eq!(read("buffer+leak-slots"), Ok(Personality::of(&[Habit::Buffer, Habit::LeakSlots])));
        assert_eq!(
            read("litelm"),
            Err("'litelm' is no personality and no habit: did you mean litellm?".into())
        );
        assert!(read("nonsense").unwrap_err().contains("strict, litellm"));
    }

    #[test]
    fn every_habit_has_one_name() {
        let mut names: Vec<_> = Habit::all().map(Habit::name).collect();
        assert!(names.iter().all(|name| !name.is_empty()));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), HABITS.len());
    }
}
