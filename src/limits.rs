//! The bounds of a node's own behaviour, each with its reason. Those of the formats are in [`crate::core::limits`].

use std::time::Duration;

/// How long a node's tasks may take to end after SIGTERM: together with the runtime's end below the promised 10 s.
pub const STOP_WAIT: Duration = Duration::from_secs(8);
/// Between two looks at the free disk: a full disk takes longer to fill.
pub const DISK_LOOK: Duration = Duration::from_secs(2);
/// Pending records of one agency: four full blocks, and one agency alone cannot fill the pool.
pub const POOL_AGENCY_RECORDS_MAX: usize = 4_096;
/// Their leaf bytes: four blocks of the default policy.
pub const POOL_AGENCY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// All pending records: sixteen agencies at their bound.
pub const POOL_RECORDS_MAX: usize = 65_536;
/// Their leaf bytes: with its maps a full pool stays below a third of a node's 300 MB.
pub const POOL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Records lately committed or dropped that proposals may still name: two full blocks.
pub const POOL_LATELY_RECORDS_MAX: usize = 8_192;
/// Their leaf bytes.
pub const POOL_LATELY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A record that was pending and then refused answers with its problem for this long, as INTERFACES.md says.
pub const REFUSED_KEPT: Duration = Duration::from_secs(600);
/// Refusals kept at once: a few hundred bytes each.
pub const REFUSED_RECORDS_MAX: usize = 16_384;
/// Records of peers that this node's head cannot judge yet: a block or two of records that build on the newest block.
pub const WAITING_RECORDS_MAX: usize = 256;
/// How long one waits: the node that brought it spreads it again each second.
pub const WAITING_KEPT: Duration = Duration::from_secs(2);
/// A pending record is judged again by newer heads once it waited this long: nearly all are committed before.
pub const RECHECK_AFTER: Duration = Duration::from_secs(6);
/// Records judged again in one round of a second: about 20 ms of one core.
pub const RECHECK_RECORDS_MAX: usize = 256;

/// Sizes above the public one for which the cosignatures of one agency are kept: more than quorums ever wait for.
pub const COSIGNED_SIZES_MAX: usize = 16;
/// Eligible blocks that a cosigner signs in one pass, the newest ones: each costs a sync.
pub const COSIGN_PASS_MAX: usize = 16;
/// Blocks that a starting cosigner looks back for the newest eligible one: a minute at full rate; the newest block is signed
/// soon in any case.
pub const COSIGN_START_BLOCKS_MAX: u64 = 4_096;
/// Witnesses that a node asks: with a quorum of eight or less, all their lines fit on a note.
pub const WITNESSES_MAX: usize = 8;
/// A witness answers within this time or counts as down: it writes one small file.
pub const WITNESS_WAIT: Duration = Duration::from_secs(10);
/// Submissions of one checkpoint to one witness: more than two come only when other nodes move the witness on meanwhile.
pub const WITNESS_TRIES_MAX: usize = 4;
/// First pause after a witness failed, and after those tries.
pub const WITNESS_AGAIN_MIN: Duration = Duration::from_secs(1);
/// Longest pause: a witness that is back is asked within a minute.
pub const WITNESS_AGAIN_MAX: Duration = Duration::from_secs(60);
/// A witness's answer: a few lines.
pub const WITNESS_ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// A submission to a witness: 63 proof lines, and a checkpoint with 16 lines of the largest kind of signature.
pub const SUBMISSION_BYTES_MAX: usize = 64 * 1024;
/// A witness's file of its newest cosigned checkpoint: what a submission holds, and the witness's own line.
pub const WITNESSED_FILE_BYTES_MAX: u64 = 128 * 1024;
/// Submissions that a witness judges at once: each ends in a sync of the disk.
pub const WITNESS_SUBMISSIONS_MAX: usize = 16;
/// A note file (checkpoint or cosigner's): three lines and 16 signature lines are below 6 KiB.
pub const NOTE_FILE_BYTES_MAX: u64 = 64 * 1024;

/// One message of the record swarm: 64 records of the largest size.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// A message is closed at this size, so that its receiver acknowledges it within tens of milliseconds.
pub const MESSAGE_BYTES_SENT: usize = 256 * 1024;
/// A message travels while the one before is still handled only when it holds this much: smaller ones grow meanwhile.
pub const MESSAGE_BYTES_AHEAD: usize = 32 * 1024;
/// Messages on the way to one peer: one is handled while the next one travels.
pub const MESSAGES_IN_FLIGHT_MAX: usize = 2;
/// Messages of one peer handled at once: those it may have in flight on an old and a new connection.
pub const MESSAGES_HANDLED_MAX: usize = 2 * MESSAGES_IN_FLIGHT_MAX;
/// Records that one thread judges before another one is woken for the next ones: about two milliseconds.
pub const RECORDS_PER_THREAD_MIN: usize = 32;
/// A message is acknowledged within this time or counts as lost: far above the time that a full one takes to verify.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams of one connection: those of both directions and some that are closing.
pub const SWARM_STREAMS_MAX: usize = 16;
/// Pending records are spread again after this time, as DESIGN.md says.
pub const SPREAD_AGAIN: Duration = Duration::from_secs(1);
/// Leaf bytes that one such round sends again to one peer, the longest unsent first: a peer that lost some has them all
/// again within a minute, and a loaded network is not loaded twice.
pub const SPREAD_AGAIN_BYTES_MAX: usize = 128 * 1024;
/// First pause before a peer is dialled again: local networks restart nodes often.
pub const REDIAL_MIN: Duration = Duration::from_millis(200);
/// Longest pause: a peer that is back is found within two seconds.
pub const REDIAL_MAX: Duration = Duration::from_secs(2);
/// Connections per peer: both sides may dial at once, and half-open ones of a restarted peer take a while to be seen.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 4;
/// An older connection is closed when its peer makes another one: both sides dial at once only within a short while.
pub const CONNECTION_SUPERSEDED_AFTER: Duration = Duration::from_secs(5);
/// Handshakes of unknown callers at once.
pub const HANDSHAKES_MAX: u32 = 64;
/// A peer is pinged this often, so that a dead link is noticed.
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// A ping without answer for this long closes the connection.
pub const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A log file of the store: small enough to copy and check in one piece, large enough that there are few.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Zeros written ahead in a log file, so that a sync has no new size to write: a small network keeps small files.
pub const PREALLOCATE_BYTES: u64 = 4 * 1024 * 1024;
/// Records whose rows, index entries and tiles go to disk in one batch: fewer would write what changes often more often.
pub const APPLY_RECORDS: usize = 4_000;
/// The age at which a smaller batch goes to disk, so that a restart replays little.
pub const APPLY_AGE_MS: u64 = 2_000;
/// Blocks waiting for a batch; beyond it the writer waits, so that memory is bounded.
pub const APPLY_QUEUE_MAX: usize = 16;
/// Rows and index entries in memory before a file is made of them: a start reads as much again from the engine's journal.
pub const STATE_MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;
/// The engine's journals: its least.
pub const STATE_JOURNAL_BYTES: u64 = 64 * 1024 * 1024;
/// sled's cache of tiles, above which the newest ones are kept decoded.
pub const TILE_CACHE_BYTES: u64 = 4 * 1024 * 1024;
/// Rows of the state kept decoded, about a kilobyte each: the keys, grants and datasets of some thousand agencies in use.
pub const ROWS_CACHED_MAX: usize = 4_096;
/// Row keys that the first filter of keys takes: small ledgers keep it small.
pub const KEY_FILTER_FIRST_KEYS: usize = 16_384;
/// The part of the keys without a row that a filter does not know as such: 10 bits a key.
pub const KEY_FILTER_MISTAKES: f64 = 0.01;
/// Checked tiles of hashes kept in memory, 8 KiB each.
pub const TILES_CACHED_MAX: usize = 128;
// HTTP.

/// Request line and headers: room for every cursor and filter, and for what browsers and proxies add.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header lines of a request: browsers behind two proxies send about 40.
pub const HTTP_HEADERS_MAX: usize = 64;
/// What a connection buffers: a head and the record behind it.
pub const HTTP_BUFFER_BYTES_MAX: usize = 32 * 1024;
/// A request's body: the largest record and some slack, so that an over-long record is named as such.
pub const HTTP_BODY_BYTES_MAX: usize = 20 * 1024;
/// A longer body is read on and thrown away up to here, so that its sender reads the refusal rather than a reset.
pub const HTTP_DRAIN_BYTES_MAX: usize = 1024 * 1024;
/// From the first look at a connection, or the end of its last answer, to a whole request head: slow senders end here.
pub const HTTP_HEAD_WAIT: Duration = Duration::from_secs(10);
/// From the whole head to the last byte of the answer: the longest wait for a commit, and time to send.
pub const HTTP_REQUEST_WAIT: Duration = Duration::from_secs(35);
/// Connections in all: far below the usual 4,096 open files, next to the store's and the swarms'.
pub const HTTP_CONNECTIONS_MAX: usize = 1_024;
/// Connections of one address (IPv6: of one /64), so that one host cannot take them all.
pub const HTTP_CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
/// Running requests may take this long to end at a stop: the node's whole stop takes at most 10 s.
pub const HTTP_STOP_WAIT: Duration = Duration::from_secs(5);
/// Between two accepts after the system refused one, so that a lack of file descriptors does not spin.
pub const HTTP_ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of full tiles and bundles kept in memory for those who ask next.
pub const HTTP_TILES_BYTES_MAX: usize = 32 << 20;
/// Reads of the store that run at once; others wait their turn, and consensus keeps its share of the machine.
pub const HTTP_READS_MAX: usize = 64;
/// Questions over the whole book that are answered at once: each keeps a core busy, and consensus needs one.
pub const HTTP_QUESTIONS_MAX: usize = 2;
/// Submissions that are checked at once: each verifies signatures.
pub const HTTP_SUBMITS_MAX: usize = 64;
/// `?wait=committed` waits this long: several rounds of a network with dead members.
pub const COMMIT_WAIT: Duration = Duration::from_secs(30);
/// A waiting submission looks at the pool's refusals this often; commits wake it at once.
pub const REFUSAL_LOOK: Duration = Duration::from_millis(250);
/// Evidence waits this long for a public checkpoint, which comes about a second after a commit.
pub const EVIDENCE_WAIT: Duration = Duration::from_secs(5);

// Answers.

/// Records in one evidence file: with their keys and proofs well below its 4 MiB.
pub const EVIDENCE_IDS_MAX: usize = 64;
/// Items of a list without `limit`: a screen or two.
pub const LIST_DEFAULT: u64 = 100;
/// Items of a list.
pub const LIST_MAX: u64 = 1_000;
/// A page ends early beyond this many bytes of items: 1,000 of the largest records would be 32 MiB.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A page ends early after this many looks into the store: about a second of work.
pub const PAGE_LOOKS_MAX: usize = 20_000;
/// Positions of one index term that are read at once.
pub const TERM_CHUNK: usize = 128;
/// A question's moment may lie this far behind the head, a year: what will be late by then. Each day further is another
/// period of every daily grant.
pub const AS_OF_AHEAD_MS_MAX: u64 = 366 * 86_400_000;
/// Requests and datasets through which one chain reaches further records: beyond it the chain of a later link is the answer.
pub const CHAIN_LINKS_MAX: usize = 10_000;

/// A part's piece of a proposed body: small enough that votes are not stuck behind it for long.
pub const PART_BYTES: usize = 128 * 1024;
/// A message on the validators' mesh: a piece with its frame, or a certificate of 22 votes.
pub const ENGINE_MESSAGE_BYTES_MAX: u64 = 512 * 1024;
/// Unfinished streams of parts of one peer: its proposal of this round, and re-proposals and restreams around it.
pub const STREAMS_PER_PEER_MAX: usize = 4;
/// Bytes of a stream's id: ours have 24.
pub const STREAM_ID_BYTES_MAX: usize = 32;
/// Whole proposals of heights above the next one: of validators that are one or two heights ahead.
pub const PROPOSALS_LATER_MAX: usize = 8;
/// Of one peer.
pub const PROPOSALS_LATER_PER_PEER_MAX: usize = 2;
/// Proposals of one round that are executed: its proposer has one, a second one shows that it lies.
pub const PROPOSALS_PER_ROUND_MAX: usize = 2;
/// Proposals of rounds further ahead are passed over: together these two bound what a lying proposer can put on disk.
pub const PROPOSAL_ROUNDS_AHEAD_MAX: u32 = 32;
/// Executed blocks of a height in memory; more are read back from disk.
pub const KNOWN_BLOCKS_MAX: usize = 4;
/// Space written ahead for proposed bodies: a few blocks of the default policy.
pub const UNDECIDED_SPACE_BYTES: usize = 4 * 1024 * 1024;
/// Passes over candidates: one may build on a record that stood behind it.
pub const CANDIDATE_PASSES_MAX: usize = 3;
/// A proposer with nothing to say waits at most this long for a record, and the driver with it.
pub const PROPOSER_WAIT_MAX: Duration = Duration::from_secs(2);
/// Before a validator that was started is level with the others its rounds last at least so long: statuses come every second.
pub const LEVEL_WAIT: Duration = Duration::from_secs(3);
/// A proposer that waits for the others to tell looks this often.
pub const LEVEL_LOOK: Duration = Duration::from_millis(50);
/// A height that so few validators tell that all of them may lie holds up the signatures of one that was started for this long:
/// the others, who go on if it is true, tell of it within it.
pub const LIAR_HOLDS_UP: Duration = Duration::from_secs(3);
/// The driver looks around this often when nothing wakes it.
pub const DRIVER_TICK: Duration = Duration::from_millis(250);
/// Votes that may have been lost are sent again after this time or more, also while a node is idle.
pub const REBROADCAST_MIN: Duration = Duration::from_secs(1);
/// The longest timeout of a round: so that a network that was cut goes on within a minute of healing.
pub const ROUND_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Connections from one address: all validators of a test network share one.
pub const ENGINE_CONNECTIONS_PER_IP_MAX: usize = 128;
/// Peers of the engine: 22 validators, and followers.
pub const ENGINE_PEERS_MAX: usize = 512;
/// Proofs of misbehaviour that a node keeps: the first ones say enough.
pub const MISBEHAVIOURS_MAX: usize = 1_000;
/// Future heights whose votes are kept while catching up.
pub const ENGINE_QUEUED_HEIGHTS_MAX: usize = 10;
/// Requests to the engine's state dump; none is sent.
pub const ENGINE_REQUESTS_MAX: usize = 4;
/// How long the engine's actors get to end, of the 10 s of a stop.
pub const ENGINE_STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// Statuses tell peers that a node is behind, and a node that it is not.
pub const STATUS_EVERY: Duration = Duration::from_secs(1);
/// A peer whose last status is this old is not counted.
pub const PEER_SILENCE: Duration = Duration::from_secs(10);
/// A peer that does not serve decided blocks within this time is passed over.
pub const SYNC_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Heights asked for at once; an answer also ends at its bytes.
pub const SYNC_HEIGHTS_MAX: usize = 32;
/// An answer of value sync.
pub const SYNC_RESPONSE_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Bodies of an answer that this node gives, well below that.
pub const SYNC_ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A node that hears of no peer calls itself ready after this time: it can serve what it holds.
pub const ALONE_READY_AFTER: Duration = Duration::from_secs(2);
/// A ready node that is this many heights behind is syncing again; below that it is in the middle of things.
pub const BEHIND_HEIGHTS_MAX: u64 = 20;
/// So is one that is behind for this long without a new block.
pub const BEHIND_LONG: Duration = Duration::from_secs(10);
/// A validator without a block, in a ledger that is this high, may have lost its disk; below that it is a slow starter.
pub const NEW_LEDGER_HEIGHTS: u64 = 16;
/// Between two sessions of the engine: peers on one machine or across a country have seen the old connections closed by then.
pub const SESSION_PAUSE: Duration = Duration::from_secs(1);
/// A round that lasts this long beyond its timeouts, with enough validators there, has lost votes for good.
pub const ROUND_STALLED: Duration = Duration::from_secs(10);
/// Behind for this long without a new block: it is said loudly.
pub const STUCK_SAID: Duration = Duration::from_secs(30);
/// Then the engine is started again.
pub const STUCK_AGAIN: Duration = Duration::from_secs(60);

// The book.

/// Records that the book takes in one step, a few milliseconds of work: questions wait for one step at most.
pub const BOOK_STEP_RECORDS: usize = 512;
/// Between two looks of the book at the log without a question: a question then finds little left to read.
pub const BOOK_LOOK: Duration = Duration::from_secs(2);

// Audits and copies of a whole ledger.

/// Tiles that are on the way at once: enough that a distant node keeps two cores busy, few enough for any file server.
pub const AUDIT_FETCHERS: usize = 4;
/// Checked bundles that wait behind each of them: 4,096 leaves in all, 64 MiB of the largest ones.
pub const AUDIT_BUNDLES_AHEAD: usize = 4;
/// Bundles whose signatures are verified in one go, 4,096 leaves: long enough that no core waits for another.
pub const AUDIT_BATCH_BUNDLES: u64 = 16;
/// Leaves between two snapshots of an audit that goes on, a few seconds of work; a long ledger has fewer (a third of what was
/// done is the most that is lost), for a snapshot grows with it.
pub const AUDIT_SNAPSHOT_LEAVES: u64 = 50_000;
/// Bundles that are read in search of the block entry behind a leaf: more than the largest block of the default policy.
pub const AUDIT_ENTRY_BUNDLES: u64 = 32;
/// From a request to the last byte of its answer: a bundle of the largest records over a slow line.
pub const AUDIT_ANSWER_WAIT: Duration = Duration::from_secs(60);
/// A host that takes no connection in this time is down.
pub const AUDIT_CONNECT_WAIT: Duration = Duration::from_secs(5);
/// A request that fails is sent so often in all: a node that restarts is back by then.
pub const AUDIT_TRIES: u32 = 4;
/// Before the second try; it doubles.
pub const AUDIT_TRY_PAUSE: Duration = Duration::from_millis(500);
/// A policy file: 22 validators and a log line are below 8 KiB.
pub const POLICY_FILE_BYTES_MAX: usize = 64 * 1024;
