//! A node of the social login network as an axum router: strict ID-token verification and the social PRF.
