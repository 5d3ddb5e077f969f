//! Parts of a model whose inner tensors are not kept for the backward pass but computed again there: less memory,
//! at the price of another forward pass.
//!
//! # Source
//! `torch.utils.checkpoint.checkpoint(use_reentrant=True)`. Draws and kinds of numbers are those of the first time.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::{mem, ptr, slice};

use tch::Tensor;
use torch_sys::C_tensor;

type Forward = Box<dyn Fn(&[Tensor]) -> Tensor + Send>;

unsafe extern "C" {
    fn dfr_recompute_error() -> *const c_char;
    fn dfr_part_failed(reason: *const u8, length: usize);
    fn dfr_repetitions() -> u64;
    fn dfr_recomputed(
        inputs: *const *const C_tensor,
        count: usize,
        state: *mut c_void,
        forward: unsafe extern "C" fn(*mut c_void, *mut *mut C_tensor, usize) -> *mut C_tensor,
        drop: unsafe extern "C" fn(*mut c_void),
        output: *mut *mut C_tensor,
    ) -> c_int;
}

thread_local! {
    static WANTED: Cell<u32> = const { Cell::new(0) };
}

/// While one lives, [`Part::compute`] keeps nothing on this thread.
pub struct Recompute(PhantomData<Rc<()>>);

impl Recompute {
    /// Begins it on this thread.
    pub fn begin() -> Self {
        WANTED.set(WANTED.get() + 1);
        Self(PhantomData)
    }
}

impl Drop for Recompute {
    fn drop(&mut self) {
        WANTED.set(WANTED.get() - 1);
    }
}

/// Parts that were computed again so far, by this process.
pub fn repetitions() -> u64 {
    // SAFETY: takes nothing.
    unsafe { dfr_repetitions() }
}

/// A part of a model that may be computed again.
pub struct Part<M>(Arc<M>);

impl<M: Send + 'static> Part<M> {
    /// Makes a part of a module.
    pub fn new(module: M) -> Self {
        Self(Arc::new(module))
    }

    /// The module.
    pub fn module(&self) -> &M {
        &self.0
    }

    /// What `forward` computes with the module. Tensors that a gradient is to reach are weights of the module, or
    /// `inputs`. It draws from libtorch's generators alone, and changes no input in place. Not for modules that
    /// count what they see, as batch norms do: they would see it twice.
    ///
    /// # Panics
    /// If `forward` does, or changes an input.
    pub fn compute(
        &self,
        inputs: &[&Tensor],
        forward: impl Fn(&M, &[Tensor]) -> Tensor + Send + 'static,
    ) -> Tensor {
        let inputs: Vec<Tensor> = inputs.iter().map(|input| input.shallow_clone()).collect();
        if WANTED.get() == 0 || !inputs.iter().any(Tensor::requires_grad) {
            return forward(&self.0, &inputs);
        }
        let module = Lent(Arc::clone(&self.0));
        recomputed(&inputs, Box::new(move |inputs| forward(module.get(), inputs)))
    }
}

/// A module that another thread may call while its owner waits for that thread.
struct Lent<M>(Arc<M>);

// SAFETY: the thread that begins the backward pass waits while libtorch's computes with the module, so that never two
// do. It may be dropped at the same time by both: the count of an `Arc` is atomic, and what it holds is `Send`.
unsafe impl<M: Send> Send for Lent<M> {}

impl<M> Lent<M> {
    fn get(&self) -> &M {
        &self.0
    }
}

fn recomputed(inputs: &[Tensor], forward: Forward) -> Tensor {
    // A pointer to a trait object is two words; C passes one.
    let state = Box::into_raw(Box::new(forward)).cast();
    let pointers: Vec<_> = inputs.iter().map(Tensor::as_ptr).collect();
    let mut output = ptr::null_mut();
    // SAFETY: the inputs outlive the call. `state` is libtorch's from here on, which drops it once, by `release`.
    // It may be called and dropped on a thread of libtorch's, and is `Send` for that.
    let status = unsafe {
        dfr_recomputed(pointers.as_ptr(), pointers.len(), state, call, release, &raw mut output)
    };
    assert!(status == 0, "{}", reason());
    // SAFETY: a tensor that was made for us and that nobody else frees.
    unsafe { Tensor::from_ptr(output) }
}

fn reason() -> String {
    // SAFETY: the pointer is to this thread's own string, which lives until its next call.
    unsafe { CStr::from_ptr(dfr_recompute_error()) }.to_string_lossy().into_owned()
}

/// Null where the part panicked.
unsafe extern "C" fn call(
    state: *mut c_void,
    inputs: *mut *mut C_tensor,
    count: usize,
) -> *mut C_tensor {
    // SAFETY: `state` is the box of `recomputed`, and the inputs are tensors that become ours.
    let (forward, inputs) = unsafe {
        let pointers = slice::from_raw_parts(inputs, count);
        let inputs: Vec<_> = pointers.iter().map(|&input| Tensor::from_ptr(input)).collect();
        (&*state.cast::<Forward>(), inputs)
    };
    let mut output = match catch_unwind(AssertUnwindSafe(|| forward(&inputs))) {
        Ok(output) => output,
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said =
                said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
            // SAFETY: the text outlives the call, which copies it.
            unsafe { dfr_part_failed(said.as_ptr(), said.len()) };
            return ptr::null_mut();
        }
    };
    let pointer = output.as_mut_ptr();
    mem::forget(output);
    pointer
}

unsafe extern "C" fn release(state: *mut c_void) {
    // SAFETY: the box of `recomputed`, which nobody uses any more.
    drop(unsafe { Box::from_raw(state.cast::<Forward>()) });
}
