//! The rules of the house: what may know what, what a function looks like, what lies where.
//!
//! They read the repository and build nothing; a new folder that follows the README passes them.

mod arrows;
mod files;
mod functions;
mod image;
mod readme;
mod workspace;
