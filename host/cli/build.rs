//! Links the program without symbols, a fifth of its size; `WASMILL_SYMBOLS=1` keeps them, for a profiler. As an argument of the last link
//! only: `strip` in the profile would be one of every dependency, and changing it would compile them all again.

fn main() {
    println!("cargo:rerun-if-env-changed=WASMILL_SYMBOLS");
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    if linux && std::env::var_os("WASMILL_SYMBOLS").is_none() {
        println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
    }
}
