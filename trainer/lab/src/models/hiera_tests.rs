use super::*;
use std::collections::BTreeSet;
use tch::{Device, Kind, nn::VarStore};

fn build(shape: &[i64], config: HieraConfig) -> (VarStore, Hiera) {
    let store = VarStore::new(Device::Cpu);
    let model = Hiera::new(&store.root(), shape, config);
    (store, model)
}

/// The names in the public file, from their pattern.
fn public_names() -> BTreeSet<String> {
    let mut names = BTreeSet::from(["embeddings.position_embeddings".to_owned()]);
    let mut layer = |name: String| {
        names.extend(["weight", "bias"].map(|state| format!("{name}.{state}")));
    };
    layer("embeddings.patch_embeddings.projection".to_owned());
    layer("pooler.layernorm".to_owned());
    for (stage, count) in [2, 3, 16, 3].into_iter().enumerate() {
        for block in 0..count {
            let below = format!("encoder.stages.{stage}.layers.{block}");
            for part in ["layernorm_before", "layernorm_after"] {
                layer(format!("{below}.{part}"));
            }
            for part in ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"] {
                layer(format!("{below}.{part}"));
            }
            if stage > 0 && block == 0 {
                layer(format!("{below}.proj"));
            }
        }
    }
    names
}

#[test]
fn the_public_file_fills_all_but_the_head() {
    let (store, _) = build(&[16, 3, 224, 224], HieraConfig::base());
    let parameters: usize = store.trainable_variables().iter().map(Tensor::numel).sum();
    let variables = store.variables();
    assert_eq!((variables.len(), parameters), (305, 50_759_042));
    let own = ["mean", "std", "head.0.weight", "head.0.bias", "head.2.weight", "head.2.bias"];
    for prefix in ["", "hiera."] {
        let mut filled: BTreeSet<String> = own.map(String::from).into();
        for name in public_names() {
            let Public::Ours(found) = public(&format!("{prefix}{name}")) else { panic!("{name}") };
            filled.insert(found);
        }
        assert_eq!(filled, variables.keys().cloned().collect());
    }
    let shapes: [(&str, &[i64]); 4] = [
        ("encoder.embeddings.position_embeddings", &[1, 3136, 96]),
        ("encoder.embeddings.patch_embeddings.projection.weight", &[96, 3, 7, 7]),
        ("encoder.encoder.stages.1.layers.0.attn.qkv.weight", &[576, 96]),
        ("head.2.weight", &[2, 768]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
}

#[test]
fn what_only_pretraining_needs_is_left_alone() {
    for name in [
        "classifier.weight",
        "encoder_norm.bias",
        "decoder.mask_token",
        "decoder.decoder_block.layers.0.attn.qkv.weight",
        "multiscale_fusion.multi_scale_fusion_heads.0.weight",
    ] {
        assert_eq!(public(name), Public::Ignored, "{name}");
    }
    assert_eq!(public("vit.encoder.layer.0.output.dense.weight"), Public::Unknown);
    assert_eq!(public("mean"), Public::Unknown);
}

/// Numbered pixels of 8 x 8 tokens: the sequence's first quarter, of its first quarter, is every corner
/// of a unit of 4 x 4.
#[test]
fn units_are_unrolled() {
    let (_store, model) = build(&[1, 3, 32, 32], HieraConfig::tiny());
    let tokens = Tensor::arange(64, (Kind::Int64, Device::Cpu)).view([1, 64, 1]);
    let order = Vec::<i64>::try_from(model.encoder.unroll(&tokens).flatten(0, -1)).unwrap();
    assert_eq!(order[..8], [0, 4, 32, 36, 2, 6, 34, 38]);
    assert_eq!(order[16..20], [1, 5, 33, 37]);
}

#[test]
fn clips_of_any_whole_units_get_two_logits() {
    for shape in [[1, 3, 16, 16], [3, 3, 48, 32]] {
        let (_store, model) = build(&shape, HieraConfig::tiny());
        let clips = Tensor::randint(256, [&[2], &shape[..]].concat(), (Kind::Uint8, Device::Cpu));
        assert_eq!(model.forward(&clips, true).size(), [2, 2]);
    }
}

#[test]
fn weights_start_where_the_librarys_do() {
    let (store, _) = build(&[1, 3, 224, 224], HieraConfig::tiny());
    let variables = store.variables();
    let spread = variables["encoder.embeddings.position_embeddings"].std(true).double_value(&[]);
    assert!((spread / 0.02 - 1.0).abs() < 0.05, "{spread}");
    for (name, bias) in variables {
        if name.starts_with("encoder") && name.ends_with("bias") {
            assert_eq!(bias.min().double_value(&[]), f64::from(0.02f32), "{name}");
            assert_eq!(bias.max().double_value(&[]), f64::from(0.02f32), "{name}");
        }
    }
}

#[test]
#[should_panic(expected = "multiples of 32, not [16, 3, 200, 224]")]
fn a_broken_unit_is_refused() {
    build(&[16, 3, 200, 224], HieraConfig::base());
}
