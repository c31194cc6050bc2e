//! The `baton` command: parse, run, exit.

fn main() {}
