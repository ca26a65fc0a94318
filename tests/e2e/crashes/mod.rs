//! What dies in between.
