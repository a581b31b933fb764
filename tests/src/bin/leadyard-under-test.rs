//! The `leadyard` binary, where tests of this room find it: to be started, and killed, as a process of its own.

fn main() -> std::process::ExitCode {
    leadyard::cli::main()
}
