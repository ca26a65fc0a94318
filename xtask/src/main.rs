//! The habits of this repository as commands.

fn main() {}
