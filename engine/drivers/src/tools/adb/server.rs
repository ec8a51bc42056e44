//! The adb server's own protocol ("smart sockets"): a request is four hexadecimal digits of its length and its text; the answer begins with
//! `OKAY` or with `FAIL` and a reason. `host:transport:SERIAL` makes the rest of a connection one to the device.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most bytes that a command on a device may print.
const MAX_SAID: usize = 64 << 10;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// There is no server.
    #[error("no adb server at {address}: {why}; start it with `adb start-server`, or set server")]
    Unreachable { address: String, why: String },
    /// It said no.
    #[error("adb server at {address} refused {request}: {why}{}", remedy(.why))]
    Refused { address: String, request: String, why: String },
    /// What it said is no answer.
    #[error("adb server at {address}, {request}: {why}")]
    Broken { address: String, request: String, why: String },
    /// It said nothing in time.
    #[error("adb server at {address}, {request}: no answer within {} ms; is the device asleep or its cable loose?", .limit.as_millis())]
    Late { address: String, request: String, limit: Duration },
}

fn remedy(why: &str) -> &'static str {
    if why.contains("not found") {
        "; `adb devices` lists those that are there"
    } else if why.contains("unauthorized") {
        "; confirm this host's key on the screen of the device"
    } else if why.contains("offline") {
        "; reconnect it, or run `adb reconnect`"
    } else {
        ""
    }
}

/// What a command on the device said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    /// 0: well. `None`: an old device, which does not tell.
    pub(super) status: Option<u8>,
}

/// Where a server listens.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) address: String,
    /// For one request with its whole answer.
    pub(super) limit: Duration,
}

impl Server {
    /// The version of its protocol, such as 41.
    pub(super) async fn version(&self) -> Result<u32, Fault> {
        let text = self.answer("host:version").await?;
        u32::from_str_radix(&text, 16).map_err(|_| self.broken("host:version", format!("{text:?} is no version")))
    }

    /// Serial numbers and states of the devices that it knows.
    pub(super) async fn devices(&self) -> Result<Vec<(String, String)>, Fault> {
        let text = self.answer("host:devices").await?;
        let device = |line: &str| line.split_once('\t').map(|(serial, state)| (serial.to_owned(), state.to_owned()));
        Ok(text.lines().filter_map(device).collect())
    }

    /// Runs a command on a device.
    pub(super) async fn shell(&self, serial: &str, command: &str) -> Result<Said, Fault> {
        let request = format!("shell,v2:{command}");
        let modern = async {
            let mut device = self.device(serial, &request).await?;
            self.packets(&mut device, &request).await
        };
        match self.in_time(&request, modern).await {
            // Devices before Android 7 know nothing of version 2.
            Err(Fault::Refused { request: refused, .. }) if refused == request => self.old_shell(serial, command).await,
            said => said,
        }
    }

    async fn old_shell(&self, serial: &str, command: &str) -> Result<Said, Fault> {
        let request = format!("shell:{command}");
        let work = async {
            let device = self.device(serial, &request).await?;
            let bytes = self.rest(device, &request, MAX_SAID).await?;
            Ok(Said { text: String::from_utf8_lossy(&bytes).trim().to_owned(), status: None })
        };
        self.in_time(&request, work).await
    }

    /// All that a command on a device prints, as it is; `accepted` is called when it begins.
    pub(super) async fn exec(
        &self,
        serial: &str,
        command: &str,
        most: usize,
        accepted: impl FnOnce() + Send,
    ) -> Result<Vec<u8>, Fault> {
        let request = format!("exec:{command}");
        let work = async {
            let device = self.device(serial, &request).await?;
            accepted();
            self.rest(device, &request, most).await
        };
        self.in_time(&request, work).await
    }

    /// A request to the server itself, answered with a text.
    async fn answer(&self, request: &str) -> Result<String, Fault> {
        let work = async {
            let mut stream = self.connect().await?;
            self.ask(&mut stream, request).await?;
            self.text(&mut stream, request).await
        };
        self.in_time(request, work).await
    }

    /// A connection to a service of the device.
    async fn device(&self, serial: &str, service: &str) -> Result<TcpStream, Fault> {
        let mut stream = self.connect().await?;
        self.ask(&mut stream, &format!("host:transport:{serial}")).await?;
        self.ask(&mut stream, service).await?;
        Ok(stream)
    }

    async fn connect(&self) -> Result<TcpStream, Fault> {
        let connected = TcpStream::connect(&self.address).await;
        connected.map_err(|error| Fault::Unreachable { address: self.address.clone(), why: error.to_string() })
    }

    async fn ask(&self, stream: &mut TcpStream, request: &str) -> Result<(), Fault> {
        let message = format!("{:04x}{request}", request.len());
        let mut status = [0; 4];
        let asked = async {
            stream.write_all(message.as_bytes()).await?;
            stream.read_exact(&mut status).await
        };
        asked.await.map_err(|error| self.broken(request, error.to_string()))?;
        match &status {
            b"OKAY" => Ok(()),
            b"FAIL" => {
                let (address, request) = (self.address.clone(), request.to_owned());
                let why = self.text(stream, &request).await?;
                Err(Fault::Refused { address, request, why })
            }
            other => {
                let why = format!("it began with {:?}; is it an adb server?", String::from_utf8_lossy(other));
                Err(self.broken(request, why))
            }
        }
    }

    /// Four digits of its length, and a text: 64 kB at most.
    async fn text(&self, stream: &mut TcpStream, request: &str) -> Result<String, Fault> {
        let mut digits = [0; 4];
        stream.read_exact(&mut digits).await.map_err(|error| self.broken(request, error.to_string()))?;
        let length = std::str::from_utf8(&digits).ok().and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let length = length
            .ok_or_else(|| self.broken(request, format!("{:?} is no length", String::from_utf8_lossy(&digits))))?;
        let mut text = vec![0; usize::from(length)];
        stream.read_exact(&mut text).await.map_err(|error| self.broken(request, error.to_string()))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// To the end of the connection.
    async fn rest(&self, stream: TcpStream, request: &str, most: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let read = stream.take(most as u64 + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| self.broken(request, error.to_string()))?;
        if bytes.len() > most {
            return Err(self.broken(request, format!("it gave more than {most} bytes")));
        }
        Ok(bytes)
    }

    /// Packets of the shell's version 2: a kind, four bytes of length with the lowest first, and so many bytes.
    async fn packets(&self, stream: &mut TcpStream, request: &str) -> Result<Said, Fault> {
        let broken = |error: std::io::Error| self.broken(request, error.to_string());
        let mut said = Vec::new();
        loop {
            let kind = stream.read_u8().await.map_err(broken)?;
            let length = stream.read_u32_le().await.map_err(broken)? as usize;
            if length > MAX_SAID || said.len() + length > MAX_SAID {
                return Err(self.broken(request, format!("it gave more than {MAX_SAID} bytes")));
            }
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).await.map_err(broken)?;
            match kind {
                // Standard output and error.
                1 | 2 => said.extend(bytes),
                3 => {
                    let status = Some(bytes.first().copied().unwrap_or(u8::MAX));
                    return Ok(Said { text: String::from_utf8_lossy(&said).trim().to_owned(), status });
                }
                other => return Err(self.broken(request, format!("it sent a packet of the unknown kind {other}"))),
            }
        }
    }

    fn broken(&self, request: &str, why: String) -> Fault {
        Fault::Broken { address: self.address.clone(), request: request.to_owned(), why }
    }

    async fn in_time<T>(&self, request: &str, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let late = |_| Fault::Late { address: self.address.clone(), request: request.to_owned(), limit: self.limit };
        tokio::time::timeout(self.limit, work).await.map_err(late)?
    }
}
