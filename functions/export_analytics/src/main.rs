//! Starts the job; what it does is in its library.

fn main() -> std::process::ExitCode {
    nova_runtime::run(export_analytics::FUNCTION)
}
