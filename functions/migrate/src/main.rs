//! The job `migrate`; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Runtime::new() else {
        return ExitCode::FAILURE;
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "until nova_runtime::run hands the environment in"
    )]
    let environment = |name: &str| std::env::var(name).ok();
    runtime.block_on(migrate::main(
        std::env::args().skip(1).collect(),
        environment,
    ))
}
