//! Counters of a node; gauges are read at the scrape. Served in the OpenMetrics text format.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// All counters; shared by the node's tasks.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Records that this node's pool took.
    pub records_taken: Counter,
    /// Records that this node's pool or a later head refused.
    pub records_refused: Counter,
    /// Signatures that were verified.
    pub signatures_verified: Counter,
    /// Blocks committed by this node.
    pub blocks_committed: Counter,
    /// Records committed by this node.
    pub records_committed: Counter,
    /// Proposals that this node voted nil on because they are invalid.
    pub proposals_refused: Counter,
    /// Requests beyond a bound: connections, body, time, quota.
    pub limits_reached: Counter,
    /// Messages of the record swarm that were malformed.
    pub messages_refused: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sharelog");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        Metrics {
            records_taken: counter("records_taken", "Records that the pool took"),
            records_refused: counter("records_refused", "Records that were refused"),
            signatures_verified: counter("signatures_verified", "Signatures that were verified"),
            blocks_committed: counter("blocks_committed", "Blocks committed"),
            records_committed: counter("records_committed", "Records committed"),
            proposals_refused: counter("proposals_refused", "Invalid proposals, answered by a nil vote"),
            limits_reached: counter("limits_reached", "Requests beyond a bound"),
            messages_refused: counter("messages_refused", "Malformed messages of the record swarm"),
            registry,
        }
    }
}

impl Metrics {
    /// The counters in the OpenMetrics text format, closed by `# EOF`.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        encode(&mut out, &self.registry).expect("writing to a string");
        out
    }
}
