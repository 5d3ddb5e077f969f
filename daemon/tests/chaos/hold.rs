//! How the runs of a session are held: in each tier that the machine has, sealed where it can.

use std::path::Path;
use std::sync::OnceLock;

use dfr_daemon::runner::{Containment, RunUser, capabilities_with};
use dfr_daemon::tier::Tier;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    tier: Tier,
    pub is_sealed: bool,
}

impl Hold {
    /// By turns; the first is the best there is.
    pub fn by_turn(turn: usize) -> Self {
        let holds = there();
        holds[turn % holds.len()]
    }

    /// The flags of a session that is held so.
    pub fn flags(self) -> Vec<&'static str> {
        let mut flags = vec!["--containment", self.tier.as_str()];
        flags.extend((!self.is_sealed).then_some("--unsealed"));
        flags
    }
}

fn there() -> &'static [Hold] {
    static THERE: OnceLock<Vec<Hold>> = OnceLock::new();
    THERE.get_or_init(|| {
        let user = RunUser::choose(None).unwrap();
        let machine = capabilities_with(Path::new(env!("CARGO_BIN_EXE_dfr-daemon")), user);
        let tiers = [Tier::Full, Tier::Container];
        let there = tiers.map(|tier| Containment::choose(Some(tier), &machine).ok());
        let hold = |held: Containment| Hold { tier: held.tier(), is_sealed: held.seals().is_ok() };
        let holds: Vec<_> = there.into_iter().flatten().map(hold).collect();
        println!("sessions are held by turns: {holds:?}");
        assert!(!holds.is_empty(), "no tier here: {machine:?}");
        holds
    })
}
