//! What open connections cost the server.

use std::path::Path;

use bytes::Bytes;
use http::Request;
use http::header::HOST;

use crate::Failure;
use crate::backend::{Backend, Kind};
use crate::http::Connection;
use crate::server::ServerProcess;

/// Connections that are opened at the same time.
const AT_ONCE: usize = 200;

/// The server's memory.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Sockets that the server held open besides those it had before.
    pub connections: usize,
    /// Bytes before the first connection.
    pub before: u64,
    /// Bytes with all of them.
    pub resident: u64,
}

/// Opens so many keep-alive connections, has one request answered on each, and keeps them.
///
/// # Errors
/// Where a connection is refused or closed: also by the limit of open files, which has to be above their number.
pub async fn memory(
    kind: Kind,
    binary: &Path,
    directory: Option<&Path>,
    connections: usize,
) -> Result<Memory, Failure> {
    let backend = Backend::fresh(kind, directory)?;
    let server = ServerProcess::start(binary, &backend).await?;
    let (before, own) = (server.resident()?, server.sockets()?);
    let mut open = Vec::with_capacity(connections);
    while open.len() < connections {
        let more = AT_ONCE.min(connections - open.len());
        let opened = (0..more).map(|_| async {
            let mut connection = Connection::open(server.address()).await?;
            connection.send(&health()?).await?.success()?;
            Ok::<_, Failure>(connection)
        });
        open.extend(futures::future::try_join_all(opened).await?);
    }
    let memory = Memory {
        connections: server.sockets()?.saturating_sub(own),
        before,
        resident: server.resident()?,
    };
    // None of them was given up meanwhile.
    if let Some(first) = open.first_mut() {
        first.send(&health()?).await?.success()?;
    }
    Ok(memory)
}

fn health() -> Result<Request<Bytes>, Failure> {
    let request = Request::get("/healthz").header(HOST, "load");
    Ok(request.body(Bytes::new())?)
}
