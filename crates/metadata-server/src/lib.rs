//! The metadata server of Trefoil as an axum router: records, nonces, sessions, events.
