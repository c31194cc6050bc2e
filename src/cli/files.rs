//! The files of `--file`: texts that become part of the prompt, and images and PDF that go with it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::units::grouped;
use crate::wire::{Attachment, Dialect, Media};

use super::Usage;

/// The largest size of all attachments together, in bytes: as much as the largest request that Anthropic documents, so
/// that a slip of the hand is caught here and not after a long upload.
const LIMIT: usize = 32 * 1024 * 1024;

/// What the files hold, in their order.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) texts: Vec<String>,
    pub(super) attachments: Vec<Attachment>,
}

/// Reads each file and tells what it is: by its first bytes, then by its name, then as text.
pub(super) fn read(paths: &[PathBuf], dialect: Dialect) -> Result<Files, Usage> {
    let mut files = Files::default();
    let mut room = Room { dialect, taken: 0 };
    for path in paths {
        let bytes = fs::read(path).map_err(|error| refusal(path, error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match Media::of_bytes(&bytes) {
            Some(media) => files.attachments.push(room.attach(path, &bytes, media)?),
            None => match (String::from_utf8(bytes), Media::of_name(&name)) {
                // A text is a text, whatever its name says.
                (Ok(text), _) => files.texts.push(text),
                (Err(error), Some(media)) => {
                    files.attachments.push(room.attach(path, error.as_bytes(), media)?);
                }
                (Err(error), None) => return Err(unknown(path, &error)),
            },
        }
    }
    Ok(files)
}

/// What a prompt has room for.
struct Room {
    dialect: Dialect,
    /// Bytes of the attachments so far.
    taken: usize,
}

impl Room {
    /// Makes an attachment of a file, where the dialect has a place for it and the limit is not passed.
    fn attach(&mut self, path: &Path, bytes: &[u8], media: Media) -> Result<Attachment, Usage> {
        if !self.dialect.has_turns() {
            let what = format!("{}, which has no place with --api {}", media.media_type(), self.dialect);
            return Err(refusal(path, what).hint("--api messages, chat and responses take images and PDF"));
        }
        self.taken += bytes.len();
        if self.taken > LIMIT {
            let [own, all, limit] = [bytes.len(), self.taken, LIMIT].map(|bytes| grouped(bytes as u64));
            let what =
                format!("with its {own} bytes the attachments come to {all}, and the limit is {limit}");
            return Err(refusal(path, what).hint("make it smaller, or send its text alone"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Attachment::new(media, name, bytes))
    }
}

/// A file that is neither text nor anything that a prompt can hold.
fn unknown(path: &Path, error: &std::string::FromUtf8Error) -> Usage {
    let at = error.utf8_error().valid_up_to();
    let line = memchr::memchr_iter(b'\n', &error.as_bytes()[..at]).count() + 1;
    refusal(path, format!("neither UTF-8 text (byte {at}, line {line}) nor an image or PDF"))
        .hint("png, jpeg, gif, webp and PDF are attached; a text in another encoding needs iconv -t UTF-8")
}

fn refusal(path: &Path, what: impl std::fmt::Display) -> Usage {
    Usage::new(format!("--file {}: {what}", path.display()))
}
