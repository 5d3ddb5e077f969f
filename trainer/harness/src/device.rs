//! Where the computation runs.

use std::ffi::{CStr, c_char, c_int, c_void};

use tch::Device;

const RTLD_NOW: c_int = 2;
const RTLD_GLOBAL: c_int = 0x100;
const CUDA_LIBRARY: &CStr = c"libtorch_cuda.so";

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
}

/// The first GPU if there is one, else the CPU.
///
/// One binary serves both: it is linked without libtorch's CUDA half, which is loaded here where it
/// is installed. Its absence is no error.
pub fn choose() -> Device {
    // SAFETY: a constant string; the library is libtorch's own and is never unloaded.
    unsafe { dlopen(CUDA_LIBRARY.as_ptr(), RTLD_NOW | RTLD_GLOBAL) };
    Device::cuda_if_available()
}

/// A name for people.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}
