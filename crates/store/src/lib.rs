//! Storage traits of the Trefoil servers, their SQLite back end, and one conformance suite for all back ends.
