//! Which GPUs are in use: `CUDA_VISIBLE_DEVICES`.

/// The GPUs that programs we start may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    /// All of them.
    All,
    /// Those that are listed.
    Listed(Vec<Entry>),
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A position. CUDA's default order puts the fastest device first; it is that of the driver
    /// where devices are alike or `CUDA_DEVICE_ORDER=PCI_BUS_ID` is set.
    Index(u32),
    /// The beginning of a UUID, `GPU-…`.
    Uuid(String),
}

impl Visible {
    /// Understands the variable's value as CUDA does: the list ends before the first entry that is
    /// none. A slice of a device (`MIG-…`) is none here: the driver counts memory and processes of
    /// whole devices, which say nothing about a slice.
    ///
    /// # Source
    /// CUDA C++ Programming Guide, "CUDA Environment Variables".
    pub fn parse(value: Option<&str>) -> Self {
        match value {
            None => Self::All,
            Some(list) => Self::Listed(list.split(',').map_while(entry).collect()),
        }
    }

    pub(super) fn shows(&self, index: u32, uuid: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(entries) => entries.iter().any(|entry| match entry {
                Entry::Index(listed) => *listed == index,
                // One that has lost its name may be any of them.
                Entry::Uuid(start) => uuid.is_empty() || uuid.starts_with(start.as_str()),
            }),
        }
    }
}

fn entry(text: &str) -> Option<Entry> {
    let text = text.trim();
    if text.strip_prefix("GPU-").is_some_and(|rest| !rest.is_empty()) {
        return Some(Entry::Uuid(text.to_owned()));
    }
    text.parse().ok().map(Entry::Index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_understood_as_cuda_does() {
        let gpus = [(0, "GPU-aa11"), (1, "GPU-bb22"), (2, "")];
        let cases = [
            (None, vec![0, 1, 2]),
            (Some("1"), vec![1]),
            (Some(" 1 , 0"), vec![0, 1]),
            (Some("0,-1,1"), vec![0]),
            (Some("-1"), vec![]),
            (Some("NoDevFiles"), vec![]),
            (Some("MIG-aa11,0"), vec![]),
            (Some("GPU-bb"), vec![1, 2]),
            (Some("GPU-"), vec![]),
            (Some("7"), vec![]),
        ];
        for (value, expected) in cases {
            let visible = Visible::parse(value);
            let seen =
                gpus.iter().filter(|(index, uuid)| visible.shows(*index, uuid)).map(|gpu| gpu.0);
            assert_eq!(seen.collect::<Vec<_>>(), expected, "{value:?}");
        }
    }
}
