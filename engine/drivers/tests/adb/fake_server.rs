//! A FAKE adb server with a fake device, on loopback. It speaks the protocol of the server (`OKAY`, `FAIL`, lengths) and of the services
//! that the driver uses, and stands for no real device: what a device does with a key is not tried with it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const SERIAL: &str = "fake-0001";

/// How the device behaves.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// As `adb devices` tells.
    pub(crate) state: &'static str,
    /// Knows version 2 of the shell.
    pub(crate) modern: bool,
    /// Status of `input`.
    pub(crate) status: u8,
    /// What `screencap -p` gives; `None`: it never answers.
    pub(crate) screen: Option<Vec<u8>>,
}

impl Default for Device {
    fn default() -> Self {
        Self { state: "device", modern: true, status: 0, screen: Some(picture([10, 20, 30])) }
    }
}

/// 4 x 2 pixels of one colour, as a device gives them: with transparency.
pub(crate) fn picture(colour: [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 4, 2);
    encoder.set_color(png::ColorType::Rgba);
    let data = [colour[0], colour[1], colour[2], 255].repeat(8);
    encoder.write_header().unwrap().write_image_data(&data).unwrap();
    file
}

#[derive(Debug, Default)]
struct Inner {
    device: Device,
    /// Services that were asked for.
    asked: Vec<String>,
}

/// Ends with all its connections when it is dropped.
#[derive(Debug)]
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    _tasks: JoinSet<()>,
}

impl FakeServer {
    pub(crate) async fn start(device: Device) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Mutex::new(Inner { device, asked: Vec::new() }));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&inner)));
        Self { address, inner, _tasks: tasks }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Device)) {
        change(&mut self.inner.lock().unwrap().device);
    }

    /// Services that were asked for and begin so.
    pub(crate) fn asked(&self, begin: &str) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        inner.asked.iter().filter(|service| service.starts_with(begin)).cloned().collect()
    }
}

async fn accept(listener: TcpListener, inner: Arc<Mutex<Inner>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let inner = Arc::clone(&inner);
        connections.spawn(async move {
            let _ = serve(stream, &inner).await;
        });
    }
}

async fn serve(mut stream: TcpStream, inner: &Mutex<Inner>) -> std::io::Result<()> {
    loop {
        let mut digits = [0; 4];
        stream.read_exact(&mut digits).await?;
        let length = usize::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap();
        let mut service = vec![0; length];
        stream.read_exact(&mut service).await?;
        let service = String::from_utf8(service).unwrap();
        let device = {
            let mut inner = inner.lock().unwrap();
            inner.asked.push(service.clone());
            inner.device.clone()
        };
        // After the transport the connection goes on; after all else it ends.
        if let Some(serial) = service.strip_prefix("host:transport:") {
            if serial == SERIAL && device.state == "device" {
                stream.write_all(b"OKAY").await?;
                continue;
            }
            let why = if serial == SERIAL {
                format!("device {}", device.state)
            } else {
                format!("device '{serial}' not found")
            };
            return fail(&mut stream, &why).await;
        }
        return one(&mut stream, &service, &device).await;
    }
}

async fn one(stream: &mut TcpStream, service: &str, device: &Device) -> std::io::Result<()> {
    match service.split_once(':').unwrap_or_default() {
        ("host", "version") => stream.write_all(b"OKAY00040029").await,
        ("host", "devices") => {
            let list = format!("{SERIAL}\t{}\nother\toffline\n", device.state);
            stream.write_all(format!("OKAY{:04x}{list}", list.len()).as_bytes()).await
        }
        ("shell,v2", command) if device.modern => {
            let (text, status) = run(command, device);
            let mut packets = b"OKAY".to_vec();
            // In two parts, as a device may send it.
            let (first, second) = text.split_at(text.len() / 2);
            for part in [first, second] {
                packets.push(1);
                packets.extend(u32::try_from(part.len()).unwrap().to_le_bytes());
                packets.extend(part.as_bytes());
            }
            packets.extend([3, 1, 0, 0, 0, status]);
            stream.write_all(&packets).await
        }
        ("shell", command) => stream.write_all(format!("OKAY{}", run(command, device).0).as_bytes()).await,
        ("exec", "screencap -p") => {
            stream.write_all(b"OKAY").await?;
            match &device.screen {
                Some(file) => stream.write_all(file).await,
                None => std::future::pending().await,
            }
        }
        _ => fail(stream, "closed").await,
    }
}

fn run(command: &str, device: &Device) -> (String, u8) {
    match command {
        "getprop ro.product.model" => ("Fake TV\r\n".to_owned(), 0),
        "getprop ro.build.version.release" => ("12\n".to_owned(), 0),
        _ if command.starts_with("input keyevent KEYCODE_") && device.status == 0 => (String::new(), 0),
        _ => ("Error: it did not like that\n".to_owned(), device.status.max(1)),
    }
}

async fn fail(stream: &mut TcpStream, why: &str) -> std::io::Result<()> {
    stream.write_all(format!("FAIL{:04x}{why}", why.len()).as_bytes()).await
}
