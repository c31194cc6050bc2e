//! Secrets in files: read only where nobody but their owner may read them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::net::exposed_mode;
use crate::units::Secret;

use super::Error;

/// Reads the secret in a file; `source` names the setting and the file in errors.
///
/// # Errors
///
/// That the file cannot be read, is empty, or may be read or changed by others (systems without modes do not tell).
pub fn read_private(path: &Path, source: &str) -> Result<Secret, Error> {
    let named = |error| Error::new(format!("{source}: {error}"));
    let mut file = File::open(path).map_err(named)?;
    refuse_exposed(&file, path, source)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(named)?;
    match text.trim() {
        "" => Err(Error::new(format!("{source}: the file is empty"))
            .hint("it must hold the secret and nothing else")),
        secret => Ok(Secret::new(secret)),
    }
}

/// Refuses a file of a secret that others may read or change; the arguments are those of [`read_private`].
///
/// # Errors
///
/// Its mode, or that the file system does not tell.
pub fn refuse_exposed(file: &File, path: &Path, source: &str) -> Result<(), Error> {
    let mode = exposed_mode(file).map_err(|error| Error::new(format!("{source}: {error}")))?;
    mode.map_or(Ok(()), |mode| {
        Err(Error::new(format!("{source}: others can read it (mode {mode:03o})"))
            .hint(format!("chmod 600 {}, and replace the secret if others may have", path.display())))
    })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(mode: u32) -> Result<Secret, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, " sk-planted\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        read_private(&path, "--key-file key")
    }

    #[test]
    fn a_file_that_others_may_read_or_change_is_refused_with_its_mode() {
        for mode in [0o600, 0o400, 0o700] {
            assert_eq!(read(mode).unwrap().expose(), "sk-planted", "{mode:o}");
        }
        for mode in [0o604, 0o640, 0o602, 0o644] {
            let error = read(mode).unwrap_err();
            assert_eq!(error.message, format!("--key-file key: others can read it (mode {mode:o})"));
            assert!(error.hint.unwrap().starts_with("chmod 600 "));
        }
    }
}
