//! What bodies a relay takes: compressed ones and large ones.

use super::dress::Dress;
use super::subject::{Ask, Subject, Trouble};
use super::{Ruling, Verdict};

/// Sizes at which relays in the wild stop: Envoy's buffer at 32 KiB, nginx at 1 MiB.
const USUAL: [usize; 2] = [33 * 1024, 1024 * 1024 + 1024];
/// Sizes of prompts with documents and pictures.
const LARGE: [usize; 3] = [5 << 20, 12 << 20, 31 << 20];

/// What a small body unpacks to.
const BOMB: usize = 128 << 20;

/// C12: a compressed body is taken, or refused in a way that says so.
pub(super) async fn compressed(subject: &Subject) -> Result<Ruling, Trouble> {
    let mut ruling = Ruling { verdict: Verdict::Pass, evidence: Vec::new() };
    for (dress, name) in [(Dress::Gzip, "gzip"), (Dress::Zstd, "zstd")] {
        let seen = subject.ask(&Ask { dress, ..subject.question() }).await?;
        let verdict = match seen.status {
            200..=299 | 415 => Verdict::Pass,
            _ => Verdict::Fail,
        };
        ruling.verdict = ruling.verdict.max(verdict);
        let answer =
            if seen.is_success() { "was taken".to_owned() } else { format!("was answered {}", seen.quote()) };
        ruling = ruling.and(format!("a body in {name} {answer}"));
    }
    Ok(ruling)
}

/// C15: bodies of a usual size are taken. They are padded with white space, which costs no tokens.
pub(super) async fn size(subject: &Subject) -> Result<Ruling, Trouble> {
    sizes(subject, &USUAL).await
}

/// C37: so are large ones.
pub(super) async fn large(subject: &Subject) -> Result<Ruling, Trouble> {
    sizes(subject, &LARGE).await
}

/// C39: a body that unpacks to far more than is taken plain is refused.
pub(super) async fn bomb(subject: &Subject) -> Result<Ruling, Trouble> {
    let line = format!("a body in gzip that unpacks to {} MiB", BOMB >> 20);
    let seen = match subject.ask(&Ask { dress: Dress::Bomb(BOMB), ..subject.question() }).await {
        Err(Trouble::Net(error)) => return Ok(Ruling::fail(format!("{line}: {error}"))),
        answered => answered?,
    };
    let line = format!("{line} was answered {}", seen.quote());
    Ok(match seen.status {
        400 | 413 | 415 | 422 => Ruling::pass(line),
        429 => Ruling::skip(line),
        _ => Ruling::fail(line),
    })
}

async fn sizes(subject: &Subject, sizes: &[usize]) -> Result<Ruling, Trouble> {
    for size in sizes {
        let seen = subject.ask(&Ask { dress: Dress::Padded(*size), ..subject.question() }).await?;
        if !seen.is_success() {
            return Ok(Ruling::fail(format!("a body of {} KiB was answered {}", size / 1024, seen.quote())));
        }
    }
    let largest = sizes.iter().max().map_or(0, |size| size / 1024);
    Ok(Ruling::pass(format!("bodies of up to {largest} KiB were taken")))
}
