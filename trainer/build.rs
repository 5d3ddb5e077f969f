//! Lets dfr-train and its tests find libtorch without an environment variable.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let lib = std::env::var("DEP_DFR_TORCH_LIB").expect("dfr-harness says where libtorch is");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
}
