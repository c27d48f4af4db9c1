//! The job `research`: a guideline in, `research.md` out, and nobody who watches.

mod ends;
mod kills;
mod world;
