//! The `provision` binary: hands its arguments to the command line and knows nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioning::cli::main()
}
