//! Starts the function; what it does is in its library.

fn main() -> std::process::ExitCode {
    nova_runtime::run(create_research_file::FUNCTION)
}
