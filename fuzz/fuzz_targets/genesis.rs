#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    sharelog::fuzz::run("genesis", bytes);
});
