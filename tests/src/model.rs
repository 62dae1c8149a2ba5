//! A scripted server of chat completions.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::wait;

/// A server on a port of its own, which answers as it was told to; where it was told nothing it says `ok`.
#[derive(Debug)]
pub struct ModelServer {
    address: String,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    asked: Mutex<Vec<Asked>>,
    script: Mutex<VecDeque<Answer>>,
    go: Semaphore,
    left: AtomicUsize,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Its first line and its headers.
    pub head: String,
    /// Its body.
    pub body: Value,
}

impl Asked {
    /// The messages, each as `role: content`.
    pub fn messages(&self) -> Vec<String> {
        let messages = self.body["messages"].as_array().expect("messages");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        messages.iter().map(|m| format!("{}: {}", text(&m["role"]), text(&m["content"]))).collect()
    }
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    head: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Send(String),
    Hold,
    Cut,
}

impl Answer {
    /// An answer with this status, and a body of JSON or text.
    pub fn status(status: u16, body: &str) -> Self {
        let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
        Self { head: format!("HTTP/1.1 {status} Whatever\r\n"), parts: Vec::new() }
            .header("Content-Type", kind)
            .raw(body)
    }

    /// One document, in spite of what was asked for.
    pub fn document(body: &Value) -> Self {
        Self::status(200, &body.to_string())
    }

    /// A stream with nothing in it yet.
    pub fn stream() -> Self {
        Self { head: "HTTP/1.1 200 OK\r\n".to_owned(), parts: Vec::new() }
            .header("Content-Type", "text/event-stream")
    }

    /// A whole stream: the text word by word, its end, what it cost and the good-bye.
    pub fn words(text: &str) -> Self {
        text.split_inclusive(' ').fold(Self::stream(), Self::say).whole()
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.head, "{name}: {value}\r\n");
        self
    }

    /// More of the answer.
    #[must_use]
    pub fn say(self, text: &str) -> Self {
        self.delta(&json!({"content": text}))
    }

    /// A delta of any kind.
    #[must_use]
    pub fn delta(self, delta: &Value) -> Self {
        self.event(&json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))
    }

    /// The end, for this reason.
    #[must_use]
    pub fn finish(self, reason: &str) -> Self {
        self.event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
    }

    /// A good end, what it cost (5 and 7 tokens), and the good-bye.
    #[must_use]
    pub fn whole(self) -> Self {
        let usage = json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12});
        self.finish("stop").event(&json!({"choices": [], "usage": usage})).raw("data: [DONE]\n\n")
    }

    /// An event.
    #[must_use]
    pub fn event(self, data: &Value) -> Self {
        self.raw(&format!("data: {data}\n\n"))
    }

    /// Any text.
    #[must_use]
    pub fn raw(self, text: &str) -> Self {
        self.part(Part::Send(text.to_owned()))
    }

    /// Waits here for [`ModelServer::go_on`].
    #[must_use]
    pub fn hold(self) -> Self {
        self.part(Part::Hold)
    }

    /// Closes the connection here, in the middle of the body.
    #[must_use]
    pub fn cut(self) -> Self {
        self.part(Part::Cut)
    }

    fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }
}

impl ModelServer {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(State {
            asked: Mutex::default(),
            script: Mutex::default(),
            go: Semaphore::new(0),
            left: AtomicUsize::new(0),
        });
        let served = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(serve(socket, Arc::clone(&served)));
            }
        });
        Self { address, state, accepting }
    }

    /// Where it is.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// It answers the next requests so, in this order.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.script.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }

    /// Lets the answer go on that waits, or the next that will.
    pub fn go_on(&self) {
        self.state.go.add_permits(1);
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a client left in the middle of an answer that waited.
    pub fn left(&self) -> usize {
        self.state.left.load(Ordering::Relaxed)
    }

    /// Waits until it was asked so often.
    pub async fn until_asked(&self, times: usize) -> Asked {
        let state = async || format!("{:#?}", self.asked());
        let what = format!("the model is asked {times} times");
        wait::until(&what, state, async || self.asked().get(times - 1).cloned()).await
    }

    /// Waits until clients have left so often.
    pub async fn until_left(&self, times: usize) {
        let state = async || format!("{} have left; {:#?}", self.left(), self.asked());
        wait::until("the client leaves", state, async || (self.left() >= times).then_some(())).await;
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves one connection. Whatever goes wrong with it, the client has left.
async fn serve(socket: TcpStream, state: Arc<State>) {
    let (reading, mut writing) = socket.into_split();
    let mut reading = BufReader::new(reading);
    while let Some(asked) = receive(&mut reading).await {
        state.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        let scripted = state.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let answer = scripted.unwrap_or_else(|| Answer::words("ok"));
        let head = format!("{}Transfer-Encoding: chunked\r\n\r\n", answer.head);
        if writing.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        for part in answer.parts {
            match part {
                Part::Send(text) if text.is_empty() => {}
                Part::Send(text) => {
                    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
                    if writing.write_all(chunk.as_bytes()).await.is_err() {
                        return;
                    }
                }
                Part::Hold => tokio::select! {
                    permit = state.go.acquire() => permit.expect("it is never closed").forget(),
                    // A client that waits for its answer sends nothing.
                    _ = reading.fill_buf() => {
                        state.left.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                },
                Part::Cut => return,
            }
        }
        if writing.write_all(b"0\r\n\r\n").await.is_err() {
            return;
        }
    }
    // What it was sent is no request, or there is nobody left to read this.
    let _ = writing.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
}

async fn receive(reading: &mut BufReader<OwnedReadHalf>) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reading.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reading.read_exact(&mut body).await.ok()?;
    Some(Asked { head, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
