//! A web server over one folder, as a mirror is, that can be made to lie: every answer passes through
//! one function of the test. One request per connection; ranges are served.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path, from `/`.
    pub path: String,
    /// First and last byte, if a range was asked for.
    pub range: Option<(u64, u64)>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Range`, if any.
    pub range: Option<String>,
    /// What is sent.
    pub body: Vec<u8>,
    /// What `Content-Length` says, if it is there; the body's length at first.
    pub claimed: Option<usize>,
    /// More header lines, each with its line end.
    pub headers: String,
    /// What comes after the body.
    pub tail: Tail,
}

/// What comes after the body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The end of the connection.
    Close,
    /// One byte after the other, slowly, until the client leaves.
    Drip,
    /// More and more, until the client leaves.
    Endless,
    /// Nothing, until the client leaves.
    Silence,
}

/// Bytes that an endless answer has, lest a client without limits take the machine down.
const ENDLESS_BYTES: usize = 512 << 20;
/// Between two bytes that drip.
const DRIP_INTERVAL: Duration = Duration::from_millis(5);

impl Answer {
    /// Replaces the body; its length is told truly.
    pub fn set_body(&mut self, body: Vec<u8>) {
        self.claimed = Some(body.len());
        self.body = body;
    }

    /// Replaces the whole answer by an error.
    pub fn fail(&mut self, status: u16) {
        (self.status, self.range) = (status, None);
        self.set_body(b"an error page".to_vec());
    }
}

type Tamper = Box<dyn Fn(&Asked, &mut Answer) + Send + Sync>;

struct State {
    folder: PathBuf,
    tamper: Mutex<Arc<Tamper>>,
    asked: Mutex<Vec<String>>,
    headers: Mutex<BTreeSet<String>>,
    stop: AtomicBool,
}

/// A running mirror; it ends when dropped.
pub struct Mirror {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    /// Serves `folder` at a free port of the local host.
    pub fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let honest: Tamper = Box::new(|_, _| {});
        let state = Arc::new(State {
            folder: folder.to_owned(),
            tamper: Mutex::new(Arc::new(honest)),
            asked: Mutex::default(),
            headers: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let shared = state.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (stream, shared.clone()) else {
                    continue;
                };
                // A client that is killed ends its connection; nobody waits for these threads.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self {
            address,
            state,
            thread: Some(thread),
        }
    }

    /// Where it is, without a final `/`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has every answer from now on changed by `tamper`.
    pub fn tamper(&self, tamper: impl Fn(&Asked, &mut Answer) + Send + Sync + 'static) {
        let tamper: Tamper = Box::new(tamper);
        *self.state.tamper.lock().unwrap() = Arc::new(tamper);
    }

    /// Has every answer from now on left as it is.
    pub fn be_honest(&self) {
        self.tamper(|_, _| {});
    }

    /// The header lines of all requests, in small letters.
    pub fn headers(&self) -> BTreeSet<String> {
        self.state.headers.lock().unwrap().clone()
    }

    /// The paths that were asked for since the last call.
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.state.asked.lock().unwrap())
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url())
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut line, mut range) = (String::new(), None);
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
                break;
            }
            let header = header.trim().to_ascii_lowercase();
            self.headers.lock().unwrap().insert(header.clone());
            if let Some(value) = header.strip_prefix("range: bytes=") {
                let (first, last) = value.trim().split_once('-').unwrap();
                range = Some((first.parse().unwrap(), last.parse().unwrap()));
            }
        }
        let asked = Asked { path, range };
        self.asked.lock().unwrap().push(asked.path.clone());
        let mut answer = self.honest_answer(&asked);
        let tamper = self.tamper.lock().unwrap().clone();
        tamper(&asked, &mut answer);
        send(stream, &answer)
    }

    fn honest_answer(&self, asked: &Asked) -> Answer {
        let mut answer = Answer {
            status: 200,
            range: None,
            body: Vec::new(),
            claimed: None,
            headers: String::new(),
            tail: Tail::Close,
        };
        let public = [
            "/metadata/",
            "/blobs/",
            "/targets/",
            "/trees/",
            "/heads/",
            "/log/",
        ];
        let allowed = public.iter().any(|start| asked.path.starts_with(start));
        let file = self.folder.join(asked.path.trim_start_matches('/'));
        match fs::read(file) {
            Ok(bytes) if allowed => match asked.range {
                Some((first, last)) => {
                    let total = bytes.len();
                    let first_at = usize::try_from(first).unwrap();
                    let end = usize::try_from(last + 1).unwrap().min(total);
                    answer.status = 206;
                    answer.range = Some(format!("bytes {first}-{}/{total}", end - 1));
                    answer.set_body(bytes.get(first_at..end).unwrap_or_default().to_vec());
                }
                None => answer.set_body(bytes),
            },
            _ => answer.fail(404),
        }
        answer
    }
}

fn send(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} said\r\nConnection: close\r\n", answer.status);
    if let Some(length) = answer.claimed {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    if let Some(range) = &answer.range {
        head.push_str(&format!("Content-Range: {range}\r\n"));
    }
    head.push_str(&answer.headers);
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(&answer.body)?;
    stream.flush()?;
    match answer.tail {
        Tail::Close => Ok(()),
        Tail::Drip => drip(stream),
        Tail::Silence => stream.read(&mut [0]).map(drop),
        Tail::Endless => {
            let piece = vec![b'x'; 1 << 16];
            (0..ENDLESS_BYTES / piece.len()).try_for_each(|_| stream.write_all(&piece))
        }
    }
}

fn drip(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(DRIP_INTERVAL))?;
    loop {
        stream.write_all(b" ")?;
        match stream.read(&mut [0]) {
            Ok(0) => return Ok(()),
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(error);
            }
            _ => {}
        }
    }
}
