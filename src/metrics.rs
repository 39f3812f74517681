//! Counters of a node; gauges are read at the scrape. Served in the OpenMetrics text format.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
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
    /// Blocks of an earlier round that were proposed again and are valid.
    pub proposals_repeated: Counter,
    /// Requests beyond a bound: connections, body, time, quota.
    pub limits_reached: Counter,
    /// Messages of the record swarm that were malformed.
    pub messages_refused: Counter,
    /// Answers over HTTP.
    pub http_answers: Counter,
    gauges: Gauges,
}

#[derive(Debug, Default)]
struct Gauges {
    head_height: Gauge,
    head_size: Gauge,
    head_age_ms: Gauge,
    checkpoint_size: Gauge,
    pool_records: Gauge,
    pool_bytes: Gauge,
    pool_oldest_ms: Gauge,
    peers_connected: Gauge,
    peers_known: Gauge,
    ready: Gauge,
}

/// What is read at the scrape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub head_height: u64,
    pub head_size: u64,
    /// Since the newest block's time, by the own clock.
    pub head_age_ms: u64,
    /// 0 while no checkpoint is public.
    pub checkpoint_size: u64,
    pub pool_records: usize,
    pub pool_bytes: usize,
    /// Wait of the oldest pending record; 0 without one.
    pub pool_oldest_ms: u64,
    pub peers_connected: usize,
    pub peers_known: usize,
    pub ready: bool,
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
            proposals_repeated: counter("proposals_repeated", "Valid proposals of a block of an earlier round"),
            limits_reached: counter("limits_reached", "Requests beyond a bound"),
            messages_refused: counter("messages_refused", "Malformed messages of the record swarm"),
            http_answers: counter("http_answers", "Answers over HTTP"),
            gauges: Gauges::registered(&mut registry),
            registry,
        }
    }
}

impl Gauges {
    fn registered(registry: &mut Registry) -> Self {
        let gauges = Gauges::default();
        for (name, help, gauge) in [
            ("head_height", "Height of the newest block", &gauges.head_height),
            ("head_size", "Leaves in the log", &gauges.head_size),
            ("head_age_ms", "Milliseconds since the newest block's time", &gauges.head_age_ms),
            ("checkpoint_size", "Size of the public checkpoint", &gauges.checkpoint_size),
            ("pool_records", "Pending records", &gauges.pool_records),
            ("pool_bytes", "Bytes of the pending records", &gauges.pool_bytes),
            ("pool_oldest_ms", "Milliseconds that the oldest pending record has waited", &gauges.pool_oldest_ms),
            ("peers_connected", "Other validators to which the record swarm is connected", &gauges.peers_connected),
            ("peers_known", "Other validators", &gauges.peers_known),
            ("ready", "1 when the node is ready", &gauges.ready),
        ] {
            registry.register(name, help, gauge.clone());
        }
        gauges
    }
}

impl Metrics {
    /// Sets the gauges, just before [`Metrics::to_text`].
    pub fn observe(&self, observed: &Observed) {
        let Gauges { head_height, head_size, head_age_ms, checkpoint_size, pool_records, pool_bytes, .. } = &self.gauges;
        head_height.set(signed(observed.head_height));
        head_size.set(signed(observed.head_size));
        head_age_ms.set(signed(observed.head_age_ms));
        checkpoint_size.set(signed(observed.checkpoint_size));
        pool_records.set(signed(observed.pool_records));
        pool_bytes.set(signed(observed.pool_bytes));
        self.gauges.pool_oldest_ms.set(signed(observed.pool_oldest_ms));
        self.gauges.peers_connected.set(signed(observed.peers_connected));
        self.gauges.peers_known.set(signed(observed.peers_known));
        self.gauges.ready.set(i64::from(observed.ready));
    }

    /// The counters in the OpenMetrics text format, closed by `# EOF`.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        encode(&mut out, &self.registry).expect("writing to a string");
        out
    }
}

fn signed<N: TryInto<i64>>(number: N) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
