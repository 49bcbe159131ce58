//! The lines of a watch.

use super::prune;
use futures::{Stream, StreamExt};
use serde_json::Value;
use std::collections::VecDeque;

/// The longest line that is taken for an object; the store itself refuses far smaller ones.
const LONGEST: usize = 32 << 20;

/// What a watch says.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// An object was added or changed.
    Upsert(Value),
    /// An object is gone.
    Deleted(Value),
    /// Nothing happened up to this version.
    Bookmark(String),
    /// The server ends the watch with this code and message.
    Error(u16, String),
}

/// Cuts a body into frames; waiting for the next one may be abandoned and taken up again.
pub(super) struct Frames<S> {
    body: S,
    without: &'static [prune::Path],
    buffer: Vec<u8>,
    lines: VecDeque<Vec<u8>>,
}

impl<S, B, E> Frames<S>
where
    S: Stream<Item = Result<B, E>> + Unpin,
    B: AsRef<[u8]>,
    E: std::error::Error + 'static,
{
    /// Reads frames from a body; of each event the parts `without` are left out.
    pub fn new(body: S, without: &'static [prune::Path]) -> Self {
        Self { body, without, buffer: Vec::new(), lines: VecDeque::new() }
    }

    /// Returns the next frame; `None` when the watch has ended as it should.
    ///
    /// # Errors
    /// Says why the watch broke off, or what it sent that is no frame.
    pub async fn next(&mut self) -> Option<Result<Frame, String>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(frame(&line, self.without));
            }
            match self.body.next().await {
                Some(Ok(chunk)) => self.cut(chunk.as_ref()),
                Some(Err(e)) => return Some(Err(format!("the watch broke off: {}", super::wire::reason(&e)))),
                // What is left without an end of line is half an object: the next watch sends it again.
                None => return None,
            }
            if self.buffer.len() > LONGEST {
                return Some(Err("the watch sent a line that is too long for an object".into()));
            }
        }
    }

    fn cut(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, tail) = rest.split_at(end);
            self.buffer.extend_from_slice(line);
            rest = tail.get(1..).unwrap_or_default();
            let whole = std::mem::take(&mut self.buffer);
            if !whole.iter().all(u8::is_ascii_whitespace) {
                self.lines.push_back(whole);
            }
        }
        self.buffer.extend_from_slice(rest);
    }
}

fn frame(line: &[u8], without: &[prune::Path]) -> Result<Frame, String> {
    let mut event =
        prune::parse(line, without).map_err(|e| format!("the watch sent something that is no JSON: {e}"))?;
    let object = event["object"].take();
    match event["type"].as_str().unwrap_or_default() {
        "ADDED" | "MODIFIED" => Ok(Frame::Upsert(object)),
        "DELETED" => Ok(Frame::Deleted(object)),
        "BOOKMARK" => Ok(Frame::Bookmark(crate::model::resource_version(&object).to_owned())),
        "ERROR" => {
            let code = object["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
            Ok(Frame::Error(code, object["message"].as_str().unwrap_or("no reason given").to_owned()))
        }
        other => Err(format!("the watch sent an event of the unknown type {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_may_come_in_pieces_and_a_piece_may_hold_several_lines() {
        let text = concat!(
            r#"{"type":"ADDED","object":{"metadata":{"name":"a"}}}"#,
            "\n\n",
            r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"#,
            "\n",
            r#"{"type":"ERROR","object":{"code":410,"message":"too old"}}"#,
            "\n",
            r#"{"type":"ADDED","object":{"half"#,
        );
        for size in [1, 7, 60, 1000] {
            let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
                text.as_bytes().chunks(size).map(|c| Ok(c.to_vec())).collect();
            let mut frames = Frames::new(futures::stream::iter(chunks), &[]);
            assert!(matches!(frames.next().await, Some(Ok(Frame::Upsert(_)))));
            assert_eq!(frames.next().await, Some(Ok(Frame::Bookmark("7".into()))));
            assert_eq!(frames.next().await, Some(Ok(Frame::Error(410, "too old".into()))));
            assert_eq!(frames.next().await, None);
        }
    }

    #[tokio::test]
    async fn of_a_pod_only_what_decides_is_kept_and_of_another_kind_all() {
        let text = r#"{"type":"ADDED","object":{"metadata":{"name":"p","annotations":{"a":"b"},"managedFields":[1]},"spec":{"n":1},"status":{"phase":"Running"}}}"#;
        let read = async |kind| {
            let chunks = [Ok::<_, std::io::Error>(format!("{text}\n"))];
            let mut frames = Frames::new(futures::stream::iter(chunks), prune::of_event(kind));
            let Some(Ok(Frame::Upsert(object))) = frames.next().await else { panic!("no object") };
            object.to_string()
        };
        let lean = r#"{"metadata":{"name":"p"},"status":{"phase":"Running"}}"#;
        assert_eq!(read(crate::model::ResourceKind::Pod).await, lean);
        let whole = r#"{"metadata":{"annotations":{"a":"b"},"name":"p"},"spec":{"n":1},"status":{"phase":"Running"}}"#;
        assert_eq!(read(crate::model::ResourceKind::Deployment).await, whole);
    }

    #[tokio::test]
    async fn what_is_no_event_is_an_error() {
        for text in ["<html>\n", "{\"type\":\"NEW\"}\n"] {
            let mut frames =
                Frames::new(futures::stream::iter([Ok::<_, std::io::Error>(text.as_bytes().to_vec())]), &[]);
            assert!(matches!(frames.next().await, Some(Err(_))), "{text}");
        }
    }
}
