//! Names of public checkpoints.

use crate::models::Public;

/// Where weight norm kept its parts before `torch.nn.utils.parametrizations`.
const OLDER: [(&str, &str); 2] = [
    ("weight_g", "parametrizations.weight.original0"),
    ("weight_v", "parametrizations.weight.original1"),
];

/// From the names of the library's model without a head.
pub fn public(name: &str) -> Public {
    const POSITIONS: &str = "encoder.pos_conv_embed.conv.";
    let known = name == "masked_spec_embed"
        || ["feature_extractor.conv_layers.", "feature_projection.", "encoder."]
            .iter()
            .any(|prefix| name.starts_with(prefix));
    if !known {
        return Public::Unknown;
    }
    let older = |(old, new): &(&str, &str)| {
        (name.strip_prefix(POSITIONS) == Some(old)).then(|| format!("{POSITIONS}{new}"))
    };
    let newer = OLDER.iter().find_map(older).unwrap_or_else(|| name.to_owned());
    Public::Ours(format!("encoder.{newer}"))
}
