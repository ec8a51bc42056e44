//! A signal between a story and a script on the rack. A script sees no folder of the story (its `/tmp` is its own), so it goes
//! over a socket on loopback.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};

use crate::DEADLINE;

/// Scripts wait in front of it until it is opened.
pub struct Gate {
    listener: TcpListener,
}

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self { listener: TcpListener::bind(("127.0.0.1", 0)).unwrap() }
    }

    /// Python that connects: `gate` is the socket.
    pub fn connect(&self) -> String {
        let port = self.listener.local_addr().unwrap().port();
        format!("import socket\ngate = socket.create_connection(('127.0.0.1', {port}))\n")
    }

    /// Python that waits until the gate is opened.
    pub fn wait(&self) -> String {
        format!("{}gate.recv(1)\n", self.connect())
    }

    /// Lets all through, from now on.
    pub fn open(self) {
        // Each connection is closed at once, which is the signal; the thread ends with the test's process.
        std::thread::spawn(move || self.listener.incoming().for_each(drop));
    }

    /// The next one that has connected.
    pub fn accept(&self) -> Visitor {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Visitor { stream }
    }
}

/// A process that holds a connection for as long as it lives.
pub struct Visitor {
    stream: TcpStream,
}

impl Visitor {
    /// Waits until the process is gone, whatever it sends until then.
    ///
    /// # Panics
    /// When it still lives after [`DEADLINE`].
    pub fn gone(mut self) {
        let mut bytes = [0; 4096];
        let start = std::time::Instant::now();
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Ok(_) => assert!(start.elapsed() < DEADLINE, "it lives and talks on"),
                Err(error) => panic!("it lives and is silent: {error}"),
            }
        }
    }
}
