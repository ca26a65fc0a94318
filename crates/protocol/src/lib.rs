//! The Trefoil protocol: factor keys, envelopes, records, statements, commits, nodes' answers. No I/O, no clock, no OS randomness.
