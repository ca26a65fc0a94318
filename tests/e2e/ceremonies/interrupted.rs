//! Ceremonies that stop half way: the network serves as before, and whoever carries on goes on where it stopped.
