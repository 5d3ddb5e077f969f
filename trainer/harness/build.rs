//! Compiles the shim and what computes parts again against the libtorch that torch-sys found, and tells dependents
//! where that lies.

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    let found = env::var_os("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is");
    // One shared copy is reached by another link from every clone: the rpath names the copy.
    let lib =
        PathBuf::from(&found).canonicalize().expect("torch-sys linked against this directory");
    compile_shim(lib.parent().expect("libtorch's lib directory has a parent"));
    println!("cargo:lib={}", lib.display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}

fn compile_shim(libtorch: &Path) {
    let sources = ["src/shim.cpp", "src/recompute.cpp"];
    sources.iter().for_each(|source| println!("cargo:rerun-if-changed={source}"));
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .include(libtorch.join("include"))
        .include(libtorch.join("include/torch/csrc/api/include"))
        // Its headers are not ours to fix.
        .flag("-w")
        .files(sources)
        .compile("dfr_shim");
}
