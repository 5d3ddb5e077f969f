//! Which weights are trained, and how fast each.

use std::collections::HashMap;

use dfr_harness::optimizer::ParameterGroup;
use tch::Tensor;
use tch::nn::VarStore;

/// What is not trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// All is trained.
    Nothing,
    /// All but the last layers, whose names begin with `head.`.
    Backbone,
    /// The variables whose names begin so.
    Below(&'static str),
}

impl Frozen {
    fn includes(self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Backbone => !name.starts_with("head."),
            Self::Below(prefix) => name.starts_with(prefix),
        }
    }
}

/// Takes what is frozen out of the training.
pub fn freeze(variables: &VarStore, frozen: Frozen) {
    for (name, tensor) in variables.variables() {
        if frozen.includes(&name) {
            let _ = tensor.set_requires_grad(false);
        }
    }
}

/// The trained weights, in layers: the last learns at the full rate, each one before it at `layer_decay` of
/// the rate of the next.
///
/// # Source
/// Clark et al., ELECTRA, <https://arxiv.org/abs/2003.10555>, appendix A. Layers are told by the numbers in
/// names, in the order in which the model makes them.
pub fn groups(variables: &VarStore, weight_decay: f64, layer_decay: f64) -> Vec<ParameterGroup> {
    let mut layers = layers(variables);
    if layer_decay == 1.0 {
        layers = vec![layers.into_iter().flatten().collect()];
    }
    let last = layers.len().saturating_sub(1);
    let group = |(depth, parameters)| ParameterGroup {
        learning_rate_scale: layer_decay.powi((last - depth) as i32),
        weight_decay,
        ..ParameterGroup::new(parameters)
    };
    layers.into_iter().enumerate().map(group).collect()
}

/// Trained weights that stand together, in the order in which they were made.
fn layers(variables: &VarStore) -> Vec<Vec<Tensor>> {
    let names: HashMap<_, _> = variables
        .variables()
        .into_iter()
        .map(|(name, tensor)| (tensor.data_ptr(), layer_of(&name)))
        .collect();
    let mut layers: Vec<(String, Vec<Tensor>)> = Vec::new();
    for tensor in variables.trainable_variables() {
        let layer = &names[&tensor.data_ptr()];
        if !tensor.requires_grad() {
            continue;
        }
        match layers.last_mut() {
            Some((last, tensors)) if last == layer => tensors.push(tensor),
            _ => layers.push((layer.clone(), vec![tensor])),
        }
    }
    layers.into_iter().map(|(_, tensors)| tensors).collect()
}

/// `encoder.layers.3.mlp.fc1.weight` is of `encoder.layers.3`, `encoder.stages.2.layers.5.…` of
/// `encoder.stages.2.layers.5`; what has no number is of its first part.
fn layer_of(name: &str) -> String {
    let parts: Vec<_> = name.split('.').collect();
    let is_number = |part: &&str| part.parse::<u32>().is_ok();
    let is_list =
        |part: &str| ["layer", "block", "stage"].iter().any(|list| part.starts_with(list));
    let last = (1..parts.len())
        .rev()
        .find(|&at| is_number(&parts[at]) && is_list(parts[at - 1]))
        .unwrap_or(0);
    parts[..=last].join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn store(names: &[&str]) -> VarStore {
        let store = VarStore::new(Device::Cpu);
        for name in names {
            let mut path = store.root();
            let parts: Vec<_> = name.split('.').collect();
            for part in &parts[..parts.len() - 1] {
                path = path / *part;
            }
            let _ = path.zeros(parts[parts.len() - 1], &[1]);
        }
        store
    }

    #[test]
    fn later_layers_learn_faster() {
        let store = store(&[
            "encoder.embeddings.weight",
            "encoder.layers.0.fc.weight",
            "encoder.layers.0.fc.bias",
            "encoder.layers.1.fc.weight",
            "encoder.layernorm.weight",
            "head.0.weight",
            "head.2.weight",
        ]);
        let shape = |groups: Vec<ParameterGroup>| -> Vec<(usize, f64)> {
            groups.iter().map(|group| (group.parameters.len(), group.learning_rate_scale)).collect()
        };
        assert_eq!(shape(groups(&store, 0.0, 1.0)), [(7, 1.0)]);
        assert_eq!(
            shape(groups(&store, 0.0, 0.5)),
            [(1, 0.0625), (2, 0.125), (1, 0.25), (1, 0.5), (2, 1.0)]
        );
        freeze(&store, Frozen::Below("encoder.layers.0."));
        let left = [(1, 0.125), (1, 0.25), (1, 0.5), (2, 1.0)];
        assert_eq!(shape(groups(&store, 0.0, 0.5)), left);
        freeze(&store, Frozen::Backbone);
        assert_eq!(shape(groups(&store, 0.0, 0.5)), [(2, 1.0)]);
    }

    #[test]
    fn layers_are_told_by_their_numbers() {
        for (name, layer) in [
            ("backbone.blocks.3.1.conv_pw.weight", "backbone.blocks.3"),
            ("backbone.layer2.0.conv1.0.weight", "backbone.layer2.0"),
            (
                "swin.encoder.layers.2.blocks.17.output.dense.bias",
                "swin.encoder.layers.2.blocks.17",
            ),
            ("head.1.bias", "head"),
            ("mean", "mean"),
        ] {
            assert_eq!(layer_of(name), layer);
        }
    }
}
