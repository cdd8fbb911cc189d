//! Messages off a stream, and the answer to what is none: headers, then so many bytes of JSON.
//! Knows nothing of what messages mean; whatever comes, it takes no more memory than a message may have.

use std::io::{self, BufRead, Read, Write};

use lsp_server::{ErrorCode, Message};
use serde_json::{Value as Json, json};

/// Longest message, in bytes: texts of more than 16 MB are not looked into.
const LONGEST: u64 = 128 * 1024 * 1024;
/// Longest line of a header, in bytes.
const LONGEST_HEADER: u64 = 4 * 1024;

/// What came.
#[derive(Debug)]
pub enum Came {
    /// A message.
    Message(Message),
    /// None, with the answer to it.
    Broken(Json),
}

/// The next message; none at the end of the stream.
pub fn read(input: &mut impl BufRead) -> io::Result<Option<Came>> {
    let Some(length) = read_headers(input)? else { return Ok(None) };
    let Some(length) = length else {
        return Ok(Some(broken(ErrorCode::ParseError, "a message begins with its `Content-Length`", Json::Null)));
    };
    let mut body = input.take(length);
    if length > LONGEST {
        io::copy(&mut body, &mut io::sink())?;
        let words = format!("a message may have {LONGEST} bytes, this one has {length}");
        return Ok(Some(broken(ErrorCode::ParseError, &words, Json::Null)));
    }
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Ok(None);
    }
    let json: Json = match serde_json::from_slice(&bytes) {
        Ok(json) => json,
        Err(e) => return Ok(Some(broken(ErrorCode::ParseError, &format!("this is no JSON: {e}"), Json::Null))),
    };
    // Only a request has a right to an answer under its id: to a broken answer of the client's it would be one of its own.
    let id = json.get("id").filter(|id| json.get("method").is_some() && (id.is_string() || id.is_i64()));
    let id = id.cloned().unwrap_or_default();
    Ok(Some(match serde_json::from_value(json) {
        Ok(message) => Came::Message(message),
        Err(_) => broken(ErrorCode::InvalidRequest, "this is no message of the protocol", id),
    }))
}

/// The length that the headers name, if they name one; none at the end of the stream.
#[expect(clippy::option_option, reason = "the stream may be over, and the length may be missing")]
fn read_headers(input: &mut impl BufRead) -> io::Result<Option<Option<u64>>> {
    let mut length = None;
    let mut seen = false;
    loop {
        let mut line = Vec::new();
        if input.take(LONGEST_HEADER).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        match line.trim().split_once(':') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok();
            }
            Some(_) => {}
            None if line.trim().is_empty() && seen => return Ok(Some(length)),
            None => {}
        }
        seen = seen || !line.trim().is_empty();
    }
}

/// Sends the answer to what was no message: the library's own answers need an id.
pub fn write(output: &mut impl Write, answer: &Json) -> io::Result<()> {
    let answer = answer.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{answer}", answer.len())?;
    output.flush()
}

fn broken(code: ErrorCode, words: &str, id: Json) -> Came {
    let error = json!({ "code": code as i32, "message": words });
    Came::Broken(json!({ "jsonrpc": "2.0", "id": id, "error": error }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The methods of the messages that come, and the codes of the answers to what is none.
    fn came(stream: &str) -> Vec<String> {
        let mut input = stream.as_bytes();
        let mut all = Vec::new();
        while let Some(came) = read(&mut input).expect("bytes in memory can be read") {
            all.push(match came {
                Came::Message(Message::Request(asked)) => asked.method,
                Came::Message(Message::Notification(told)) => told.method,
                Came::Message(Message::Response(_)) => "response".to_owned(),
                Came::Broken(answer) => format!("{} of {}", answer["error"]["code"], answer["id"]),
            });
        }
        all
    }

    #[test]
    fn headers_are_read_as_clients_write_them() {
        let body = r#"{"jsonrpc":"2.0","method":"m"}"#;
        let length = body.len();
        for headers in [
            format!("Content-Length: {length}\r\n\r\n"),
            format!("content-length:{length}\r\nContent-Type: x; charset=utf-8\r\n\r\n"),
            format!("Content-Length:  {length} \n\n"),
            format!("\r\nContent-Length: {length}\r\n\r\n"),
        ] {
            assert_eq!(came(&format!("{headers}{body}{headers}{body}")), ["m", "m"], "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_message_is_answered_and_the_next_one_is_read() {
        let good = "Content-Length: 30\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"m\"}";
        for (bad, answer) in [
            ("Content-Length: 2\r\n\r\n{x", "-32700 of null"),
            ("Content-Length: 2\r\n\r\n12", "-32600 of null"),
            ("Content-Length: 8\r\n\r\n{\"id\":7}", "-32600 of null"),
            ("Content-Length: 19\r\n\r\n{\"id\":7,\"method\":1}", "-32600 of 7"),
            ("Content-Length: many\r\n\r\n", "-32700 of null"),
            ("Content-Type: x\r\n\r\n", "-32700 of null"),
        ] {
            assert_eq!(came(&format!("{bad}{good}")), [answer, "m"], "{bad:?}");
        }
    }

    #[test]
    fn a_length_beyond_all_memory_takes_none() {
        assert_eq!(came("Content-Length: 99999999999999\r\n\r\n{}"), ["-32700 of null"]);
        assert_eq!(came("Content-Length: 100000000\r\n\r\n{}"), [""; 0], "the stream is over before the message is");
    }
}
