//! A relay of bytes that can be cut, frozen and closed: what a network does to connections.

use super::Wrong;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It passes everything on.
    Open,
    /// It passes nothing on, and says nothing.
    Frozen,
    /// Connections end as soon as they begin.
    Closed,
}

pub struct Relay {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Counted up: every connection ends.
    cuts: watch::Sender<u64>,
    _tasks: JoinSet<()>,
}

impl Relay {
    /// A relay before this address.
    pub async fn before(upstream: String) -> Result<Relay, Wrong> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| format!("no relay: {e}"))?;
        let address = listener.local_addr().map_err(|e| format!("no relay: {e}"))?;
        let (mode, cuts) = (watch::Sender::new(Mode::Open), watch::Sender::new(0));
        let mut tasks = JoinSet::new();
        let (modes, all) = (Arc::new(mode.subscribe()), Arc::new(cuts.subscribe()));
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                if *modes.borrow() != Mode::Closed {
                    open.spawn(pass(stream, upstream.clone(), (*modes).clone(), (*all).clone()));
                }
                while open.try_join_next().is_some() {}
            }
        });
        Ok(Relay { address, mode, cuts, _tasks: tasks })
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends every connection that is open.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn pass(client: TcpStream, upstream: String, modes: watch::Receiver<Mode>, mut cuts: watch::Receiver<u64>) {
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
    cuts.mark_unchanged();
    tokio::select! {
        () = copy(client_in, server_out, modes.clone()) => {}
        () = copy(server_in, client_out, modes) => {}
        _ = cuts.changed() => {}
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut modes: watch::Receiver<Mode>,
) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(count) = from.read(&mut piece).await {
        if count == 0 || modes.wait_for(|mode| *mode == Mode::Open).await.is_err() {
            return;
        }
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
}

/// The kubeconfig `from` with this relay before its server, as the file `name` beside it; and the server's address.
pub async fn before(from: &Path, name: &str) -> Result<(Relay, PathBuf), Wrong> {
    let text = std::fs::read_to_string(from).map_err(|e| format!("{}: {e}", from.display()))?;
    let server = text.split("https://").nth(1).and_then(|rest| rest.split(['"', '\n', ' ', ',']).next());
    let server = server.ok_or(format!("{} names no server", from.display()))?.to_owned();
    let relay = Relay::before(server.clone()).await?;
    let path = from.with_file_name(name);
    let text = text.replace(&server, &relay.address.to_string());
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok((relay, path))
}
