//! Curves, drawn as SVG.
