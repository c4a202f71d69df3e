//! What is measured: the gateway and its peers, with the configuration of each.
