//! The loop of the language server: messages in, answers out, and a check whenever texts have been quiet for a moment.
//! Knows nothing of pipelines: what to answer, the other modules of this folder say.

use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use hprun_steps::StepType;
use lsp_server::{ErrorCode, Message, Notification, Request, Response};
use serde_json::Value as Json;

use super::analysis::{Analysis, analyse};
use super::desk::{Desk, ToCheck};
use super::protocol;
use super::wire::{self, Came};
use crate::params::{ParamProblems, ParamSpecs, Params};

/// How long after a change a check begins: what is typed meanwhile goes into it.
const QUIET: Duration = Duration::from_millis(5);
/// A wait that ends with the next message.
const LONG: Duration = Duration::from_secs(3600);

/// Gives values to params, as far as there are any.
pub type Giver = Box<dyn Fn(&ParamSpecs) -> Result<Params, ParamProblems> + Send>;

/// What the server works with.
pub struct Neighbours {
    /// The step types.
    pub types: &'static [StepType],
    /// The values of params.
    pub give: Giver,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By `exit` after `shutdown`, as the protocol has it.
    Asked,
    /// By `exit` without `shutdown`, or because the client is gone.
    Unasked,
}

/// What the loop waits for.
enum Incoming {
    Message(Message),
    /// What is no message, with the answer to it.
    Broken(Json),
    /// What was found in a text; none where the check itself broke.
    Checked(Box<(ToCheck, Option<Analysis>)>),
    Closed,
}

/// Serves until the client ends it. Nothing but the protocol is written to `output`.
pub fn serve(input: impl BufRead + Send + 'static, output: impl Write, neighbours: Neighbours) -> io::Result<End> {
    let (sender, incoming) = channel();
    let (to_check, texts) = channel();
    let Neighbours { types, give } = neighbours;
    let (read, checked) = (sender.clone(), sender);
    std::thread::spawn(move || read_messages(input, &read));
    std::thread::spawn(move || check_texts(&texts, &checked, types, &give));
    let server = Server {
        output,
        desk: Desk::new(types),
        to_check,
        is_checking: false,
        due: Instant::now(),
        phase: Phase::Before,
        can_watch: false,
    };
    server.run(&incoming)
}

fn read_messages(mut input: impl BufRead, messages: &Sender<Incoming>) {
    loop {
        let next = match wire::read(&mut input) {
            Ok(Some(Came::Message(message))) => Incoming::Message(message),
            // The broken message is behind us; the next one may be whole.
            Ok(Some(Came::Broken(answer))) => {
                tracing::warn!("a message could not be read: {}", answer["error"]["message"]);
                Incoming::Broken(answer)
            }
            Ok(None) | Err(_) => Incoming::Closed,
        };
        let is_over = matches!(next, Incoming::Closed);
        if messages.send(next).is_err() || is_over {
            return;
        }
    }
}

fn check_texts(texts: &Receiver<ToCheck>, checked: &Sender<Incoming>, types: &'static [StepType], give: &Giver) {
    for text in texts {
        let check = || analyse(&text.text, types, &|inputs| text.disk.load(inputs), give.as_ref());
        // A bug in a check must not end the help with the rest; the panic's own message is on stderr.
        let analysis = catch_unwind(AssertUnwindSafe(check)).ok();
        if checked.send(Incoming::Checked(Box::new((text, analysis)))).is_err() {
            return;
        }
    }
}

/// Where the conversation stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before `initialize`.
    Before,
    /// In the middle of it.
    Open,
    /// After `shutdown`.
    After,
}

struct Server<W> {
    output: W,
    desk: Desk,
    to_check: Sender<ToCheck>,
    is_checking: bool,
    due: Instant,
    phase: Phase,
    /// Whether the client can be asked to watch files.
    can_watch: bool,
}

impl<W: Write> Server<W> {
    fn run(mut self, incoming: &Receiver<Incoming>) -> io::Result<End> {
        loop {
            match incoming.recv_timeout(self.wait()) {
                Ok(Incoming::Message(Message::Notification(told))) if told.method == "exit" => {
                    return Ok(if self.phase == Phase::After { End::Asked } else { End::Unasked });
                }
                Ok(Incoming::Message(Message::Request(asked))) => {
                    let answer = self.answer(asked);
                    Message::Response(answer).write(&mut self.output)?;
                }
                Ok(Incoming::Message(Message::Notification(told))) => self.take(told)?,
                // To what we ask there is no answer but yes; without it files are looked at when texts change.
                Ok(Incoming::Message(Message::Response(_))) => {}
                Ok(Incoming::Broken(answer)) => wire::write(&mut self.output, &answer)?,
                Ok(Incoming::Checked(checked)) => {
                    let (text, analysis) = *checked;
                    self.is_checking = false;
                    let told = analysis.map(|analysis| self.desk.take_analysis(&text, analysis));
                    // After `shutdown` only answers may come.
                    if self.phase == Phase::Open {
                        self.tell(told.unwrap_or_default())?;
                    }
                }
                Ok(Incoming::Closed) | Err(RecvTimeoutError::Disconnected) => return Ok(End::Unasked),
                Err(RecvTimeoutError::Timeout) => self.check_next(),
            }
        }
    }

    /// How long the next message may take until a text is checked.
    fn wait(&self) -> Duration {
        let is_waiting = self.phase == Phase::Open && self.desk.has_stale() && !self.is_checking;
        if is_waiting { self.due.saturating_duration_since(Instant::now()) } else { LONG }
    }

    /// Sends the newest of the texts that changed to be checked; one at a time, so that none is checked in vain.
    fn check_next(&mut self) {
        let Some(text) = self.desk.next_stale() else { return };
        // The other side ends only with this one.
        self.is_checking = self.to_check.send(text).is_ok();
    }

    fn tell(&mut self, told: Vec<Json>) -> io::Result<()> {
        told.into_iter().try_for_each(|params| {
            let told = Notification { method: "textDocument/publishDiagnostics".to_owned(), params };
            Message::Notification(told).write(&mut self.output)
        })
    }

    fn answer(&mut self, asked: Request) -> Response {
        let Request { id, method, params } = asked;
        let wrong = |code: ErrorCode, words: &str| Response::new_err(id.clone(), code as i32, words.to_owned());
        match (self.phase, method.as_str()) {
            (Phase::Before, "initialize") => {
                self.phase = Phase::Open;
                self.desk.encoding = protocol::encoding(&params);
                self.can_watch = protocol::can_watch(&params);
                Response::new_ok(id, protocol::capabilities(self.desk.encoding))
            }
            (Phase::Before, _) => wrong(ErrorCode::ServerNotInitialized, "`initialize` comes first"),
            (Phase::After, _) => wrong(ErrorCode::InvalidRequest, "after `shutdown` only `exit` may come"),
            (Phase::Open, "initialize") => wrong(ErrorCode::InvalidRequest, "`initialize` came already"),
            (Phase::Open, "shutdown") => {
                self.phase = Phase::After;
                Response::new_ok(id, Json::Null)
            }
            (Phase::Open, method) => match catch_unwind(AssertUnwindSafe(|| self.desk.answer(method, params))) {
                Err(_) => wrong(ErrorCode::InternalError, "this is a bug in hprun: stderr says more"),
                Ok(Some(Ok(answer))) => Response::new_ok(id, answer),
                Ok(Some(Err(e))) => wrong(ErrorCode::InvalidParams, &format!("`{method}` came with wrong params: {e}")),
                Ok(None) => wrong(ErrorCode::MethodNotFound, &format!("`{method}` is not known here")),
            },
        }
    }

    fn take(&mut self, told: Notification) -> io::Result<()> {
        if self.phase != Phase::Open {
            return Ok(());
        }
        if told.method == "initialized" && self.can_watch {
            let method = "client/registerCapability".to_owned();
            let asked = Request { id: "files".to_owned().into(), method, params: protocol::watch() };
            Message::Request(asked).write(&mut self.output)?;
        }
        let was_stale = self.desk.has_stale();
        match self.desk.take(&told.method, told.params) {
            Ok(findings) => self.tell(findings)?,
            Err(e) => tracing::warn!("`{}` came with wrong params: {e}", told.method),
        }
        if self.desk.has_stale() && !was_stale {
            self.due = Instant::now() + QUIET;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn after_shutdown_no_text_is_checked() {
        let (to_check, _texts) = channel();
        let desk = Desk::new(&[]);
        let (due, output) = (Instant::now(), Vec::new());
        let phase = Phase::Open;
        let mut server = Server { output, desk, to_check, is_checking: false, due, phase, can_watch: false };
        let opened = json!({ "uri": "untitled:p", "version": 1, "text": "apiVersion: hprun/v1" });
        server.desk.take("textDocument/didOpen", json!({ "textDocument": opened })).expect("it is well-formed");
        assert_eq!(server.wait(), Duration::ZERO);
        server.answer(Request { id: 1.into(), method: "shutdown".to_owned(), params: Json::Null });
        assert_eq!(server.wait(), LONG);
    }
}
