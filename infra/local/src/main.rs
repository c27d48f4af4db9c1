//! `nova-local`: the whole of Nova on this machine. See [`nova_local`].

use std::process::ExitCode;

fn main() -> ExitCode {
    nova_local::command::main()
}
