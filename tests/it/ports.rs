//! Bytes at every port that no peer and no client would send: nodes neither restart nor grow nor stop deciding.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sharelog::core::genesis::Genesis;
use socket2::{Domain, Socket, Type};

use super::network::TestNetwork;
use super::torture::{Seeded, minutes, runs, under_load};

const WAIT: Duration = Duration::from_secs(3);
const RSS_BYTES_MAX: u64 = 512 << 20;
/// Unfinished handshakes at each port of a swarm.
const HALF_HANDSHAKES: usize = 1_000;
/// HTTP connections that send slowly, and from how many addresses: a node takes 64 of each.
const SLOW: usize = 1_000;
const SLOW_PER_ADDRESS: usize = 60;
/// Reads beside them, and the slowest of a hundred.
const READS: usize = 200;
const READ_P99: Duration = Duration::from_secs(1);
/// How a peer begins: the protocol's name, and the proposal of noise.
const MULTISTREAM: &[u8] = b"\x13/multistream/1.0.0\n";
const NOISE: &[u8] = b"\x07/noise\n";

/// The ports of one node.
struct Ports {
    http: SocketAddr,
    swarms: [SocketAddr; 2],
}

fn ports(network: &TestNetwork) -> Vec<Ports> {
    let genesis = Genesis::parse(&network.genesis).unwrap();
    let swarm = |address: &str| SocketAddr::from((Ipv4Addr::LOCALHOST, address.rsplit('/').next().unwrap().parse().unwrap()));
    let of = |node: &sharelog::node::local::LocalNode| {
        let validator = genesis.validators.iter().find(|validator| validator.agency == node.agency).unwrap();
        let http = node.http.strip_prefix("http://").unwrap().parse().unwrap();
        Ports { http, swarms: [swarm(&validator.addresses[0]), swarm(&validator.records[0])] }
    };
    network.net.nodes.iter().map(of).collect()
}

/// Sends bytes to a port; gives what comes back until it closes or is silent, and how many bytes it took.
fn send(address: SocketAddr, bytes: &[u8], silence: Duration) -> (String, usize) {
    let mut stream = TcpStream::connect_timeout(&address, WAIT).unwrap();
    stream.set_write_timeout(Some(WAIT)).unwrap();
    stream.set_read_timeout(Some(silence)).unwrap();
    let mut taken = 0;
    for piece in bytes.chunks(64 * 1024) {
        match stream.write(piece) {
            Ok(count) => taken += count,
            // It was turned away.
            Err(_) => break,
        }
    }
    (read_all(&mut stream), taken)
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The most memory that a node ever held, bytes.
fn rss_max(network: &TestNetwork, node: usize) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", network.net.pid(node).unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

fn height(network: &TestNetwork) -> u64 {
    (0..4).map(|node| network.net.head(node).unwrap().0).min().unwrap()
}

/// Asserts that every node decides.
pub fn goes_on(network: &mut TestNetwork, why: &str) {
    let before = height(network);
    network
        .net
        .wait_until(&format!("progress beside {why}"), Duration::from_secs(30), |net| {
            (0..4).all(|node| net.head(node).is_ok_and(|head| head.0 > before + 1))
        })
        .unwrap();
}

fn flip(random: &mut Seeded, bytes: &mut [u8]) {
    for _ in 0..=random.below(4) {
        let place = usize::try_from(random.below(u64::try_from(bytes.len()).unwrap())).unwrap();
        bytes[place] ^= 1 << random.below(8);
    }
}

/// Random bytes and bent ones at every port; gives how many bytes the ports took.
fn garbage(network: &TestNetwork, random: &mut Seeded, rounds: usize) -> usize {
    let mut taken = 0;
    let silence = Duration::from_millis(20);
    for Ports { http, swarms } in ports(network) {
        for _ in 0..rounds {
            for address in swarms.into_iter().chain([http]) {
                let count = random.below(8 * 1024) + 1;
                taken += send(address, &random.bytes(count), silence).1;
            }
            let mut request = b"POST /api/v1/records?wait=committed HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
                Content-Length: 20\r\nAccept-Language: zh\r\n\r\nsharelog/record/v1\n{}"
                .to_vec();
            flip(random, &mut request);
            taken += send(http, &request, silence).1;
            for address in swarms {
                // A handshake that goes wrong at its first frame: its length, and what is no key.
                let length = random.below(600);
                let frame = [&u16::try_from(random.below(700)).unwrap().to_be_bytes()[..], &random.bytes(length)].concat();
                let mut hello = [MULTISTREAM, NOISE, &frame].concat();
                if random.below(2) == 0 {
                    flip(random, &mut hello);
                }
                taken += send(address, &hello, silence).1;
            }
        }
    }
    taken
}

/// Opens connections that begin a handshake and leave it there.
fn half_handshakes(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let open = |_| {
        let mut stream = TcpStream::connect_timeout(&address, WAIT).ok()?;
        // One that was turned away takes nothing.
        let _ = stream.write_all(MULTISTREAM);
        Some(stream)
    };
    (0..count).filter_map(open).collect()
}

fn header_bombs(http: SocketAddr) {
    let many = format!("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-Bomb: 1\r\n".repeat(100_000));
    let long = format!("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX-Bomb: {}\r\n\r\n", "1".repeat(10 << 20));
    let target = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a/".repeat(1 << 20));
    for bomb in [many, long, target] {
        let (answer, taken) = send(http, bomb.as_bytes(), WAIT);
        assert!(!answer.contains("200 OK"), "{answer}");
        assert!(taken > 16 * 1024, "void: only {taken} bytes were sent");
    }
}

/// Streams 1 GiB as a record, or as much as the node takes.
fn endless_body(http: SocketAddr, head: &str, chunk: &[u8]) {
    let mut stream = TcpStream::connect(http).unwrap();
    stream.set_write_timeout(Some(WAIT)).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream
        .write_all(format!("POST /api/v1/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n{head}\r\n\r\n").as_bytes())
        .unwrap();
    let mut taken = 0_u64;
    while taken < 1 << 30 && stream.write_all(chunk).is_ok() {
        taken += u64::try_from(chunk.len()).unwrap();
    }
    assert!(taken < 64 << 20, "{head}: the node took {taken} bytes of a body");
    let answer = read_all(&mut stream);
    assert!(answer.is_empty() || answer.contains(" 413 "), "{head}: {answer}");
}

/// Requests whose end two readers see at two places: the one that hides behind must never be answered.
fn smuggling(http: SocketAddr) {
    let hidden = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let post = |headers: &str, body: &str| {
        format!("POST /api/v1/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n{headers}\r\n\r\n{body}")
    };
    let chunked = format!("0\r\n\r\n{hidden}");
    let length = chunked.len();
    let pairs = [
        post("Content-Length: 5\r\nTransfer-Encoding: chunked", &chunked),
        post("Transfer-Encoding: chunked\r\nContent-Length: 5", &chunked),
        post(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), &chunked),
        post(&format!("Content-Length: 5\r\nContent-Length: {length}"), &chunked),
        post("Content-Length: 5, 6", &chunked),
        post("Content-Length: +5", &chunked),
        post("Content-Length: 5\r\nTransfer-Encoding: xchunked", &chunked),
        post("Content-Length: 5\r\nTransfer-Encoding : chunked", &chunked),
        post("Content-Length: 5\r\nTransfer-Encoding:\x0bchunked", &chunked),
        post("Content-Length: 5\r\n Transfer-Encoding: chunked", &chunked),
        post("Transfer-Encoding: chunked, identity", &chunked),
        post("Transfer-Encoding: chunked", &format!("5;x=\n\r\nGET /\r\n0\r\n\r\n{hidden}")),
        format!("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!("GET /api/v1/status HTTP/1.1\nHost: localhost\nContent-Length: 0\r\r\n\n{hidden}"),
    ];
    for pair in pairs {
        let (answer, _) = send(http, pair.as_bytes(), Duration::from_millis(700));
        assert!(!answer.ends_with("live\n"), "a hidden request was answered:\n{pair}\n---\n{answer}");
    }
    let (answer, _) = send(http, hidden.as_bytes(), Duration::from_millis(700));
    assert!(answer.ends_with("live\n"), "void: the request that was hidden is not answered when it is not: {answer}");
}

#[test]
fn garbage_at_every_port_changes_nothing() {
    runs("garbage at every port", |seed| {
        let mut network = TestNetwork::start();
        let mut random = Seeded::of(seed);
        let mut attacks = 0;
        let records = under_load(&mut network, "garbage", |network| {
            let until = Instant::now() + minutes().map_or(Duration::ZERO, |minutes| minutes.min(Duration::from_secs(120)));
            loop {
                let taken = garbage(network, &mut random, 12);
                assert!(taken > 100_000, "void: the ports took {taken} bytes");
                goes_on(network, "garbage");
                let Ports { http, swarms } = ports(network).remove(usize::try_from(random.below(4)).unwrap());
                for address in swarms {
                    let half = half_handshakes(address, HALF_HANDSHAKES);
                    assert!(half.len() > HALF_HANDSHAKES * 9 / 10, "void: {} half handshakes", half.len());
                    goes_on(network, "half handshakes");
                }
                header_bombs(http);
                endless_body(http, "Content-Length: 1073741824", &[b'x'; 64 * 1024]);
                endless_body(http, "Transfer-Encoding: chunked", format!("10000\r\n{}\r\n", "x".repeat(65_536)).as_bytes());
                smuggling(http);
                goes_on(network, "header bombs, endless bodies and smuggled requests");
                attacks += 6;
                if Instant::now() >= until {
                    break;
                }
            }
            for node in 0..4 {
                let rss = rss_max(network, node);
                println!("node {node}: at most {} MiB", rss >> 20);
                assert!(rss < RSS_BYTES_MAX, "node {node}: {rss} bytes");
            }
        });
        (records, attacks)
    });
}

/// A connection from another address of this machine.
fn connect_from(own: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((own, 0)).into())?;
    socket.connect_timeout(&to.into(), WAIT)?;
    Ok(socket.into())
}

/// Opens slow connections until there are enough, and sends a header more on each; gives how many were there before.
fn keep_slow(slow: &mut Vec<TcpStream>, http: SocketAddr) -> usize {
    slow.retain_mut(|stream| stream.write_all(b"X-Slow: 1\r\n").is_ok() && stream.take_error().is_ok_and(|error| error.is_none()));
    let held = slow.len();
    for index in held..SLOW {
        let address = Ipv4Addr::new(127, 0, 1, u8::try_from(index / SLOW_PER_ADDRESS + 1).unwrap());
        if let Ok(mut stream) = connect_from(address.into(), http)
            && stream.write_all(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n").is_ok()
        {
            slow.push(stream);
        }
    }
    held
}

#[test]
fn a_thousand_slow_connections_slow_no_reader_down() {
    runs("slow HTTP connections", |_| {
        let mut network = TestNetwork::start();
        let mut rounds = 0;
        let records = under_load(&mut network, "slow", |network| {
            let http = ports(network).remove(0).http;
            let mut slow = Vec::new();
            let mut times = Vec::new();
            keep_slow(&mut slow, http);
            assert!(slow.len() > SLOW * 9 / 10, "void: {} slow connections", slow.len());
            goes_on(network, "slow connections");
            while times.len() < READS {
                for _ in 0..READS / 5 {
                    let since = Instant::now();
                    let (status, _) = network.net.get(0, "/api/v1/blocks?limit=10").unwrap();
                    assert_eq!(status, 200);
                    times.push(since.elapsed());
                    std::thread::sleep(Duration::from_millis(5));
                }
                let held = keep_slow(&mut slow, http);
                assert!(slow.len() > SLOW * 8 / 10, "void: {held} held, {} slow connections", slow.len());
                rounds += 1;
            }
            goes_on(network, "slow connections");
            times.sort_unstable();
            let p99 = times[times.len() * 99 / 100];
            println!("reads beside {} slow connections: p50 {:?}, p99 {p99:?}", slow.len(), times[times.len() / 2]);
            assert!(p99 < READ_P99, "p99 {p99:?}");
            slow.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        });
        (records, rounds)
    });
}
