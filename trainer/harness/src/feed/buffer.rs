//! The memory of one batch on the host: written by one thread, then handed to libtorch.

use std::slice;

use dfr_contract::input::Dtype;
use tch::{Device, Kind, Tensor};

use crate::batches::FULL_SCALE;
use crate::pack::Part;
use crate::record::Record;
use crate::shim;

/// Records and labels of a batch. For a GPU its memory is locked, so that the GPU can fetch it while the
/// host goes on; libtorch gives locked memory out again only when it was fetched.
pub struct Buffer {
    records: Tensor,
    labels: Tensor,
    /// Of one record.
    shape: Vec<i64>,
    dtype: Dtype,
}

impl Buffer {
    /// Room for `count` records of `part`.
    pub fn new(part: &Part, count: usize, device: Device) -> Self {
        let (shape, dtype) = (part.shape(), part.dtype());
        let count = i64::try_from(count).expect("a batch fits in memory");
        let kind = match dtype {
            Dtype::U8 => Kind::Uint8,
            Dtype::I16 => Kind::Int16,
        };
        let records = host_memory(&[&[count], &shape[..]].concat(), kind, device);
        let labels = host_memory(&[count], Kind::Int64, device);
        Self { records, labels, shape, dtype }
    }

    /// Writes a label and the bytes of a record into a slot, and gives the record to be changed.
    pub fn put(&mut self, slot: usize, label: u8, bytes: &[u8]) -> Record<'_> {
        self.labels()[slot] = i64::from(label);
        let (count, length) = (self.labels.numel(), self.records.numel() / self.labels.numel());
        assert!(slot < count && bytes.len() == length * self.records.kind().elt_size_in_bytes());
        let start = self.records.data_ptr();
        match self.dtype {
            Dtype::U8 => {
                // SAFETY: a contiguous host tensor of bytes that nothing else refers to, borrowed for as
                // long as the slice; the slot lies within it.
                let pixels = unsafe {
                    slice::from_raw_parts_mut(start.cast::<u8>().add(slot * length), length)
                };
                pixels.copy_from_slice(bytes);
                Record::Pixels { pixels, shape: &self.shape }
            }
            Dtype::I16 => {
                // SAFETY: as above, of 16-bit numbers, which libtorch aligns.
                let sound = unsafe {
                    slice::from_raw_parts_mut(start.cast::<i16>().add(slot * length), length)
                };
                let (samples, _) = bytes.as_chunks::<2>();
                for (to, &from) in sound.iter_mut().zip(samples) {
                    *to = i16::from_le_bytes(from);
                }
                Record::Sound(sound)
            }
        }
    }

    fn labels(&mut self) -> &mut [i64] {
        let (start, count) = (self.labels.data_ptr().cast::<i64>(), self.labels.numel());
        // SAFETY: a contiguous host tensor of this type that nothing else refers to.
        unsafe { slice::from_raw_parts_mut(start, count) }
    }

    /// Input and labels on `device`, without waiting for it.
    pub fn onto(self, device: Device) -> (Tensor, Tensor) {
        let fetch = |tensor: Tensor| tensor.to_device_(device, tensor.kind(), true, false);
        let (records, labels) = (fetch(self.records), fetch(self.labels));
        match self.dtype {
            Dtype::U8 => (records, labels),
            Dtype::I16 => (records.to_kind(Kind::Float) / FULL_SCALE, labels),
        }
    }
}

/// Uninitialised. Where memory cannot be locked the copy to the GPU is slower, and that is all.
fn host_memory(shape: &[i64], kind: Kind, device: Device) -> Tensor {
    let pageable = Tensor::empty(shape, (kind, Device::Cpu));
    if device.is_cuda() { shim::locked_like(&pageable).unwrap_or(pageable) } else { pageable }
}
