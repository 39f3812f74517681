//! Record swarms of four validators on loopback, with cosigners over real stores; blocks are appended by hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, StreamProtocol, identity, noise, tcp, yamux};
use sharelog::consensus::checkpoints::{Checkpoints, Cosigned};
use sharelog::consensus::cosigner::Cosigner;
use sharelog::consensus::pool::Source;
use sharelog::consensus::roster::{Detour, roster};
use sharelog::core::genesis::Genesis;
use sharelog::core::hash::Hash;
use sharelog::core::key::SecretKey;
use sharelog::core::note::{Note, SignatureLine};
use sharelog::health::Health;
use sharelog::log::checkpoint::{Checkpoint, Cosignature};
use sharelog::net::Swarm;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::it::stores::{Node, ago, duty, genesis, now, secret};

const LIMIT: Duration = Duration::from_secs(60);

fn free_ports() -> [u16; 4] {
    let listeners = [(); 4].map(|()| std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < LIMIT, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A validator without an engine.
struct Validator {
    node: Node,
    index: usize,
    port: u16,
    /// Where it dials others, whatever the genesis says.
    detours: Arc<[Detour]>,
    checkpoints: Arc<Checkpoints>,
    health: Arc<Health>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

fn checkpoints(node: &Node, index: usize) -> anyhow::Result<Arc<Checkpoints>> {
    let file = node.dir.path().join("checkpoint.note");
    Checkpoints::new(node.reader.clone(), secret(&format!("agency-{index}/publication")), file)
}

fn cosigner(node: &Node, index: usize, checkpoints: &Arc<Checkpoints>) -> Cosigner {
    Cosigner {
        agency: format!("agency-{index}"),
        key: secret(&format!("agency-{index}/cosigner")),
        reader: node.reader.clone(),
        checkpoints: checkpoints.clone(),
        note: node.dir.path().join("cosigner.note"),
    }
}

impl Validator {
    fn new(genesis: &Arc<Genesis>, index: usize, port: u16) -> Self {
        let node = Node::new(genesis);
        let checkpoints = checkpoints(&node, index).unwrap();
        let health = Arc::new(Health::new(format!("agency-{index}"), true));
        Validator { node, index, port, detours: Arc::default(), checkpoints, health, stop: CancellationToken::new(), tasks: Vec::new() }
    }

    fn start(&mut self) {
        let swarm = Swarm {
            reader: self.node.reader.clone(),
            network_key: secret(&format!("agency-{}/network", self.index)),
            listen: format!("/ip4/127.0.0.1/tcp/{}", self.port),
            detours: self.detours.clone(),
            pool: self.node.pool.clone(),
            checkpoints: self.checkpoints.clone(),
            health: self.health.clone(),
            metrics: self.node.metrics.clone(),
        };
        self.stop = CancellationToken::new();
        let cosigner = cosigner(&self.node, self.index, &self.checkpoints);
        self.tasks = vec![tokio::spawn(swarm.run(self.stop.clone())), tokio::spawn(cosigner.run(self.stop.clone()))];
    }

    async fn end(&mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            task.await.unwrap().unwrap();
        }
    }

    fn peers(&self) -> usize {
        self.health.peers().values().filter(|connected| **connected).count()
    }

    fn public_size(&self) -> u64 {
        self.checkpoints.public().map_or(0, |public| public.checkpoint.size)
    }
}

fn validators() -> (Arc<Genesis>, Vec<Validator>) {
    let ports = free_ports();
    let genesis = genesis(ports, &[]);
    let validators = (0..4).map(|index| Validator::new(&genesis, index, ports[index])).collect();
    (genesis, validators)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_reach_every_validator_and_checkpoints_become_public() {
    let (genesis, mut validators) = validators();
    let time = ago(5_000);
    for validator in &mut validators {
        validator.node.commit(&[], time);
        validator.start();
    }
    until("all connected", || validators.iter().all(|validator| validator.peers() == 3)).await;
    until("block 1 is public", || validators.iter().all(|validator| validator.public_size() == 1)).await;

    let notes: Vec<_> = (0..4).map(|index| duty(&genesis.origin, &format!("agency-{index}"), "one")).collect();
    for (validator, note) in validators.iter().zip(&notes) {
        validator.node.pool.submit(note.as_bytes(), Source::Client).unwrap();
    }
    until("every pool has all four", || validators.iter().all(|validator| validator.node.pool.pending().0 == 4)).await;
    for validator in &validators {
        assert_eq!(validator.node.metrics.signatures_verified.get(), 4);
        assert_eq!(validator.node.pool.to_spread(None).0.len(), 1, "only what its own client brought");
    }

    let time = now();
    let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
    let roots: Vec<_> = validators.iter_mut().map(|validator| validator.node.commit(&notes, time).entry.root).collect();
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]));
    until("block 2 is public", || validators.iter().all(|validator| validator.public_size() == 6)).await;
    let public = validators[0].checkpoints.public().unwrap();
    assert!(public.cosigners.len() >= 3, "{:?}", public.cosigners);
    assert_eq!(public.note.lines().filter(|line| line.starts_with('\u{2014}')).count(), public.cosigners.len() + 1);

    // A block of the same second is no checkpoint by its time, but as the newest for a second.
    let next = time.plus_ms(1_000 - time.unix_ms() % 1_000 - 1).max(time.plus_ms(1));
    for validator in &mut validators {
        validator.node.commit(&[], next);
    }
    until("block 3 is public", || validators.iter().all(|validator| validator.public_size() == 7)).await;
    for validator in &mut validators {
        validator.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_are_dialled_at_their_detours_and_no_stranger_gets_in_by_one() {
    let ports = free_ports();
    let genesis = genesis([1, 1, 1, 1], &[]);
    let mut validators: Vec<_> = (0..4).map(|index| Validator::new(&genesis, index, ports[index])).collect();
    let id = |name: &str| sharelog::core::genesis::peer_id(&secret(name).public());
    let detour = |peer: String, port: u16| Detour { peer, consensus: String::new(), records: format!("/ip4/127.0.0.1/tcp/{port}") };
    let all: Vec<_> = (0..4).map(|index| detour(id(&format!("agency-{index}/network")), ports[index])).collect();
    let listed = |detours: &[Detour]| roster(&validators[0].node.reader, &id("agency-0/network"), detours);
    let with_stranger = listed(&[all.clone(), vec![detour(id("a stranger"), 9)]].concat());
    assert_eq!(with_stranger, listed(&all), "the ledger alone says who is a peer");
    assert_eq!(
        with_stranger.iter().map(|peer| &peer.peer).collect::<Vec<_>>(),
        listed(&[]).iter().map(|peer| &peer.peer).collect::<Vec<_>>()
    );
    assert!(with_stranger.iter().all(|peer| peer.records.len() == 1 && !peer.records[0].ends_with("/tcp/1")));
    for validator in &mut validators {
        validator.detours = all.clone().into();
        validator.start();
    }
    until("all connected although the ledger's addresses lead nowhere", || validators.iter().all(|validator| validator.peers() == 3)).await;
    for validator in &mut validators {
        validator.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_down_gets_what_it_missed() {
    let (genesis, mut validators) = validators();
    let time = ago(60_000);
    for validator in &mut validators {
        validator.node.commit(&[], time);
    }
    for validator in &mut validators[..3] {
        validator.start();
    }
    until("three meet", || validators[..3].iter().all(|validator| validator.peers() == 2)).await;
    until("block 1 is public", || validators[..3].iter().all(|validator| validator.public_size() == 1)).await;
    for index in 0..600 {
        let note = duty(&genesis.origin, "agency-0", &format!("d{index}"));
        validators[0].node.pool.submit(note.as_bytes(), Source::Client).unwrap();
    }
    until("three have them", || validators[..3].iter().all(|validator| validator.node.pool.pending().0 == 600)).await;
    validators[3].start();
    until("the fourth has them", || validators[3].node.pool.pending().0 == 600).await;
    until("and the checkpoint", || validators[3].public_size() == 1).await;

    // A restart with an empty pool: its peers notice and send everything again.
    validators[3].end().await;
    let fresh = Node::new(&genesis);
    let mut again = Validator { node: fresh, ..Validator::new(&genesis, 3, validators[3].port) };
    again.checkpoints = checkpoints(&again.node, 3).unwrap();
    again.node.commit(&[], time);
    again.start();
    until("the restarted one has them", || again.node.pool.pending().0 == 600).await;
    until("and the checkpoint", || again.public_size() == 1).await;
    again.end().await;
    for validator in &mut validators[..3] {
        validator.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_takes_the_checkpoint_once_its_tree_is_there() {
    let (_, mut validators) = validators();
    let time = ago(60_000);
    for validator in &mut validators {
        if validator.index < 3 {
            validator.node.commit(&[], time);
        }
        validator.start();
    }
    until("block 1 is public", || validators[..3].iter().all(|validator| validator.public_size() == 1)).await;
    until("the fourth heard of it", || !validators[3].checkpoints.agencies_beyond(0).is_empty()).await;
    assert_eq!(validators[3].public_size(), 0);
    validators[3].node.commit(&[], time);
    until("the fourth has it", || validators[3].public_size() == 1).await;
    for validator in &mut validators {
        validator.end().await;
    }
}

/// Bytes on the wire as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

#[async_trait::async_trait]
impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Vec<u8>;

    async fn read_request<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, _: &mut T) -> std::io::Result<Bytes> {
        Ok(Bytes::new())
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, io: &mut T) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        io.take(10).read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(&mut self, _: &StreamProtocol, io: &mut T, message: Bytes) -> std::io::Result<()> {
        io.write_all(&message).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(&mut self, _: &StreamProtocol, _: &mut T, _: Vec<u8>) -> std::io::Result<()> {
        Ok(())
    }
}

/// Dials the validator with this key and sends it one message; gives its answer, `None` when the connection closed.
async fn send_raw(key: &SecretKey, validator: &Validator, message: &[u8]) -> Option<Vec<u8>> {
    let keypair = identity::Keypair::ed25519_from_bytes(key.dalek().to_bytes()).unwrap();
    let protocol = StreamProtocol::try_from_owned(format!("/sharelog/records/1/{}", validator.node.genesis.hash)).unwrap();
    let mut swarm = libp2p::SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| request_response::Behaviour::<Raw>::new([(protocol, ProtocolSupport::Full)], Default::default()))
        .unwrap()
        .build();
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{}", validator.port).parse().unwrap();
    swarm.dial(address).unwrap();
    let talk = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                    swarm.behaviour_mut().send_request(&peer_id, Bytes::copy_from_slice(message));
                }
                SwarmEvent::Behaviour(request_response::Event::Message { message, .. }) => {
                    // An answer without a byte is a stream that was closed, and the connection soon is.
                    if let request_response::Message::Response { response, .. } = message
                        && !response.is_empty()
                    {
                        return Some(response);
                    }
                }
                SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => return None,
                _ => {}
            }
        }
    };
    tokio::time::timeout(LIMIT, talk).await.expect("an answer or the end of the connection")
}

fn message_of(note: &str) -> Vec<u8> {
    let mut message = vec![1];
    message.extend_from_slice(&u32::try_from(note.len()).unwrap().to_be_bytes());
    message.extend_from_slice(note.as_bytes());
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_malformed_messages_are_dropped() {
    let (genesis, mut validators) = validators();
    let mut validator = validators.remove(0);
    validator.node.commit(&[], ago(60_000));
    validator.start();
    let message = message_of(&duty(&genesis.origin, "agency-1", "one"));
    let member = secret("agency-1/network");
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", validator.port)).is_ok()).await;

    assert_eq!(send_raw(&secret("a stranger"), &validator, &message).await, None);
    assert_eq!((validator.node.pool.pending().0, validator.node.metrics.messages_refused.get()), (0, 0));
    assert_eq!(send_raw(&member, &validator, &message).await, Some(vec![1]));
    assert_eq!(validator.node.pool.pending().0, 1);
    for malformed in [&message[..20], &[9, 0, 0, 0, 0], &vec![0; 2 * 1024 * 1024]] {
        assert_eq!(send_raw(&member, &validator, malformed).await, None);
    }
    assert_eq!(validator.node.metrics.messages_refused.get(), 3);
    assert_eq!(validator.node.pool.pending().0, 1);
    assert_eq!(send_raw(&member, &validator, &[]).await, Some(vec![1]));
    validator.end().await;
}

fn cosigned(node: &Node, root: Hash, signers: &[usize]) -> Cosigned {
    let checkpoint = Checkpoint { origin: node.genesis.origin.clone(), size: node.reader.head().size, root };
    let sign = |index: &usize| {
        let agency = format!("agency-{index}");
        Cosignature::sign(&checkpoint, &agency, 1_800_000_000, &secret(&format!("{agency}/cosigner")))
    };
    Cosigned { cosignatures: signers.iter().map(sign).collect(), checkpoint }
}

#[test]
fn the_public_checkpoint_needs_a_quorum_and_survives_a_restart() {
    let mut node = Node::new(&genesis([1, 2, 3, 4], &[]));
    node.commit(&[], ago(60_000));
    let first = checkpoints(&node, 0).unwrap();
    let root = node.reader.head().root;
    first.add(&cosigned(&node, root, &[0, 1]));
    first.add(&cosigned(&node, Hash::of(b"another tree"), &[2, 3]));
    let mut foreign = cosigned(&node, root, &[2]);
    foreign.cosignatures[0].agency = "agency-3".to_owned();
    first.add(&foreign);
    assert!(first.public().is_none(), "two of four are no quorum");
    let mut changes = first.changes();
    changes.borrow_and_update();
    first.add(&cosigned(&node, root, &[3]));
    assert!(changes.has_changed().unwrap());
    let public = first.public().unwrap();
    assert_eq!((public.checkpoint.size, public.cosigners.join(" ")), (1, "agency-0 agency-1 agency-3".to_owned()));

    node.commit(&[], ago(40_000));
    first.add(&cosigned(&node, node.reader.head().root, &[0, 1]));
    let again = checkpoints(&node, 0).unwrap();
    assert_eq!(again.public().unwrap().note, public.note);
    assert_eq!(again.known(), [Cosigned { cosignatures: first.known()[0].cosignatures.clone(), ..first.known()[0].clone() }]);
    again.add(&cosigned(&node, node.reader.head().root, &[1, 2, 3]));
    assert_eq!(again.public().unwrap().checkpoint.size, 2);

    // A store that was lost: nothing is public until the tree is there, and then nothing smaller.
    let file = std::fs::read(node.dir.path().join("checkpoint.note")).unwrap();
    let mut lost = Node::new(&node.genesis);
    std::fs::write(lost.dir.path().join("checkpoint.note"), &file).unwrap();
    let held = checkpoints(&lost, 0).unwrap();
    assert!(held.public().is_none());
    lost.commit(&[], ago(60_000));
    held.settle();
    held.add(&cosigned(&lost, lost.reader.head().root, &[0, 1, 2]));
    assert!(held.public().is_none());
}

#[test]
fn witnesses_get_the_lines_that_the_quorum_leaves() {
    let mut node = Node::new(&genesis([1, 2, 3, 4], &[]));
    node.commit(&[], ago(60_000));
    let held = checkpoints(&node, 0).unwrap();
    let signed = cosigned(&node, node.reader.head().root, &[0, 1, 2, 3]);
    held.add(&signed);
    let alone = held.public().unwrap();
    let line = |name: &str| SignatureLine { name: name.to_owned(), id: [1; 4], signature: vec![2; 72] };
    let other = Checkpoint { size: 2, ..signed.checkpoint.clone() };
    held.witness(&other, line("w.example/late")).unwrap();
    assert_eq!(held.public().unwrap().note, alone.note, "a line for another size");
    held.witness(&signed.checkpoint, line("w.example/00")).unwrap();
    assert_eq!(held.public().unwrap().cosigners, alone.cosigners, "there is room for all");
    for index in (0..20).rev() {
        held.witness(&signed.checkpoint, line(&format!("w.example/{index:02}"))).unwrap();
    }
    let public = held.public().unwrap();
    assert_eq!(public.cosigners.join(" "), "agency-0 agency-1 agency-2", "the quorum and no more");
    assert_eq!((public.witnesses.len(), public.witnesses[0].as_str()), (12, "w.example/00"));
    let note = Note::parse(public.note.as_bytes()).unwrap();
    assert_eq!((note.lines.len(), &note.lines[0].name), (16, &node.genesis.origin));
    assert_eq!(Cosigned::from_note(&note).unwrap().cosignatures, signed.cosignatures[..3]);
    assert_eq!(checkpoints(&node, 0).unwrap().public().unwrap().note, alone.note, "a restart asks the witnesses again");
    node.commit(&[], ago(40_000));
    held.add(&cosigned(&node, node.reader.head().root, &[1, 2, 3]));
    assert!(held.public().unwrap().witnesses.is_empty(), "nobody witnessed the next size yet");
}

#[test]
fn a_checkpoint_file_that_the_log_contradicts_is_an_error() {
    let mut node = Node::new(&genesis([1, 2, 3, 4], &[]));
    node.commit(&[], ago(60_000));
    checkpoints(&node, 0).unwrap().add(&cosigned(&node, node.reader.head().root, &[0, 1, 2]));
    let file = std::fs::read(node.dir.path().join("checkpoint.note")).unwrap();
    let mut other = Node::new(&node.genesis);
    other.commit(&[], ago(50_000));
    let path = other.dir.path().join("checkpoint.note");
    std::fs::write(&path, &file).unwrap();
    let error = format!("{:#}", checkpoints(&other, 0).err().unwrap());
    assert!(error.contains("contradicts") && error.contains("checkpoint.note"), "{error}");
    std::fs::write(&path, "no note").unwrap();
    let error = format!("{:#}", checkpoints(&other, 0).err().unwrap());
    assert!(error.contains("checkpoint.note") && error.contains("note-malformed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cosigner_signs_no_second_root() {
    let genesis = genesis([1, 2, 3, 4], &[]);
    let mut node = Node::new(&genesis);
    node.commit(&[], ago(60_000));
    let own = checkpoints(&node, 0).unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(cosigner(&node, 0, &own).run(stop.clone()));
    until("it signed", || !own.known().is_empty()).await;
    stop.cancel();
    task.await.unwrap().unwrap();
    let note = std::fs::read_to_string(node.dir.path().join("cosigner.note")).unwrap();
    assert!(note.starts_with(&format!("{}\n1\n", genesis.origin)), "{note}");

    // The same note over another tree: up to the noted size nothing is signed, beyond it the cosigner stops.
    let mut other = Node::new(&genesis);
    std::fs::write(other.dir.path().join("cosigner.note"), &note).unwrap();
    let others = checkpoints(&other, 0).unwrap();
    other.commit(&[], ago(50_000));
    let task = tokio::spawn(cosigner(&other, 0, &others).run(CancellationToken::new()));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(others.known().is_empty());
    other.commit(&[], ago(30_000));
    let error = tokio::time::timeout(LIMIT, task).await.unwrap().unwrap().unwrap_err();
    assert!(error.to_string().contains("signs no more"), "{error}");
    assert!(others.known().is_empty());

    // A damaged note is no fresh start.
    std::fs::write(other.dir.path().join("cosigner.note"), note.replacen('1', "2", 1)).unwrap();
    let error = cosigner(&other, 0, &others).run(CancellationToken::new()).await.unwrap_err();
    assert!(format!("{error:#}").contains("damaged"), "{error:#}");
}
