//! The exit codes, as docs/exit-codes.md lists them.

/// Done.
pub const DONE: u8 = 0;
/// Finished, but some rows or requests failed; also any failure without a code of its own.
pub const SOME_FAILED: u8 = 1;
/// Usage or configuration.
pub const USAGE: u8 = 2;
/// The relay refused the credentials.
pub const AUTH: u8 = 3;
/// The relay rejected or redirected the request.
pub const REJECTED: u8 = 4;
/// The relay failed or was overloaded after all attempts.
pub const FAILED: u8 = 5;
/// Rate-limited beyond `--max-wait` or after all attempts.
pub const RATE_LIMITED: u8 = 6;
/// Quota or spending cap.
pub const QUOTA: u8 = 7;
/// A timeout.
pub const TIMEOUT: u8 = 8;
/// A truncated or malformed answer.
pub const BROKEN: u8 = 9;
/// `--fail-on` matched.
pub const FAIL_ON: u8 = 10;
/// No connection.
pub const NETWORK: u8 = 11;
/// The output could not be written.
pub const OUTPUT: u8 = 12;
/// A measurement that must not be trusted.
pub const UNTRUSTED: u8 = 98;
/// A threshold or a check failed.
pub const THRESHOLD: u8 = 99;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;
/// Terminated.
pub const TERMINATED: u8 = 143;
