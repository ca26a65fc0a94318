//! One attacker a file: each row of the protocol's section 13 that says "nothing" (or "one factor"), tried.

mod few_nodes;
mod guess_limit;
mod guess_tools;
mod id_token;
mod lying_evaluators;
mod malicious_server;
mod metadata_dump;
mod mixed_answers;
mod old_dump;
mod one_factor;
mod one_guess_key;
mod other_tenant;
mod removed_factor;
mod secondary_dump;
mod toolkit;

pub(crate) use toolkit::acme;
