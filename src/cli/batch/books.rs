//! Opens what a batch run writes to, and words what can go wrong with it.

use std::fs;
use std::io::{BufWriter, stdout};
use std::path::Path;

use crate::batch;
use crate::batch::{Books, Error, Input, OutputForm, Resume};

use crate::units::grouped;

use super::super::output::OutputError;
use super::super::{Talk, Usage};
use super::BatchOptions;

/// What a run writes to, and how much it will read.
pub(super) struct Opened {
    pub(super) books: Books,
    pub(super) output: batch::Output,
    /// Bytes of the input, where they can be known beforehand.
    pub(super) size: Option<u64>,
}

/// Opens journal and output; nothing that is there is lost but by `--overwrite`.
pub(super) fn open(options: &BatchOptions, talk: Talk) -> anyhow::Result<Opened> {
    let inputs = options.inputs();
    for input in &inputs {
        if let Input::File(path) = input {
            fs::File::open(path).map_err(|error| Usage::new(format!("{}: {error}", path.display())))?;
            if path.is_dir() {
                return Err(Usage::new(format!("{}: it is a directory", path.display())).into());
            }
        }
    }
    let journal = options.journal_file();
    let going_on = options.going_on();
    if going_on == Resume::Afresh && !options.may_replace() {
        for path in [options.output_file(), journal.as_deref()].into_iter().flatten() {
            refuse_to_replace(path)?;
        }
    }
    let books = match &journal {
        None => Books::unnamed(),
        Some(path) => {
            let adoptable = options.output_file().filter(|_| options.form() == OutputForm::Baton);
            Books::open(path, going_on, adoptable)
        }
    };
    let mut books = books.map_err(explain)?;
    if going_on != Resume::Afresh
        && let Err(error) = refuse_to_lose(options, &books).and_then(|()| check(&inputs, &books, going_on))
    {
        books.abandon();
        return Err(error);
    }
    books.begin().map_err(explain)?;
    if let Some(mended) = books.mended() {
        talk.notice(format_args!("note: the journal was mended: {mended}"));
    }
    if books.finished() > 0 {
        talk.notice(format_args!("{} rows were finished before", grouped(books.finished())));
    }
    Ok(Opened { books, output: open_output(options)?, size: size(&inputs) })
}

/// Refuses files in which a finished row has changed; a pipe is checked as it is read.
fn check(inputs: &[Input], books: &Books, going_on: Resume) -> anyhow::Result<()> {
    let are_files = inputs.iter().all(|input| matches!(input, Input::File(path) if path.is_file()));
    if are_files { books.verify(inputs, going_on).map_err(explain) } else { Ok(()) }
}

fn refuse_to_replace(path: &Path) -> Result<(), Usage> {
    let holds = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0);
    if !holds {
        return Ok(());
    }
    let message = format!("{}: it is there already", path.display());
    Err(Usage::new(message).hint("--resume goes on with that run, --overwrite starts over"))
}

/// An output in another form cannot tell which rows it holds: without a journal it is not gone on from.
fn refuse_to_lose(options: &BatchOptions, books: &Books) -> anyhow::Result<()> {
    let Some(output) = options.output_file() else { return Ok(()) };
    if books.finished() > 0 {
        return Ok(());
    }
    let holds = fs::metadata(output).is_ok_and(|file| file.is_file() && file.len() > 0);
    if !holds {
        return Ok(());
    }
    let message = format!("{}: its journal is gone, without which nobody knows its rows", output.display());
    Err(Usage::new(message).hint("--overwrite starts over").into())
}

fn open_output(options: &BatchOptions) -> Result<batch::Output, OutputError> {
    let Some(path) = options.output_file() else {
        return Ok((Box::new(BufWriter::new(stdout())), "standard output".to_owned()));
    };
    let failed = |source| OutputError::new(path.display(), source);
    // What it holds is written anew from the journal.
    let file = fs::File::create(path).map_err(failed)?;
    Ok((Box::new(BufWriter::with_capacity(1 << 16, file)), path.display().to_string()))
}

/// Bytes of all inputs, where all are plain files.
fn size(inputs: &[Input]) -> Option<u64> {
    let size = |input: &Input| match input {
        Input::Stdin => None,
        Input::File(path) => {
            let packed = path.extension().is_some_and(|ending| ending == "gz" || ending == "zst");
            fs::metadata(path).ok().filter(|file| file.is_file() && !packed).map(|file| file.len())
        }
    };
    inputs.iter().map(size).sum()
}

/// An error of the run in terms of the flags.
pub(super) fn explain(error: Error) -> anyhow::Error {
    let message = error.to_string();
    match error {
        Error::Write { place, source } => OutputError::new(place, source).into(),
        Error::Record(_) | Error::Start(_) | Error::Panicked => anyhow::anyhow!(message),
        Error::Dialect { made_for, .. } => Usage::new(message).hint(format!("add --api {made_for}")).into(),
        Error::Unreadable { .. } => {
            Usage::new(message).hint("without --strict such a line becomes a failed row").into()
        }
        Error::Changed { .. } | Error::Shorter { .. } => {
            Usage::new(message).hint("give the input of that run, or start over with --overwrite").into()
        }
        Error::Foreign(_) => Usage::new(message).hint("--overwrite would replace it").into(),
        Error::InUse(_) => Usage::new(message).hint("wait for it, or name another output").into(),
        Error::Input { .. } => Usage::new(message).into(),
    }
}
