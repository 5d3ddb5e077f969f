//! What is drawn from libtorch's one generator follows from its seed. Alone here: the generator is shared by
//! all threads of a process.

use dfr_lab::transforms::spectrum::mask;
use tch::{Device, Kind, Tensor};

fn hidden(share: f64, seed: i64) -> Tensor {
    tch::manual_seed(seed);
    mask(&Tensor::ones([400, 40, 60], (Kind::Float, Device::Cpu)), share).eq(0.0)
}

#[test]
fn what_is_hidden_follows_from_the_seed_and_0_hides_nothing() {
    assert_eq!(hidden(0.3, 1), hidden(0.3, 1));
    assert_ne!(hidden(0.3, 1), hidden(0.3, 2));
    assert_eq!(hidden(0.0, 1).any().int64_value(&[]), 0);
}
