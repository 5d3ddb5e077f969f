use super::*;
use tch::{Device, Kind, nn::VarStore};

fn build(config: EfficientNetConfig) -> (VarStore, EfficientNet) {
    let store = VarStore::new(Device::Cpu);
    let model = EfficientNet::new(&store.root(), &[3, 32, 32], config);
    (store, model)
}

/// State tensors and parameters are what timm's models have, with `mean`, `std` and two classes.
#[test]
fn the_siblings_have_the_state_of_timms() {
    for (config, tensors, parameters) in [
        (EfficientNetConfig::b4(), 708, 17_552_202),
        (EfficientNetConfig::b5(), 856, 28_344_882),
        (EfficientNetConfig::b7(), 1202, 63_792_082),
    ] {
        let (store, _) = build(config);
        let found: usize = store.trainable_variables().iter().map(Tensor::numel).sum();
        assert_eq!((store.variables().len(), found), (tensors, parameters));
    }
}

#[test]
fn b4_has_the_shapes_of_timms() {
    let (store, _) = build(EfficientNetConfig::b4());
    let variables = store.variables();
    let shapes: [(&str, &[i64]); 8] = [
        ("mean", &[1, 3, 1, 1]),
        ("backbone.conv_stem.weight", &[48, 3, 3, 3]),
        ("backbone.blocks.0.0.se.conv_reduce.weight", &[12, 48, 1, 1]),
        ("backbone.blocks.0.1.conv_pw.weight", &[24, 24, 1, 1]),
        ("backbone.blocks.2.3.conv_dw.weight", &[336, 1, 5, 5]),
        ("backbone.blocks.6.1.conv_pwl.weight", &[448, 2688, 1, 1]),
        ("backbone.conv_head.weight", &[1792, 448, 1, 1]),
        ("head.1.weight", &[2, 1792]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
}

#[test]
fn any_picture_gets_two_logits() {
    let (_store, model) = build(EfficientNetConfig::tiny());
    for size in [[2, 3, 32, 32], [1, 3, 17, 40], [3, 3, 5, 5]] {
        let pictures = Tensor::randint(256, size, (Kind::Uint8, Device::Cpu));
        assert_eq!(model.forward(&pictures, true).size(), [size[0], 2]);
    }
}

#[test]
fn paths_are_dropped_in_training_only() {
    let (_store, model) =
        build(EfficientNetConfig { drop_path: 0.9, ..EfficientNetConfig::tiny() });
    let pictures = Tensor::randint(256, [8, 3, 32, 32], (Kind::Uint8, Device::Cpu));
    let answer = |train| model.forward(&pictures, train);
    assert_eq!(answer(false), answer(false));
    assert_ne!(answer(true), answer(true));
}

#[test]
#[should_panic(expected = "3 H W, not [4, 3, 32, 32]")]
fn a_clip_is_no_picture() {
    let store = VarStore::new(Device::Cpu);
    EfficientNet::new(&store.root(), &[4, 3, 32, 32], EfficientNetConfig::tiny());
}

#[test]
fn timms_names_are_known() {
    let (store, _) = build(EfficientNetConfig::b4());
    let ours = store.variables();
    for name in [
        "conv_stem.weight",
        "bn1.running_mean",
        "blocks.0.0.conv_dw.weight",
        "blocks.0.0.bn2.num_batches_tracked",
        "blocks.3.5.se.conv_expand.bias",
        "blocks.6.1.bn3.running_var",
        "conv_head.weight",
        "bn2.bias",
    ] {
        let Public::Ours(found) = public(name) else { panic!("{name}") };
        assert!(ours.contains_key(&found), "{found}");
    }
    assert_eq!(public("classifier.weight"), Public::Ignored);
    assert_eq!(public("layer1.0.conv1.weight"), Public::Unknown);
    assert_eq!(public("mean"), Public::Unknown);
}
