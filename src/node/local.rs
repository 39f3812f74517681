//! A local network: the nodes of a `testnet init` folder as child processes, for the demo, the benchmark and the tests.
//!
//! The processes end with this value: a network that is dropped leaves nothing behind.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::core::json::{self, Strings, Value};

/// How long [`LocalNetwork::stop`] waits for a clean end before it kills: nodes promise 10 s.
const STOP_WAIT: Duration = Duration::from_secs(15);
/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(25);
/// One HTTP question to a local node.
const ASK_TIMEOUT: Duration = Duration::from_secs(40);

/// What went wrong with a local network.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("{operation} {object}: {source}")]
    Io { operation: &'static str, object: String, source: io::Error },
    #[error("{object}: {found}")]
    Malformed { object: String, found: String },
    #[error("{what} did not come within {waited:?}")]
    TimedOut { what: String, waited: Duration },
    #[error("{url}: {found}")]
    Http { url: String, found: String },
}

/// One node of the network.
#[derive(Debug)]
pub struct LocalNode {
    pub agency: String,
    pub home: PathBuf,
    /// `http://127.0.0.1:<port>`.
    pub http: String,
    child: Option<Child>,
    /// More environment for this node, when it is started.
    pub environment: Vec<(String, String)>,
}

/// The nodes that a `network.json` lists.
#[derive(Debug)]
pub struct LocalNetwork {
    pub dir: PathBuf,
    pub origin: String,
    pub genesis_hash: String,
    pub nodes: Vec<LocalNode>,
    binary: PathBuf,
    /// More environment for the nodes to be started.
    pub environment: Vec<(String, String)>,
    agent: ureq::Agent,
}

impl LocalNetwork {
    /// Reads `dir/network.json`; starts nothing. `binary` is the program that runs nodes.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn open(dir: &Path, binary: &Path) -> Result<Self, LocalError> {
        let file = dir.join("network.json");
        let object = file.display().to_string();
        let bytes = std::fs::read(&file).map_err(|source| LocalError::Io { operation: "read", object: object.clone(), source })?;
        let malformed = |found: String| LocalError::Malformed { object: object.clone(), found };
        let value = json::parse(&bytes, Strings::Strict).map_err(|refusal| malformed(refusal.to_string()))?;
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| malformed(format!("no member {name}")))
        };
        let nodes = value.get("nodes").and_then(Value::as_array).ok_or_else(|| malformed("no member nodes".into()))?;
        let node = |node: &Value| -> Result<LocalNode, LocalError> {
            let (agency, home, http) = (text(node, "agency")?, dir.join(text(node, "home")?), text(node, "http")?);
            Ok(LocalNode { agency, home, http, child: None, environment: Vec::new() })
        };
        Ok(LocalNetwork {
            dir: dir.to_owned(),
            origin: text(&value, "origin")?,
            genesis_hash: text(&value, "genesis_hash")?,
            nodes: nodes.iter().map(node).collect::<Result<_, _>>()?,
            binary: binary.to_owned(),
            environment: Vec::new(),
            agent: ureq::Agent::config_builder().timeout_global(Some(ASK_TIMEOUT)).http_status_as_error(false).build().into(),
        })
    }

    /// Knows one more node, which is not in `network.json`; gives its index.
    pub fn add(&mut self, agency: &str, home: &Path, http: &str) -> usize {
        let (agency, home, http) = (agency.to_owned(), home.to_owned(), http.to_owned());
        self.nodes.push(LocalNode { agency, home, http, child: None, environment: Vec::new() });
        self.nodes.len() - 1
    }

    /// Starts node `index`; its output goes to `node.log` in its home, after what is there.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub fn start(&mut self, index: usize) -> Result<(), LocalError> {
        let binary = self.binary.clone();
        self.start_with(index, &binary, &[])
    }

    /// Starts node `index` with another program or more environment.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub fn start_with(&mut self, index: usize, binary: &Path, environment: &[(&str, &str)]) -> Result<(), LocalError> {
        let node = &mut self.nodes[index];
        let log = node.home.join("node.log");
        let io_error = |operation: &'static str, object: &Path| {
            let object = object.display().to_string();
            move |source| LocalError::Io { operation, object, source }
        };
        let out = File::options().create(true).append(true).open(&log).map_err(io_error("open", &log))?;
        let errors = out.try_clone().map_err(io_error("open", &log))?;
        let child = Command::new(binary)
            .args(["node", "run", "--home"])
            .arg(&node.home)
            .envs(self.environment.iter().chain(&node.environment).map(|(name, value)| (name.as_str(), value.as_str())))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .spawn()
            .map_err(io_error("start", binary))?;
        node.child = Some(child);
        Ok(())
    }

    /// Starts all nodes.
    ///
    /// # Errors
    /// [`LocalError::Io`].
    pub fn start_all(&mut self) -> Result<(), LocalError> {
        (0..self.nodes.len()).try_for_each(|index| self.start(index))
    }

    /// The process id of a started node.
    pub fn pid(&self, index: usize) -> Option<u32> {
        self.nodes[index].child.as_ref().map(Child::id)
    }

    /// The exit status of node `index` once it has ended.
    pub fn ended(&mut self, index: usize) -> Option<std::process::ExitStatus> {
        self.nodes[index].child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// kill -9, and waits until the process is gone.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.nodes[index].child.take() {
            // Both fail only when the process is gone already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and waits for a clean end; true when the node exited with status 0 in time.
    pub fn stop(&mut self, index: usize) -> bool {
        let Some(mut child) = self.nodes[index].child.take() else {
            return true;
        };
        let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().is_ok_and(|status| status.success());
        let until = Instant::now() + STOP_WAIT;
        while sent && Instant::now() < until {
            if let Ok(Some(status)) = child.try_wait() {
                return status.success();
            }
            std::thread::sleep(POLL);
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    /// Stops all nodes at once; true when every one ended cleanly.
    pub fn stop_all(&mut self) -> bool {
        for node in &self.nodes {
            if let Some(child) = &node.child {
                let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            }
        }
        let mut clean = true;
        for index in 0..self.nodes.len() {
            clean &= self.stop(index);
        }
        clean
    }

    /// Status and body of a GET at node `index`.
    ///
    /// # Errors
    /// [`LocalError::Http`] when no answer comes.
    pub fn get(&self, index: usize, path: &str) -> Result<(u16, Vec<u8>), LocalError> {
        let url = format!("{}{path}", self.nodes[index].http);
        let failed = |found: String| LocalError::Http { url: url.clone(), found };
        let mut response = self.agent.get(&url).call().map_err(|error| failed(error.to_string()))?;
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().map_err(|error| failed(error.to_string()))?;
        Ok((response.status().as_u16(), body))
    }

    /// The JSON answer of a GET that succeeds.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn ask(&self, index: usize, path: &str) -> Result<Value, LocalError> {
        let (status, body) = self.get(index, path)?;
        let url = format!("{}{path}", self.nodes[index].http);
        if status != 200 {
            return Err(LocalError::Http { url, found: format!("status {status}: {}", String::from_utf8_lossy(&body)) });
        }
        json::parse(&body, Strings::WithNotes).map_err(|refusal| LocalError::Malformed { object: url, found: refusal.to_string() })
    }

    /// Status and body of a POST of a record note at node `index`.
    ///
    /// # Errors
    /// [`LocalError::Http`] when no answer comes.
    pub fn post(&self, index: usize, note: &str, query: &str) -> Result<(u16, Vec<u8>), LocalError> {
        let url = format!("{}/api/v1/records{query}", self.nodes[index].http);
        let failed = |found: String| LocalError::Http { url: url.clone(), found };
        let request = self.agent.post(&url).header("content-type", "text/plain");
        let mut response = request.send(note).map_err(|error| failed(error.to_string()))?;
        let body = response.body_mut().read_to_vec().map_err(|error| failed(error.to_string()))?;
        Ok((response.status().as_u16(), body))
    }

    /// Height and size of node `index`'s head.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn head(&self, index: usize) -> Result<(u64, u64), LocalError> {
        let status = self.ask(index, "/api/v1/status")?;
        let number = |name: &str| status.get("head").and_then(|head| head.get(name)).and_then(Value::as_u64);
        number("height")
            .zip(number("size"))
            .ok_or_else(|| LocalError::Malformed { object: format!("{}/api/v1/status", self.nodes[index].http), found: "no head".into() })
    }

    /// Waits until `condition` holds, asking again and again.
    ///
    /// # Errors
    /// [`LocalError::TimedOut`], naming `what`.
    pub fn wait_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&mut Self) -> bool,
    ) -> Result<Duration, LocalError> {
        let start = Instant::now();
        loop {
            if condition(self) {
                return Ok(start.elapsed());
            }
            if start.elapsed() > limit {
                return Err(LocalError::TimedOut { what: what.to_owned(), waited: limit });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until node `index` says it is ready.
    ///
    /// # Errors
    /// [`LocalError::TimedOut`].
    pub fn wait_ready(&mut self, index: usize, limit: Duration) -> Result<Duration, LocalError> {
        let what = format!("readiness of {}", self.nodes[index].agency);
        self.wait_until(&what, limit, |network| network.get(index, "/readyz").is_ok_and(|(status, _)| status == 200))
    }

    /// Waits until node `index` is ready and holds at least `size` leaves.
    ///
    /// # Errors
    /// [`LocalError::TimedOut`].
    pub fn wait_size(&mut self, index: usize, size: u64, limit: Duration) -> Result<Duration, LocalError> {
        let what = format!("size {size} at {}", self.nodes[index].agency);
        self.wait_until(&what, limit, |network| network.head(index).is_ok_and(|(_, found)| found >= size))
    }
}

impl Drop for LocalNetwork {
    fn drop(&mut self) {
        for index in 0..self.nodes.len() {
            self.kill(index);
        }
    }
}
