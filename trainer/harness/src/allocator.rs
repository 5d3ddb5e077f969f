//! Settings of the C library's allocator.

/// Keeps freed memory for the next batch.
///
/// By default glibc gives every block above some size back to the kernel at once and has its pages
/// zeroed anew for the next: a third of the CPU time of a small model.
#[cfg(target_env = "gnu")]
pub fn keep_freed_memory() {
    use std::ffi::c_int;

    const M_TRIM_THRESHOLD: c_int = -1;
    const M_MMAP_THRESHOLD: c_int = -3;
    /// The largest that glibc takes.
    const MMAP_THRESHOLD_BYTES: c_int = 32 << 20;
    const TRIM_THRESHOLD_BYTES: c_int = 2_000_000_000;

    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    // SAFETY: plain numbers; a value that glibc does not take is ignored.
    unsafe {
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES);
    }
}

/// Other allocators are left as they are.
#[cfg(not(target_env = "gnu"))]
pub fn keep_freed_memory() {}
