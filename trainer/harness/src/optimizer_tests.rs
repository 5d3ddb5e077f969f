use super::*;
use crate::shim::clip_gradients;
use tch::Device;

fn weight(value: f64) -> Tensor {
    Tensor::full([1], value, (Kind::Float, Device::Cpu)).set_requires_grad(true)
}

/// AdamW as in the paper, in double precision, for one weight and a constant gradient.
fn by_hand(start: f64, gradient: f64, rate_and_decay: (f64, f64), updates: i32) -> f64 {
    let (rate, decay) = rate_and_decay;
    let (mut w, mut m, mut v) = (start, 0.0, 0.0);
    for t in 1..=updates {
        w -= rate * decay * w;
        m = 0.9 * m + 0.1 * gradient;
        v = 0.999 * v + 0.001 * gradient * gradient;
        let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
        w -= rate * m_hat / (v_hat.sqrt() + 1e-8);
    }
    w
}

fn update(optimizer: &mut FusedAdamW, weight: &Tensor, gradient: f64) {
    (weight * gradient).sum(Kind::Float).backward();
    optimizer.update(0.1);
    optimizer.zero_grad();
}

#[test]
fn adamw_moves_weights_as_computed_by_hand() {
    let (plain, slow) = (weight(1.0), weight(1.0));
    let mut optimizer = FusedAdamW::new(vec![
        ParameterGroup::new(vec![plain.shallow_clone()]),
        ParameterGroup {
            parameters: vec![slow.shallow_clone()],
            learning_rate_scale: 0.5,
            weight_decay: 0.2,
        },
    ]);
    for _ in 0..3 {
        (&plain * 2.0 + &slow * -3.0).sum(Kind::Float).backward();
        optimizer.update(0.1);
        optimizer.zero_grad();
    }
    let close = |tensor: &Tensor, expected: f64| {
        let found = tensor.double_value(&[0]);
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    };
    close(&plain, by_hand(1.0, 2.0, (0.1, 0.01), 3));
    close(&slow, by_hand(1.0, -3.0, (0.05, 0.2), 3));
}

#[test]
fn a_weight_without_a_gradient_stays_and_ages_not() {
    let (used, unused) = (weight(1.0), weight(5.0));
    let parameters = vec![used.shallow_clone(), unused.shallow_clone()];
    let mut optimizer = FusedAdamW::new(vec![ParameterGroup::new(parameters)]);
    update(&mut optimizer, &used, 1.0);
    assert_eq!(unused.double_value(&[0]), 5.0);
    assert_ne!(used.double_value(&[0]), 1.0);
}

#[test]
fn clipping_scales_to_the_common_norm_and_leaves_small_gradients() {
    let (a, b) = (weight(0.0), weight(0.0));
    let parameters = [a.shallow_clone(), b.shallow_clone()];
    (&a * 3.0 + &b * 4.0).sum(Kind::Float).backward();
    clip_gradients(&parameters, 10.0).unwrap();
    assert_eq!((a.grad().double_value(&[0]), b.grad().double_value(&[0])), (3.0, 4.0));
    clip_gradients(&parameters, 1.0).unwrap();
    let norm = a.grad().double_value(&[0]).hypot(b.grad().double_value(&[0]));
    assert!((norm - 1.0).abs() < 1e-5, "{norm}");
}
