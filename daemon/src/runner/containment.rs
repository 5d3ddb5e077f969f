//! How a run is kept from outliving its experiment.

use std::path::{Path, PathBuf};

use super::capabilities::Capabilities;
use super::cgroup::Groups;
use super::confine::RunUser;
use super::seal::{Seal, Unsealed};
use super::words::Stage;
use crate::tier::Tier;

/// How runs are contained here; cheap to clone.
#[derive(Clone, Debug)]
pub struct Containment {
    tier: Tier,
    user_namespace: bool,
    init: PathBuf,
    groups: Groups,
    seal: Result<Seal, Unsealed>,
}

/// Why runs cannot be contained as asked.
#[derive(Debug, thiserror::Error)]
pub enum ContainmentError {
    /// A forced tier that this machine does not allow.
    #[error("containment {:?} is not available here: no PID namespace can be made", tier.as_str())]
    Unavailable {
        /// What was asked for.
        tier: Tier,
    },
    /// Not even the weaker tier.
    #[error("runs cannot be contained here: /proc cannot be read, or orphans cannot be adopted")]
    None,
    /// What it takes could not be found out.
    #[error("what keeps runs together could not be tried: {0}")]
    Untried(Unsealed),
}

impl Containment {
    /// The tier asked for, or the best there is when none is (`auto`). A forced tier is never
    /// replaced by a weaker one.
    ///
    /// # Errors
    /// The tier is not available on this machine.
    pub fn choose(
        forced: Option<Tier>,
        capabilities: &Capabilities,
    ) -> Result<Self, ContainmentError> {
        let tier = forced.or(capabilities.tier());
        let is_there = |tier: &Tier| match tier {
            Tier::Full => capabilities.full(),
            Tier::Container => capabilities.container(),
        };
        let Some(tier) = tier.filter(is_there) else {
            return Err(match (capabilities.untried.clone(), tier) {
                (Some(why), _) => ContainmentError::Untried(why),
                (None, Some(tier @ Tier::Full)) => ContainmentError::Unavailable { tier },
                (None, _) => ContainmentError::None,
            });
        };
        Ok(Self {
            tier,
            user_namespace: !capabilities.pid_namespace,
            init: capabilities.init.clone(),
            groups: capabilities.groups.clone(),
            seal: capabilities.seal(tier).clone(),
        })
    }

    /// The tier in force.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// What a sandbox comes to in this tier here.
    ///
    /// # Errors
    /// There is none that holds; a run that is to have one is not started.
    pub fn seals(&self) -> Result<&Seal, &Unsealed> {
        self.seal.as_ref()
    }

    /// The user that runs in a sandbox have; `None` where it is the daemon's.
    pub fn run_user(&self) -> Option<RunUser> {
        self.seal.as_ref().ok().and_then(|seal| seal.user)
    }

    /// The same without control groups: limits are then kept by looking at /proc.
    pub fn without_groups(self) -> Self {
        Self { groups: Groups::default(), ..self }
    }

    pub(super) fn init(&self) -> &Path {
        &self.init
    }

    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    pub(super) fn stage(&self) -> Stage {
        match self.tier {
            Tier::Full => Stage::Namespace { user: self.user_namespace },
            Tier::Container => Stage::Subreaper,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(pid_namespace: bool, user_namespace: bool, proc_readable: bool) -> Capabilities {
        Capabilities {
            pid_namespace,
            user_namespace,
            proc_readable,
            subreaper: true,
            ..Capabilities::none(Path::new("init"))
        }
    }

    #[test]
    fn the_best_tier_is_taken_and_a_forced_one_never_replaced() {
        let (full, container) = (Some(Tier::Full), Some(Tier::Container));
        for (machine, forced, expected) in [
            (machine(true, true, true), None, full),
            (machine(false, true, true), None, full),
            (machine(false, false, true), None, container),
            (machine(true, true, false), None, full),
            (machine(false, false, false), None, None),
            (machine(true, false, true), container, container),
            (machine(false, true, true), full, full),
            (machine(false, false, true), full, None),
            (machine(true, true, false), container, None),
        ] {
            let chosen = Containment::choose(forced, &machine);
            assert_eq!(chosen.ok().map(|c| c.tier()), expected, "{forced:?} on {machine:?}");
        }
    }

    #[test]
    fn a_user_namespace_is_made_only_where_it_is_needed() {
        for (pid, user) in [(true, false), (false, true)] {
            let chosen = Containment::choose(None, &machine(pid, true, true)).unwrap();
            assert_eq!(chosen.stage(), Stage::Namespace { user });
        }
    }

    #[test]
    fn what_could_not_be_tried_is_not_called_missing() {
        let why = Unsealed::Untried("timed out".to_owned());
        let busy = Capabilities { untried: Some(why), ..machine(false, false, false) };
        for forced in [None, Some(Tier::Full), Some(Tier::Container)] {
            let chosen = Containment::choose(forced, &busy);
            assert!(matches!(chosen, Err(ContainmentError::Untried(_))), "{chosen:?}");
        }
        let weaker = Capabilities { proc_readable: true, ..busy };
        assert!(Containment::choose(None, &weaker).is_ok());
    }

    #[test]
    fn what_is_missing_is_said() {
        let error =
            Containment::choose(Some(Tier::Full), &machine(false, false, true)).unwrap_err();
        assert!(error.to_string().starts_with("containment \"full\" is not available"), "{error}");
    }
}
