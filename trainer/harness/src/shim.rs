//! The safe face of `shim.cpp`: what libtorch can do and tch does not bind.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

/// libtorch refused.
#[derive(Debug, thiserror::Error)]
#[error("libtorch refused {operation}: {reason}")]
pub struct ShimError {
    operation: &'static str,
    reason: String,
}

/// The numbers of one AdamW update.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AdamWRule {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Decoupled weight decay, multiplied by the learning rate.
    pub weight_decay: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

/// One parameter with its gradient and AdamW state; all of one shape, `step` a float scalar.
pub struct AdamWSlot {
    /// Updated in place.
    pub parameter: Tensor,
    /// Its gradient.
    pub gradient: Tensor,
    /// Running mean of gradients.
    pub first_moment: Tensor,
    /// Running mean of squared gradients.
    pub second_moment: Tensor,
    /// Updates so far; counted up here.
    pub step: Tensor,
}

unsafe extern "C" {
    fn dfr_last_error() -> *const c_char;
    fn dfr_autocast_begin(is_cuda: c_int, is_bfloat16: c_int) -> c_int;
    fn dfr_autocast_end(is_cuda: c_int) -> c_int;
    fn dfr_computes_bfloat16() -> c_int;
    fn dfr_clip_gradients(gradients: *const *const C_tensor, count: usize, max_norm: f64) -> c_int;
    fn dfr_unscale_gradients(
        gradients: *const *const C_tensor,
        count: usize,
        scale: f64,
        is_finite: *mut c_int,
    ) -> c_int;
    fn dfr_fused_adamw(
        parameters: *const *const C_tensor,
        gradients: *const *const C_tensor,
        first_moments: *const *const C_tensor,
        second_moments: *const *const C_tensor,
        steps: *const *const C_tensor,
        count: usize,
        rule: *const AdamWRule,
    ) -> c_int;
    fn dfr_channels_last(tensor: *const C_tensor, converted: *mut *mut C_tensor) -> c_int;
    fn dfr_locked_like(tensor: *const C_tensor, locked: *mut *mut C_tensor) -> c_int;
    fn dfr_cuda_peak_bytes(index: c_int, bytes: *mut i64) -> c_int;
    fn dfr_cuda_reset_peak(index: c_int) -> c_int;
    fn dfr_generator_state(cuda_index: c_int, state: *mut *mut C_tensor) -> c_int;
    fn dfr_set_generator_state(cuda_index: c_int, state: *const C_tensor) -> c_int;
}

fn checked(operation: &'static str, status: c_int) -> Result<(), ShimError> {
    if status == 0 {
        return Ok(());
    }
    // SAFETY: the pointer is to this thread's own string, which lives until its next shim call.
    let reason = unsafe { CStr::from_ptr(dfr_last_error()) };
    Err(ShimError { operation, reason: reason.to_string_lossy().into_owned() })
}

/// Mixed precision on this thread, until dropped.
///
/// # Source
/// `torch.autocast(device, dtype)`.
pub struct Autocast {
    is_cuda: bool,
    // libtorch keeps this state per thread.
    _this_thread: PhantomData<Rc<()>>,
}

impl Autocast {
    /// Begins it for operations on `device`, in bfloat16 or float16.
    ///
    /// # Errors
    /// If libtorch has no autocast for `device`.
    pub fn begin(device: Device, kind: Kind) -> Result<Self, ShimError> {
        let (is_cuda, is_bfloat16) = (device.is_cuda(), kind == Kind::BFloat16);
        // SAFETY: takes numbers only.
        let status = unsafe { dfr_autocast_begin(c_int::from(is_cuda), c_int::from(is_bfloat16)) };
        checked("autocast", status)?;
        Ok(Self { is_cuda, _this_thread: PhantomData })
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // SAFETY: takes a number only. It fails for a device that `begin` would have refused.
        unsafe { dfr_autocast_end(c_int::from(self.is_cuda)) };
    }
}

/// Whether the GPU in use computes in bfloat16 as fast as in float16.
pub fn computes_bfloat16() -> bool {
    // SAFETY: takes nothing; without libtorch's CUDA half it says no.
    unsafe { dfr_computes_bfloat16() != 0 }
}

/// The gradients of those parameters that have one.
fn gradients(parameters: &[Tensor]) -> Vec<Tensor> {
    parameters.iter().map(Tensor::grad).filter(Tensor::defined).collect()
}

fn pointers(tensors: &[Tensor]) -> Vec<*const C_tensor> {
    tensors.iter().map(Tensor::as_ptr).collect()
}

/// Scales all gradients so that their common norm is at most `max_norm`, in two passes over all of them. Stays
/// on the device: the host does not wait for the norm.
///
/// # Source
/// `torch.nn.utils.clip_grad_norm_(foreach=True)`, its 1e-6 in the denominator included.
///
/// # Errors
/// If libtorch refuses.
pub fn clip_gradients(parameters: &[Tensor], max_norm: f64) -> Result<(), ShimError> {
    let gradients = gradients(parameters);
    if gradients.is_empty() {
        return Ok(());
    }
    let pointers = pointers(&gradients);
    // SAFETY: an array of tensors that `gradients` keeps alive for the call.
    let status = unsafe { dfr_clip_gradients(pointers.as_ptr(), pointers.len(), max_norm) };
    checked("to clip gradients", status)
}

/// Divides all gradients by `scale`, and says whether none of them is NaN or infinite. The host waits for that.
///
/// # Errors
/// If libtorch refuses.
pub fn unscale_gradients(parameters: &[Tensor], scale: f64) -> Result<bool, ShimError> {
    let gradients = gradients(parameters);
    if gradients.is_empty() {
        return Ok(true);
    }
    let (pointers, mut is_finite) = (pointers(&gradients), 0);
    // SAFETY: an array of tensors that `gradients` keeps alive for the call, and a number that outlives it.
    let status = unsafe {
        dfr_unscale_gradients(pointers.as_ptr(), pointers.len(), scale, &raw mut is_finite)
    };
    checked("to unscale gradients", status)?;
    Ok(is_finite != 0)
}

/// One AdamW update of many parameters in one pass, the step counters included.
///
/// # Errors
/// If a slot's tensors differ in shape, kind or device, or are not contiguous.
pub fn fused_adamw(slots: &[AdamWSlot], rule: AdamWRule) -> Result<(), ShimError> {
    let pointers = |of: fn(&AdamWSlot) -> &Tensor| -> Vec<*const C_tensor> {
        slots.iter().map(|slot| of(slot).as_ptr()).collect()
    };
    let parameters = pointers(|slot| &slot.parameter);
    let gradients = pointers(|slot| &slot.gradient);
    let first_moments = pointers(|slot| &slot.first_moment);
    let second_moments = pointers(|slot| &slot.second_moment);
    let steps = pointers(|slot| &slot.step);
    // SAFETY: five arrays of `slots.len()` tensors that `slots` keeps alive for the call.
    let status = unsafe {
        dfr_fused_adamw(
            parameters.as_ptr(),
            gradients.as_ptr(),
            first_moments.as_ptr(),
            second_moments.as_ptr(),
            steps.as_ptr(),
            slots.len(),
            &raw const rule,
        )
    };
    checked("the fused AdamW step", status)
}

/// The same values with the channels of each place side by side in memory.
///
/// # Shapes
/// `[N,C,H,W]` or `[N,C,T,H,W]` to the same.
///
/// # Errors
/// If it has another number of axes.
pub fn channels_last(tensor: &Tensor) -> Result<Tensor, ShimError> {
    let mut converted = ptr::null_mut();
    // SAFETY: `tensor` and `converted` outlive the call.
    let status = unsafe { dfr_channels_last(tensor.as_ptr(), &raw mut converted) };
    checked("a memory format", status)?;
    // SAFETY: a tensor that the shim made and nobody else frees.
    Ok(unsafe { Tensor::from_ptr(converted) })
}

/// Uninitialised host memory of the shape and kind of `tensor`, which a GPU can fetch while the host goes
/// on ("pinned").
///
/// # Errors
/// If there is no GPU, or the system locks no more memory.
pub fn locked_like(tensor: &Tensor) -> Result<Tensor, ShimError> {
    let mut locked = ptr::null_mut();
    // SAFETY: `tensor` and `locked` outlive the call.
    let status = unsafe { dfr_locked_like(tensor.as_ptr(), &raw mut locked) };
    checked("locked memory", status)?;
    // SAFETY: a tensor that the shim made and nobody else frees.
    Ok(unsafe { Tensor::from_ptr(locked) })
}

/// Peak allocated memory of `device` since the start, in bytes; 0 on a CPU.
///
/// # Errors
/// If libtorch keeps no statistics of `device`.
pub fn peak_allocated_bytes(device: Device) -> Result<u64, ShimError> {
    let Device::Cuda(index) = device else { return Ok(0) };
    let mut bytes = 0;
    // SAFETY: `bytes` outlives the call. A device index is small.
    let status = unsafe { dfr_cuda_peak_bytes(index as c_int, &raw mut bytes) };
    checked("to report its peak memory", status)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Lets [`peak_allocated_bytes`] tell of what comes from now on.
///
/// # Errors
/// If libtorch keeps no statistics of `device`.
pub fn reset_peak(device: Device) -> Result<(), ShimError> {
    let Device::Cuda(index) = device else { return Ok(()) };
    // SAFETY: takes a number only. A device index is small.
    checked("to forget its peak memory", unsafe { dfr_cuda_reset_peak(index as c_int) })
}

/// Where libtorch's generator of `device` stands: bytes, on the CPU.
///
/// # Errors
/// If libtorch has no generator for `device`.
pub fn generator_state(device: Device) -> Result<Tensor, ShimError> {
    let mut state = ptr::null_mut();
    // SAFETY: `state` outlives the call.
    let status = unsafe { dfr_generator_state(cuda_index(device), &raw mut state) };
    checked("to tell where its generator stands", status)?;
    // SAFETY: a tensor that the shim made and nobody else frees.
    Ok(unsafe { Tensor::from_ptr(state) })
}

/// Puts libtorch's generator of `device` where [`generator_state`] found it.
///
/// # Errors
/// If the bytes are not what that gives.
pub fn set_generator_state(device: Device, state: &Tensor) -> Result<(), ShimError> {
    // SAFETY: `state` outlives the call.
    let status = unsafe { dfr_set_generator_state(cuda_index(device), state.as_ptr()) };
    checked("the state of a generator", status)
}

/// Negative where it is no GPU.
fn cuda_index(device: Device) -> c_int {
    // A device index is small.
    if let Device::Cuda(index) = device { index as c_int } else { -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn autocast_computes_in_its_kind_until_dropped() {
        let square = Tensor::ones([4, 4], (Kind::Float, Device::Cpu));
        for kind in [Kind::BFloat16, Kind::Half] {
            let guard = Autocast::begin(Device::Cpu, kind).unwrap();
            assert_eq!(square.matmul(&square).kind(), kind);
            drop(guard);
            assert_eq!(square.matmul(&square).kind(), Kind::Float);
        }
    }

    #[test]
    fn a_refusal_carries_the_reason() {
        let tensor = |n| Tensor::ones([n], (Kind::Float, Device::Cpu));
        let step = Tensor::zeros([0i64; 0], (Kind::Float, Device::Cpu));
        let slot = AdamWSlot {
            parameter: tensor(2),
            gradient: tensor(3),
            first_moment: tensor(2),
            second_moment: tensor(2),
            step,
        };
        let rule = AdamWRule {
            learning_rate: 0.1,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
            epsilon: 1e-8,
        };
        let error = fused_adamw(&[slot], rule).unwrap_err().to_string();
        assert!(error.starts_with("libtorch refused the fused AdamW step: "), "{error}");
        assert!(error.contains("a state of shape [3] belongs to a weight of shape [2]"), "{error}");
    }

    #[test]
    fn channels_stand_side_by_side() {
        let tensor = Tensor::arange(24, (Kind::Float, Device::Cpu)).view([1, 2, 3, 4]);
        let converted = channels_last(&tensor).unwrap();
        assert_eq!(converted.stride(), [24, 1, 8, 2]);
        assert_eq!(converted, tensor);
        assert_eq!(channels_last(&tensor.unsqueeze(2)).unwrap().stride(), [24, 1, 24, 8, 2]);
        assert!(channels_last(&tensor.view([24])).is_err());
    }

    #[test]
    fn what_is_no_state_of_a_generator_is_refused() {
        // That a state is restored is tested where nothing else draws: tests/resume.rs.
        let state = generator_state(Device::Cpu).unwrap();
        assert_eq!(state.kind(), Kind::Uint8);
        assert!(set_generator_state(Device::Cpu, &Tensor::from_slice(&[1u8])).is_err());
    }

    #[test]
    fn a_cpu_has_no_device_memory() {
        assert_eq!(peak_allocated_bytes(Device::Cpu).unwrap(), 0);
    }
}
