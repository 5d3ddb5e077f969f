//! What becomes of a step that asks for more memory than there is.

use std::any::Any;

/// How libtorch says so: a GPU's allocator, cuBLAS, a CPU's allocator.
const SAID: [&str; 3] = [
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
];

/// What libtorch said, if a panic is of its allocators.
pub fn exhausted(panic: &(dyn Any + Send)) -> Option<String> {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied())?;
    let from = SAID.iter().find_map(|words| said.find(words))?;
    // What follows the first line is the stack; in an error that was unwrapped its end is written as `\n`.
    let line = said[from..].split(['\n', '"']).next()?.split("\\n").next()?;
    Some(line.to_owned())
}

/// The largest of half, a quarter, an eighth… of `size` that `fits`, down to 1.
pub fn largest_that_fits(size: usize, fits: impl FnMut(&usize) -> bool) -> Option<usize> {
    std::iter::successors(Some(size / 2), |size| Some(size / 2))
        .take_while(|size| *size > 0)
        .find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn what_libtorchs_allocator_says_is_heard() {
        let panic =
            catch_unwind(|| Tensor::empty([1 << 46], (Kind::Float, Device::Cpu))).unwrap_err();
        let said = exhausted(&*panic).unwrap();
        assert!(
            said.starts_with("DefaultCPUAllocator: can't allocate memory: you tried to allocate "),
            "{said}"
        );
        assert!(!said.contains("frame #"), "{said}");
        let gpu = "called `Result::unwrap()` on an `Err` value: Torch(\"CUDA out of memory. Tried to allocate 8.00 \
                   GiB.\\nException raised from malloc\")";
        let said = exhausted(&gpu.to_owned()).unwrap();
        assert_eq!(said, "CUDA out of memory. Tried to allocate 8.00 GiB.");
        let panic = catch_unwind(|| Tensor::from_slice(&[1.0]).view([3])).unwrap_err();
        assert_eq!(exhausted(&*panic), None);
    }

    #[test]
    fn halves_are_tried_from_the_largest_on() {
        let of = |most: usize| largest_that_fits(100, |size| *size <= most);
        assert_eq!([of(60), of(49), of(1), of(0)], [Some(50), Some(25), Some(1), None]);
        assert_eq!(largest_that_fits(1, |_| true), None);
    }
}
