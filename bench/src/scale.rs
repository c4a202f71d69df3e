//! How the gateway's costs grow with tenants, names, connections and workers.
