//! End-to-end tests: real servers on loopback, attackers, crashes.
