//! The social PRF of Trefoil's node network over ristretto255: threshold evaluation, DLEQ proofs, combination.
