//! The program with its faults switched on by `SHARELOG_FAULT`; see `sharelog::consensus::faults`. For tests alone.

fn main() -> std::process::ExitCode {
    sharelog::cli::main()
}
