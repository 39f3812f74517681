//! What happens in a run: drawn from the seed before it starts.

use super::chance::Chance;

/// What is wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Honest,
    /// It sends nothing.
    Silent,
    /// It signs two votes where it may sign one, and shows each to some.
    TwoVotes,
    /// It signs two proposals for one round, and shows each to some.
    TwoProposals,
    /// It forgets now and then what it signed and what it locked.
    Amnesiac,
    /// It answers value sync with what does not hold, and tells heights that are not there.
    LyingSync,
    /// It has this fault of the product's fault binary.
    Faulty(&'static str),
    /// One of two that run with one key.
    Twin,
}

/// A turn of events at a moment of the run.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Who is connected with whom: nodes of one group are.
    Groups(Vec<u64>),
    Kill(usize),
    /// After so many steps, in front of one or in the middle.
    CrashAt {
        node: usize,
        steps: u64,
        is_torn: bool,
    },
    /// The process is killed and the engine's log and bodies are gone; `last-signed` is not.
    LoseLog(usize),
    /// A client brings a record of this number to a node.
    Submit(usize, u64),
}

/// The network's ways until it heals.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub delay_ms_max: u64,
    /// Of a thousand messages.
    pub lost: u64,
    pub doubled: u64,
}

pub const CALM: Weather = Weather { delay_ms_max: 20, lost: 0, doubled: 0 };

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Which validator each node is, and what is wrong with it.
    pub nodes: Vec<(usize, Part)>,
    pub skews_ms: Vec<u64>,
    pub weather: Weather,
    pub turns: Vec<(u64, Turn)>,
    pub heals_at_ms: u64,
    pub records: u64,
    /// Faults of the product that every honest node has: checks that are switched off.
    pub switched_off: &'static str,
}

const CAST: [Part; 12] = [
    Part::Honest,
    Part::Honest,
    Part::Honest,
    Part::Silent,
    Part::TwoVotes,
    Part::TwoProposals,
    Part::Amnesiac,
    Part::LyingSync,
    Part::Faulty("bad-signature"),
    Part::Faulty("wrong-time"),
    Part::Faulty("censor:agency-1"),
    Part::Twin,
];

impl Plan {
    /// One validator of four is at most at fault; any node may crash.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let part = CAST[chance.index(CAST.len())];
        Plan::with(seed, part, chance)
    }

    /// Two validators of four run twice, on two sides: more than a third lies, and the ledger may fork.
    pub fn fork(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let nodes = [(0, Part::Honest), (1, Part::Honest), (2, Part::Twin), (3, Part::Twin), (2, Part::Twin), (3, Part::Twin)];
        let submits = (0..20).map(|number| (number * 400, Turn::Submit(chance.index(2), number)));
        let mut turns: Vec<_> = submits.collect();
        turns.push((chance.between(500, 4_000), Turn::Groups(vec![0, 1, 0, 0, 1, 1])));
        turns.sort_by_key(|(at, _)| *at);
        let skews_ms = vec![0; nodes.len()];
        Plan { seed, nodes: nodes.to_vec(), skews_ms, weather: CALM, turns, heals_at_ms: 20_000, records: 20, switched_off: "" }
    }

    /// One node loses the engine's log again and again, and keeps what it noted of its signatures.
    pub fn lost_logs(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut plan = Plan::with_part(seed, Part::Honest);
        plan.weather = Weather { delay_ms_max: 300, lost: 20, doubled: 0 };
        plan.turns.retain(|(_, turn)| !matches!(turn, Turn::LoseLog(_)));
        let forgetful = chance.index(4);
        plan.turns.extend((0..20).map(|_| (chance.below(plan.heals_at_ms), Turn::LoseLog(forgetful))));
        plan.turns.sort_by_key(|(at, _)| *at);
        plan
    }

    /// The run of this seed with this part.
    pub fn with_part(seed: u64, part: Part) -> Self {
        Plan::with(seed, part, Chance::new(seed))
    }

    fn with(seed: u64, part: Part, mut chance: Chance) -> Self {
        let liar = chance.index(4);
        let mut nodes: Vec<_> = (0..4).map(|index| (index, if index == liar { part } else { Part::Honest })).collect();
        if part == Part::Twin {
            nodes.push((liar, Part::Twin));
        }
        let heals_at_ms = chance.between(8_000, 25_000);
        let weather =
            Weather { delay_ms_max: [5, 30, 150, 600][chance.index(4)], lost: [0, 0, 20, 150][chance.index(4)], doubled: chance.below(60) };
        let mut plan = Plan {
            seed,
            skews_ms: nodes.iter().map(|_| chance.below(400)).collect(),
            nodes,
            weather,
            turns: Vec::new(),
            heals_at_ms,
            records: chance.between(6, 14),
            switched_off: "",
        };
        plan.draw_turns(&mut chance);
        plan
    }

    fn draw_turns(&mut self, chance: &mut Chance) {
        let count = self.nodes.len();
        for number in 0..self.records {
            let node = chance.index(count);
            self.turns.push((chance.below(self.heals_at_ms), Turn::Submit(node, number)));
        }
        for _ in 0..chance.below(5) {
            let groups = (0..count).map(|_| chance.below(2)).collect();
            self.turns.push((chance.below(self.heals_at_ms), Turn::Groups(groups)));
            self.turns.push((chance.below(self.heals_at_ms), Turn::Groups(vec![0; count])));
        }
        // Who loses its log may not vote for a while, as a liar does not for good: one of four at most.
        let forgetful = chance.index(count);
        let may_forget = self.liars().is_empty();
        for _ in 0..chance.below(7) {
            let node = chance.index(count);
            let turn = match chance.below(8) {
                0 if may_forget => Turn::LoseLog(forgetful),
                1 => Turn::Kill(node),
                _ => Turn::CrashAt { node, steps: chance.below(300), is_torn: chance.is_one_in(2) },
            };
            self.turns.push((chance.below(self.heals_at_ms), turn));
        }
        if chance.is_one_in(6) {
            let at = chance.below(self.heals_at_ms);
            (0..count).for_each(|node| self.turns.push((at, Turn::Kill(node))));
        }
        self.turns.sort_by_key(|(at, _)| *at);
    }

    /// Agencies whose keys are used by a node that is not honest.
    pub fn liars(&self) -> Vec<String> {
        let lying = self.nodes.iter().filter(|(_, part)| *part != Part::Honest);
        let mut liars: Vec<_> = lying.map(|(validator, _)| format!("agency-{validator}")).collect();
        liars.dedup();
        liars
    }
}
