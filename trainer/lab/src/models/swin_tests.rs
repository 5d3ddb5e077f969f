use super::*;
use tch::nn::VarStore;
use tch::{Device, Kind};

fn build(shape: &[i64], config: SwinConfig) -> (VarStore, Swin) {
    let store = VarStore::new(Device::Cpu);
    let model = Swin::new(&store.root(), shape, config);
    (store, model)
}

fn parameters(store: &VarStore) -> usize {
    store.trainable_variables().iter().map(Tensor::numel).sum()
}

#[test]
fn smogys_has_the_state_of_its_reference() {
    let (store, _) = build(&[3, 224, 224], SwinConfig::smogy(Regularisation::NONE));
    let variables = store.variables();
    assert_eq!((variables.len(), parameters(&store)), (451, 86_745_274));
    let shapes: [(&str, &[i64]); 7] = [
        ("std", &[1, 3, 1, 1]),
        ("swin.embeddings.patch_embeddings.projection.weight", &[128, 3, 4, 4]),
        ("swin.encoder.layers.0.blocks.0.attention.self.relative_position_index", &[49, 49]),
        ("swin.encoder.layers.2.blocks.17.attention.self.relative_position_bias_table", &[169, 16]),
        ("swin.encoder.layers.2.downsample.reduction.weight", &[1024, 2048]),
        ("swin.encoder.layers.3.blocks.1.intermediate.dense.weight", &[4096, 1024]),
        ("head.1.weight", &[2, 1024]),
    ];
    for (name, shape) in shapes {
        assert_eq!(variables[name].size(), shape, "{name}");
    }
}

#[test]
fn the_size_of_a_picture_is_free() {
    for shape in [[3, 32, 32], [3, 64, 48], [3, 30, 17], [3, 8, 8]] {
        let (_store, model) = build(&shape, SwinConfig::tiny(Regularisation::NONE));
        let pictures = Tensor::randint(256, [2, 3, shape[1], shape[2]], (Kind::Uint8, Device::Cpu));
        assert_eq!(model.forward(&pictures, true).size(), [2, 2], "{shape:?}");
    }
}

#[test]
fn a_small_grid_is_one_window() {
    let (store, _) = build(&[3, 8, 8], SwinConfig::tiny(Regularisation::NONE));
    let table = "swin.encoder.layers.0.blocks.0.attention.self.relative_position_bias_table";
    assert_eq!(store.variables()[table].size(), [9, 2]);
}

#[test]
#[should_panic(expected = "shape [3, H, W]")]
fn a_clip_is_no_picture() {
    let _ = build(&[8, 3, 32, 32], SwinConfig::tiny(Regularisation::NONE));
}

#[test]
#[should_panic(expected = "size that it was made for")]
fn pictures_are_of_the_size_that_it_was_made_for() {
    let (_store, model) = build(&[3, 32, 32], SwinConfig::tiny(Regularisation::NONE));
    let _ = model.forward(&Tensor::zeros([1, 3, 64, 64], (Kind::Uint8, Device::Cpu)), false);
}

#[test]
fn public_names_are_ours() {
    let ours = |name: &str| Public::Ours(name.to_owned());
    for name in [
        "swin.embeddings.patch_embeddings.projection.weight",
        "swin.embeddings.norm.bias",
        "swin.encoder.layers.2.blocks.17.attention.self.relative_position_index",
        "swin.encoder.layers.1.downsample.reduction.weight",
        "swin.layernorm.weight",
    ] {
        assert_eq!(public(name), ours(name));
    }
    assert_eq!(public("classifier.weight"), Public::Ignored);
    assert_eq!(public("swin.embeddings.mask_token"), Public::Ignored);
    assert_eq!(public("vit.layernorm.weight"), Public::Unknown);
}

#[test]
fn every_public_name_of_ours_is_one_of_the_model() {
    let (store, _) = build(&[3, 32, 32], SwinConfig::tiny(Regularisation::NONE));
    for name in store.variables().into_keys().filter(|name| name.starts_with("swin.")) {
        assert_eq!(public(&name), Public::Ours(name.clone()));
    }
}

fn windows(grid: [i64; 2], shifted: bool) -> windows::Windows {
    windows::Windows::new(grid, 4, shifted, Device::Cpu)
}

#[test]
fn windows_are_joined_as_they_were_cut() {
    for (grid, shifted) in [([8, 8], false), ([8, 12], true), ([9, 6], true), ([4, 9], true)] {
        let x = Tensor::randn([2, grid[0], grid[1], 3], (Kind::Float, Device::Cpu));
        let windows = windows(grid, shifted);
        assert_eq!(windows.join(&windows.cut(&x)), x, "{grid:?}");
    }
}

#[test]
fn the_mask_parts_what_only_the_roll_brought_together() {
    let bias = Tensor::zeros([1, 1, 16, 16], (Kind::Double, Device::Cpu));
    let closed = windows([8, 8], true).close(&bias, 2);
    assert_eq!(closed.size(), [8, 1, 16, 16]);
    // The first window is whole; the last one has four corners of the picture, of four places each.
    let apart = |window| closed.get(window).lt(0.0).sum(Kind::Int64).int64_value(&[]);
    assert_eq!([0, 1, 2, 3].map(apart), [0, 128, 128, 192]);
    assert_eq!(windows([8, 4], true).close(&bias, 2).size(), [1, 1, 16, 16]);
}
