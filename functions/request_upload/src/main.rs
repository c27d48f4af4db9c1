//! Starts the function; what it does is in its library.

fn main() -> std::process::ExitCode {
    nova_runtime::run(request_upload::FUNCTION)
}
