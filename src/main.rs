//! The program; see [`sharelog::cli`].

fn main() -> std::process::ExitCode {
    sharelog::cli::main()
}
