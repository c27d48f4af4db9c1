//! Starts the function; what it does is in its library.

/// A call is many small pieces of memory for a moment. This heap gives them out faster than the
/// system's, which keeps less of large ones, and so stays where those are streamed.
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    nova_runtime::run(upload_article_guideline::FUNCTION)
}
