//! Everything that a training needs to go on where it stood.

use std::collections::BTreeMap;
use std::time::Duration;

use tch::{Device, Tensor};

use super::{TrainError, Training};
use crate::checkpoint;
use crate::report::Totals;
use crate::resume::{Checkpoints, ResumeError, Saved, Standing};
use crate::shim;

/// libtorch's generators: initial weights, dropout and noise.
const GENERATOR: &str = "generator";

impl Training<'_> {
    /// Goes on from the newest checkpoint, if there is one; what was done until then.
    pub(super) fn restore(&mut self, checkpoints: &mut Checkpoints) -> Result<Totals, TrainError> {
        let live = self.live()?;
        let Some(Saved { path, standing, mut tensors }) = checkpoints.newest()? else {
            return Ok(Totals::default());
        };
        let generators: BTreeMap<_, _> =
            tensors.extract_if(.., |name, _| name.starts_with(GENERATOR)).collect();
        if let Some(difference) = checkpoint::difference(&live, &tensors) {
            return Err(ResumeError::Unlike { path, difference }.into());
        }
        tch::no_grad(|| {
            for (name, mut tensor) in live {
                tensor.copy_(&tensors[&name]);
            }
        });
        for device in generators_of(self.device) {
            // One that was saved on another kind of device has none of this one.
            if let Some(state) = generators.get(&generator_name(device)) {
                shim::set_generator_state(device, state)?;
            }
        }
        self.rng.set_word_pos(u128::from(standing.drawn_words));
        let Standing { steps, epochs, spent, .. } = standing;
        Ok(Totals { steps, epochs, seconds: spent, ..Totals::default() })
    }

    /// Writes a checkpoint.
    pub(super) fn save(
        &mut self,
        checkpoints: &mut Checkpoints,
        totals: &Totals,
        spent: Duration,
    ) -> Result<(), TrainError> {
        let standing = Standing {
            identity: checkpoints.identity().clone(),
            steps: totals.steps,
            epochs: totals.epochs,
            spent,
            drawn_words: u64::try_from(self.rng.get_word_pos()).expect("fewer than 2^64 draws"),
        };
        let plain = |tensor: Tensor| tensor.detach().to_device(Device::Cpu).contiguous();
        let mut tensors: BTreeMap<_, _> =
            self.live()?.into_iter().map(|(name, tensor)| (name, plain(tensor))).collect();
        for device in generators_of(self.device) {
            tensors.insert(generator_name(device), shim::generator_state(device)?);
        }
        Ok(checkpoints.save(&standing, tensors)?)
    }

    /// The tensors that change while it trains.
    fn live(&mut self) -> Result<BTreeMap<String, Tensor>, ResumeError> {
        let optimizer = self.optimizer.state().ok_or(ResumeError::Untold)?;
        let optimizer =
            optimizer.into_iter().map(|(name, tensor)| (format!("optimizer.{name}"), tensor));
        let weights = checkpoint::named(&self.variables).into_iter();
        Ok(weights
            .map(|(name, tensor)| (format!("weights.{name}"), tensor))
            .chain(optimizer)
            .chain([("precision".to_owned(), self.precision.state())])
            .collect())
    }
}

fn generators_of(device: Device) -> impl Iterator<Item = Device> {
    [Device::Cpu, device].into_iter().take(if device == Device::Cpu { 1 } else { 2 })
}

fn generator_name(device: Device) -> String {
    format!("{GENERATOR}.{}", if device.is_cuda() { "cuda" } else { "cpu" })
}
