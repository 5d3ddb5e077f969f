use super::super::{Activation, Heads, Linear};
use super::*;
use tch::nn::VarStore;
use tch::{Device, Kind};

fn block(store: &VarStore, dropout: [f64; 2]) -> PreNormBlock {
    let root = store.root();
    let linear = |name: &str| Linear::new(&(&root / name), 8, 8);
    PreNormBlock {
        norms: ["n", "m"].map(|name| LayerNorm::new(&(&root / name), 8, 1e-5)),
        attention: Attention {
            query: linear("q"),
            key: linear("k"),
            value: linear("v"),
            output: linear("o"),
            heads: Heads { count: 2, dropout: 0.0 },
        },
        mlp: Mlp { first: linear("a"), second: linear("b"), activation: Activation::Gelu },
        scales: None,
        dropout,
        drop_path: 0.0,
    }
}

#[test]
fn a_branch_that_is_dropped_or_scaled_away_leaves_the_other() {
    let store = VarStore::new(Device::Cpu);
    let x = Tensor::randn([3, 5, 8], (Kind::Float, Device::Cpu));
    let first_gone = block(&store, [1.0, 0.0]);
    let second_only = &x + first_gone.mlp.forward(&first_gone.norms[1].forward(&x));
    assert_eq!(first_gone.forward(&x, true), second_only);
    assert_ne!(first_gone.forward(&x, false), second_only);
    let scales =
        Some([0.0, 1.0].map(|factor| Tensor::full([8], factor, (Kind::Float, x.device()))));
    assert_eq!(PreNormBlock { scales, ..first_gone }.forward(&x, false), second_only);

    let store = VarStore::new(Device::Cpu);
    let second_gone = block(&store, [0.0, 1.0]);
    let seen = second_gone.attention.forward(&second_gone.norms[0].forward(&x), None, false);
    assert_eq!(second_gone.forward(&x, true), &x + seen);
}
