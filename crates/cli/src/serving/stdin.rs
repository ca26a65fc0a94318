//! A parent that dies closes its children's standard input.

use std::io::Read as _;

use tokio::sync::oneshot;

/// That standard input has ended.
#[derive(Debug)]
pub(crate) struct StdinClosed(oneshot::Receiver<()>);

impl StdinClosed {
    /// Reads standard input in a thread of its own, which nobody has to end.
    pub(crate) fn watch() -> Self {
        let (sender, receiver) = oneshot::channel();
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            let mut buffer = [0; 256];
            while matches!(input.read(&mut buffer), Ok(read) if read > 0) {}
            // Nobody listens where the server has ended meanwhile.
            let _ = sender.send(());
        });
        Self(receiver)
    }

    pub(crate) async fn wait(self) {
        // Without the thread nothing more can be read either.
        let _ = self.0.await;
    }
}
