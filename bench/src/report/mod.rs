//! Figures as Markdown and JSON.
