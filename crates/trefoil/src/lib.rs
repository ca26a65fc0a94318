//! The Trefoil wallet SDK: log in, get a wallet in one click, later spread the same key over several factors.
