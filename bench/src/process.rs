//! Processes that are measured: started on a core, stopped by their own id, and what they have used.
