//! Parts of a model that are computed again for their gradients. libtorch has one generator for all threads: whoever
//! seeds it draws alone.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dfr_harness::recompute::{Part, Recompute};
use dfr_harness::shim::Autocast;
use tch::nn::{self, Module as _, VarStore};
use tch::{Device, Kind, Tensor};

static GENERATOR: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A layer with attention, a dropout and a shared bias that counts how often it computes.
struct Layer {
    linear: nn::Linear,
    computed: AtomicUsize,
}

impl Layer {
    fn forward(&self, x: &Tensor, bias: &Tensor) -> Tensor {
        self.computed.fetch_add(1, Ordering::Relaxed);
        let seen = self.linear.forward(x);
        // With a mask that has a gradient: computed in float32 inside, whatever autocast says.
        let seen = Tensor::scaled_dot_product_attention(
            &seen,
            &seen,
            x,
            Some(bias),
            0.0,
            false,
            None,
            false,
        );
        seen.dropout(0.3, true).tanh()
    }
}

/// Loss and gradients of three layers that share a bias, and how often each layer computed. With `twice`, the first
/// layer is used once more, outside of any part.
fn step(
    recomputes: bool,
    (kind, twice): (Option<Kind>, bool),
) -> (Tensor, Vec<Tensor>, Vec<usize>) {
    tch::manual_seed(7);
    let store = VarStore::new(Device::Cpu);
    let root = store.root();
    let layer = |n: i64| {
        let linear = nn::linear(&root / n, 8, 8, nn::LinearConfig::default());
        Part::new(Layer { linear, computed: AtomicUsize::new(0) })
    };
    let layers: Vec<_> = (0..3).map(layer).collect();
    let weight = root.randn("mask", &[4, 4], 0.0, 1.0);
    let start = root.randn("start", &[2, 4, 8], 0.0, 1.0);
    let autocast = kind.map(|kind| Autocast::begin(Device::Cpu, kind).unwrap());
    let recompute = recomputes.then(Recompute::begin);
    let bias = weight.tanh();
    let forward = |x: Tensor, layer: &Part<Layer>| {
        layer.compute(&[&x, &bias], |layer, inputs| layer.forward(&inputs[0], &inputs[1]))
    };
    let mut x = layers.iter().fold(start.sin(), forward);
    if twice {
        x = layers[0].module().linear.forward(&x);
    }
    let loss = x.to_kind(Kind::Float).square().mean(None);
    drop((recompute, autocast));
    loss.backward();
    let mut gradients: Vec<_> = store.variables().into_iter().collect();
    gradients.sort_by(|a, b| a.0.cmp(&b.0));
    let gradients = gradients.into_iter().map(|(_, weight)| weight.grad()).collect();
    let computed =
        layers.iter().map(|layer| layer.module().computed.load(Ordering::Relaxed)).collect();
    (loss.detach(), gradients, computed)
}

#[test]
fn what_is_computed_again_gives_the_same_gradients() {
    let _alone = alone();
    for how in
        [(None, false), (None, true), (Some(Kind::BFloat16), false), (Some(Kind::BFloat16), true)]
    {
        let (loss, gradients, computed) = step(false, how);
        let (same_loss, same_gradients, twice) = step(true, how);
        assert_eq!((computed, twice), (vec![1; 3], vec![2; 3]));
        assert_eq!((&loss, gradients.len()), (&same_loss, 8));
        for (gradient, same) in gradients.iter().zip(&same_gradients) {
            let scale = gradient.abs().max().double_value(&[]);
            let apart = (gradient - same).abs().max().double_value(&[]);
            // Sums over the layers are made in another order, and those of a weight that is cast once for both of
            // its uses in bfloat16.
            let most = if how == (Some(Kind::BFloat16), true) { 1e-2 } else { 1e-6 };
            assert!(scale > 0.0 && apart <= most * scale, "{how:?}: {apart} of {scale}");
        }
    }
}

#[test]
fn draws_that_follow_are_those_that_would_have_followed() {
    let _alone = alone();
    let drawn = |recomputes| {
        drop(step(recomputes, (None, false)));
        Tensor::rand([4], (Kind::Float, Device::Cpu))
    };
    assert_eq!(drawn(false), drawn(true));
}

/// A leaf that a gradient reaches.
fn weight() -> Tensor {
    Tensor::ones([2], (Kind::Float, Device::Cpu)).set_requires_grad(true)
}

#[test]
fn weights_behind_an_input_without_a_gradient_have_theirs() {
    let _recompute = Recompute::begin();
    let (part, x) = (Part::new(weight()), Tensor::ones([2], (Kind::Float, Device::Cpu)));
    part.compute(&[&x], |weight, inputs| weight * &inputs[0]).sum(None).backward();
    assert_eq!(part.module().grad(), x);
}

#[test]
fn it_lasts_as_long_as_one_of_those_that_began_it() {
    let part = Part::new(AtomicUsize::new(0));
    let computed = || {
        let double = |counted: &AtomicUsize, inputs: &[Tensor]| {
            counted.fetch_add(1, Ordering::Relaxed);
            &inputs[0] * 2.0
        };
        part.compute(&[&weight()], double).sum(None).backward();
        part.module().swap(0, Ordering::Relaxed)
    };
    let outer = Recompute::begin();
    drop(Recompute::begin());
    assert_eq!(computed(), 2);
    drop(outer);
    assert_eq!(computed(), 1);
}

#[test]
fn a_part_is_let_go_once_its_backward_pass_is_over_or_never_comes() {
    let _recompute = Recompute::begin();
    let alive = Arc::new(());
    let compute = || {
        let part = Part::new(Arc::clone(&alive));
        part.compute(&[&weight()], |_, inputs| &inputs[0] * 2.0).sum(None)
    };
    let loss = compute();
    assert_eq!(Arc::strong_count(&alive), 2);
    loss.backward();
    drop(loss);
    assert_eq!(Arc::strong_count(&alive), 1);
    drop(compute());
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// What a panic said.
fn said(work: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_part_that_fails_at_first_or_when_it_is_repeated_says_why() {
    let _recompute = Recompute::begin();
    let part = Part::new(AtomicUsize::new(0));
    let fails_at = |call: usize| {
        part.module().store(0, Ordering::Relaxed);
        let work = move |calls: &AtomicUsize, inputs: &[Tensor]| {
            if calls.fetch_add(1, Ordering::Relaxed) == call {
                return Tensor::empty([1 << 46], (Kind::Float, Device::Cpu));
            }
            &inputs[0] * 2.0
        };
        said(|| part.compute(&[&weight()], work).sum(None).backward())
    };
    for call in [0, 1] {
        let said = fails_at(call);
        assert!(said.contains("DefaultCPUAllocator: can't allocate memory"), "{said}");
    }
}

#[test]
fn a_part_that_changes_its_input_is_refused() {
    let _recompute = Recompute::begin();
    let (part, x) = (Part::new(()), weight() * 1.0);
    let said = said(|| drop(part.compute(&[&x], |(), inputs| inputs[0].shallow_clone().relu_())));
    assert!(said.contains("changed an input in place"), "{said}");
}
