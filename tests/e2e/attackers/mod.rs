//! One attacker a file.
