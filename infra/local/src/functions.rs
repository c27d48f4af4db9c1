//! Every service, linked into this program.

use nova_runtime::Function;

/// The services; a test compares them with `functions/manifest.json`.
pub fn services() -> impl Iterator<Item = &'static Function> {
    front::FUNCTIONS.iter().chain(&[analytics::FUNCTION])
}
