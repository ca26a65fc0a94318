//! Section 9: the social factor.
