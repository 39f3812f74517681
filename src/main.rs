//! The program; see [`sharelog::cli`].

/// A saturated node spends a quarter of its time in the C library's allocator, whose small blocks of records and rows that
/// live for some seconds end far apart; with jemalloc a record cost
/// an eighth to a fifth less CPU, and a node up to a quarter more memory (`sharelog bench`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    sharelog::cli::main()
}
