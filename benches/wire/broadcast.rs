//! The limit: an axum server that sends every frame it gets to everybody, and does nothing else.
//!
//! It speaks just enough of the protocol to be measured by the same clients. A `push` carries commits
//! as they are to go out; they leave in the same frames in which Lockstep sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;

use crate::load::{BETWEEN, COMMITS_HEAD, MARK};

/// Frames that wait for one reader, as many as Lockstep lets wait.
const OUTBOUND: usize = 256;

enum Input {
    Join(usize, mpsc::Sender<Utf8Bytes>),
    Leave(usize),
    Push(Utf8Bytes),
}

/// Serves until it is killed.
pub fn serve(batched: bool) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let (inputs, waiting) = mpsc::channel(1_024);
        tokio::spawn(hub(waiting, batched));
        let next = Arc::new(AtomicUsize::new(0));
        let app = Router::new()
            .route(
                "/api/v1/ws",
                get(|upgrade: WebSocketUpgrade, State((inputs, next)): State<Shared>| async move {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    upgrade.read_buffer_size(4096).on_upgrade(move |socket| session(socket, id, inputs))
                }),
            )
            .with_state((inputs, next));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("Broadcast is at http://{}", listener.local_addr().expect("its address"));
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, app).await.expect("serves");
    });
}

type Shared = (mpsc::Sender<Input>, Arc<AtomicUsize>);

async fn session(socket: WebSocket, id: usize, inputs: mpsc::Sender<Input>) {
    let (mut sink, mut stream) = socket.split();
    let (sender, mut outbound) = mpsc::channel::<Utf8Bytes>(OUTBOUND);
    let mut sender = Some(sender);
    let writer = tokio::spawn(async move {
        while let Some(frame) = outbound.recv().await {
            if sink.send(Message::Text(frame)).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        let input = if text.starts_with(MARK) {
            Input::Push(text)
        } else if text.contains("\"join\"") {
            let Some(sender) = sender.take() else { continue };
            let _ = sender.send(r#"{"type":"joined","revision":0}"#.into()).await;
            Input::Join(id, sender)
        } else {
            continue;
        };
        if inputs.send(input).await.is_err() {
            break;
        }
    }
    let _ = inputs.send(Input::Leave(id)).await;
    writer.abort();
}

/// Sends to everybody what anybody pushes: batched, one frame for all that waits.
async fn hub(mut waiting: mpsc::Receiver<Input>, batched: bool) {
    let mut everybody: Vec<(usize, mpsc::Sender<Utf8Bytes>)> = Vec::new();
    let mut inputs = Vec::new();
    let mut pushes: Vec<Utf8Bytes> = Vec::new();
    while waiting.recv_many(&mut inputs, 1_024).await > 0 {
        for input in inputs.drain(..) {
            match input {
                Input::Join(id, sender) => everybody.push((id, sender)),
                Input::Leave(id) => everybody.retain(|(other, _)| *other != id),
                Input::Push(text) => pushes.push(text),
            }
        }
        let mut frames: Vec<Utf8Bytes> = Vec::new();
        if batched && !pushes.is_empty() {
            let commits: Vec<&str> = pushes.iter().map(|push| &push[MARK.len()..]).collect();
            frames.push(frame(&commits.join(BETWEEN)));
        } else {
            frames.extend(pushes.iter().flat_map(|push| push[MARK.len()..].split(BETWEEN)).map(frame));
        }
        pushes.clear();
        for frame in frames {
            for (_, sender) in &everybody {
                let _ = sender.send(frame.clone()).await;
            }
        }
    }
}

fn frame(commits: &str) -> Utf8Bytes {
    format!("{COMMITS_HEAD}{commits}]}}").into()
}
