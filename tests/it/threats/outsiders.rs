//! What anyone can send or ask without being on the ledger, against four running nodes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use sharelog::core::hash::to_hex;
use sharelog::core::key::encode_base64;
use sharelog::keystore;

use crate::it::network::{TestNetwork, acknowledged, duty};

/// A body may cost a node its bounds, not its own length.
const MEMORY_GROWTH_MAX: u64 = 64 * 1024 * 1024;

/// Resident memory of a node, bytes.
fn memory(network: &TestNetwork, node: usize) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", network.net.pid(node).unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn connect(network: &TestNetwork, node: usize) -> TcpStream {
    let stream = TcpStream::connect(network.net.nodes[node].http.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// What comes back until the end of the connection.
fn answer(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn head(more: &str) -> String {
    format!("POST /api/v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\nconnection: close\r\n{more}\r\n\r\n")
}

/// The network still commits.
fn commits(network: &TestNetwork, local: &str) {
    let note = duty(&network.net.origin, "agency-1", local, &network.key("agency-1", "office"));
    let (status, body) = network.net.post(1, &note, "?wait=committed").unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
}

#[test]
fn giant_nested_and_packed_bodies_are_refused_in_little_memory() {
    let network = TestNetwork::start();
    commits(&network, "before");
    let before = memory(&network, 0);
    // A gibibyte, announced and in chunks; the node ends both long before their end.
    let block = vec![b'x'; 1 << 20];
    for chunked in [false, true] {
        let mut stream = connect(&network, 0);
        let length = if chunked { "transfer-encoding: chunked" } else { "content-length: 1073741824" };
        stream.write_all(head(length).as_bytes()).unwrap();
        let mut sent = 0_u64;
        let reader = stream.try_clone().unwrap();
        while sent < 1 << 30 {
            let framed = if chunked { stream.write_all(b"100000\r\n") } else { Ok(()) };
            if framed
                .and_then(|()| stream.write_all(&block))
                .and_then(|()| if chunked { stream.write_all(b"\r\n") } else { Ok(()) })
                .is_err()
            {
                break;
            }
            sent += 1 << 20;
        }
        assert!(sent < 64 << 20, "{sent} bytes were taken");
        let answer = answer(reader);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    // What unpacks to much, and what nests deeply or counts far, is refused as it stands.
    let packed = [vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], vec![0; 16 * 1024]].concat();
    let record = |json: &str| format!("sharelog/record/v1\n{json}\n\n\u{2014} x AAAA\n").into_bytes();
    let members: String = (0..1_000).map(|number| format!("\"m{number}\":1,")).collect();
    let bodies = [
        ("content-encoding: gzip\r\n", packed),
        ("", record(&"[".repeat(12_000))),
        ("", record(&"{\"a\":".repeat(2_000))),
        ("", record(&format!("{{{members}\"z\":1}}"))),
        ("", record("{\"at\":1e309}")),
        ("", record(&format!("{{\"at\":{}}}", "9".repeat(12_000)))),
        ("", record(&format!("{{\"at\":\"{}\"}}", "y".repeat(12_000)))),
    ];
    for (more, body) in bodies {
        let mut stream = connect(&network, 0);
        stream.write_all(head(&format!("{more}content-length: {}", body.len())).as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let answer = answer(stream);
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(answer.contains("\"code\":"), "a problem says what is wrong: {answer}");
    }
    let grown = memory(&network, 0).saturating_sub(before);
    assert!(grown < MEMORY_GROWTH_MAX, "{grown} bytes more memory");
    commits(&network, "after");
}

/// Two hundred spellings of ways out of a folder, behind every prefix that reads files or rows.
#[test]
fn no_spelling_of_a_path_reaches_a_file() {
    let network = TestNetwork::start();
    let ups = ["..", "%2e%2e", "%2E.", "..%00", "%c0%ae%c0%ae", "..;", "%252e%252e", ".%2e"];
    let slashes = ["/", "%2f", "%5c", "\\", "%252f"];
    let files = ["keys/consensus.pem", "config.toml", "etc/passwd", "genesis.json", "data/log/00000001.log"];
    let prefixes = ["/", "/tile/", "/tile/entries/", "/tile/0/x000/", "/api/v1/records/", "/api/v1/blocks/", "/verify.html/"];
    let mut asked = 0;
    for (number, (up, slash)) in ups.iter().flat_map(|up| slashes.map(|slash| (up, slash))).enumerate() {
        for (turn, file) in files.iter().enumerate() {
            let prefix = prefixes[(number + turn) % prefixes.len()];
            let path = format!("{prefix}{}{}", format!("{up}{slash}").repeat(6), file.replace('/', slash));
            let mut stream = connect(&network, 0);
            stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
            let answer = answer(stream);
            assert!(answer.starts_with("HTTP/1.1 40"), "{path}: {answer}");
            assert!(!answer.contains("PRIVATE KEY") && !answer.contains("root:") && !answer.contains("agency ="), "{path}: {answer}");
            asked += 1;
        }
    }
    assert_eq!(asked, 200);
}

/// No node asks an address that a record names, and no log, answer or command line shows a secret key.
#[test]
fn addresses_in_records_are_never_asked_and_secrets_never_shown() {
    let mut network = TestNetwork::init(4);
    network.net.environment.push(("SHARELOG_LOG".to_owned(), "trace".to_owned()));
    network.net.start_all().unwrap();
    network.all_ready();
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = trap.local_addr().unwrap();
    let key = network.key("agency-0", "office");
    let body = format!(
        r#"{{"basis":["http://{address}/basis"],"id":"agency-0:trap","title":"http://{address}/title file:///etc/passwd http://169.254.169.254/"}}"#
    );
    let draft = sharelog::core::record::Draft {
        at: crate::it::network::now(),
        by: "agency-0".into(),
        kind: sharelog::core::kinds::Kind::DutyDeclare,
        refs: Vec::new(),
        uid: crate::it::network::uid(),
        body: sharelog::core::json::parse(body.as_bytes(), sharelog::core::json::Strings::Strict).unwrap(),
    };
    let note = draft.sign(&network.net.origin, &[(&key.0, &key.1)]);
    let (status, answer) = network.net.post(0, &note, "?wait=committed").unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    acknowledged(&note, &answer);
    let id = crate::it::network::record_id(&note);
    let mut shown =
        vec![(0..4).map(|node| std::fs::read(network.net.nodes[node].home.join("node.log")).unwrap()).collect::<Vec<_>>().concat()];
    assert!(String::from_utf8_lossy(&shown[0]).contains("TRACE"), "void: no node told all it does");
    for path in
        ["/metrics", "/api/v1/status", "/policy", "/genesis", "/checkpoint", "/api/v1/agencies", &format!("/api/v1/records/{id}/evidence")]
    {
        shown.push(network.net.get(0, path).unwrap().1);
    }
    for node in 0..4 {
        let pid = network.net.pid(node).unwrap();
        shown.extend(["cmdline", "environ"].map(|file| std::fs::read(format!("/proc/{pid}/{file}")).unwrap()));
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "no core dumps: {core}");
    }
    let mut keys = 0;
    for file in pem_files(network.dir.path()) {
        let seed = keystore::load_secret(&file).unwrap().dalek().to_bytes();
        for spelling in [encode_base64(&seed).into_bytes(), to_hex(&seed).into_bytes(), seed.to_vec(), format!("{seed:?}").into_bytes()] {
            let found = shown.iter().any(|text| text.windows(spelling.len()).any(|part| part == spelling));
            assert!(!found, "the secret of {} is shown", file.display());
        }
        keys += 1;
    }
    assert!(keys >= 16, "{keys} keys");
    assert!(trap.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "somebody asked an address of a record");
}

fn pem_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pem_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "pem") {
            found.push(path);
        }
    }
    found
}

/// Two hundred at once ask what costs most; the network goes on committing.
#[test]
fn the_costliest_questions_do_not_stop_the_network() {
    const ASKING: usize = 200;
    let network = TestNetwork::start();
    let url = &network.net.nodes[0].http;
    let paths = ["/api/v1/records?limit=1000", "/api/v1/overdue", "/api/v1/matrix", "/api/v1/blocks?limit=1000", "/api/v1/evidence"];
    let key = network.key("agency-2", "office");
    let end = Instant::now() + Duration::from_secs(6);
    let (answered, committed) = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..ASKING)
            .map(|number| {
                scope.spawn(move || {
                    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
                    let mut answered = 0;
                    while Instant::now() < end {
                        let Ok(response) = agent.get(&format!("{url}{}", paths[number % paths.len()])).call() else { continue };
                        let status = response.status().as_u16();
                        assert!(matches!(status, 200 | 400 | 404 | 429 | 503), "{status}");
                        answered += usize::from(status == 200);
                    }
                    answered
                })
            })
            .collect();
        let mut committed = 0;
        while Instant::now() < end {
            let note = duty(&network.net.origin, "agency-2", &format!("beside-{committed}"), &key);
            // At a node that is not asked: what the questions slow down would be the whole network.
            let (status, body) = network.net.post(2, &note, "?wait=committed").unwrap();
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
            committed += 1;
        }
        (asking.into_iter().map(|one| one.join().unwrap()).sum::<usize>(), committed)
    });
    assert!(answered > ASKING, "void: {answered} questions were answered");
    assert!(committed >= 6, "{committed} records in 6 s beside {answered} questions");
    println!("{committed} records beside {answered} answers");
}
