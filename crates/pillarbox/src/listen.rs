//! Opens every listener before any of them accepts, or none: a server never starts half-way.

use crate::failure::Failure;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;

/// Connections the kernel keeps for us until we accept them; it lowers this to what the system allows.
const BACKLOG: i32 = 4_096;
/// Finds clients that vanished while in IDLE, well before their session's limit.
const KEEPALIVE: Duration = Duration::from_secs(300);
/// A free port must be free for IPv4 and IPv6; somebody may be quicker.
const FREE_PORT_TRIES: usize = 50;

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// IMAP over TLS.
    Imap,
    /// POP3 over TLS.
    Pop,
    /// Submission over TLS.
    Smtps,
    /// Submission that begins in clear and goes on after STARTTLS.
    Submission,
    /// Mail from other servers.
    Incoming,
    /// Pages and endpoints over TLS.
    Web,
}

impl Service {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 6] = [
        Self::Imap,
        Self::Pop,
        Self::Smtps,
        Self::Submission,
        Self::Incoming,
        Self::Web,
    ];

    /// The name shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imap => "IMAP",
            Self::Pop => "POP",
            Self::Smtps | Self::Submission => "SMTP",
            Self::Incoming => "incoming",
            Self::Web => "web",
        }
    }

    /// The usual port.
    pub fn port(self) -> u16 {
        match self {
            Self::Imap => 993,
            Self::Pop => 995,
            Self::Smtps => 465,
            Self::Submission => 587,
            Self::Incoming => 25,
            Self::Web => 443,
        }
    }
}

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What for.
    pub service: Service,
    /// Where. Port 0 is any free one.
    pub address: SocketAddr,
}

/// A listener that is open; connections wait in the kernel until somebody accepts.
pub struct Open {
    /// What for.
    pub service: Service,
    /// Where.
    pub address: SocketAddr,
    /// The socket.
    pub listener: TcpListener,
}

/// Opens all of them or none.
pub fn open_all(wanted: &[Wanted], try_instead: &str) -> Result<Vec<Open>, Failure> {
    wanted
        .iter()
        .map(|one| open(*one).map_err(|error| refused(*one, &error, try_instead)))
        .collect()
}

/// The port of each service: that of its first address.
pub fn ports(open: &[Open]) -> Vec<(Service, u16)> {
    let mut ports: Vec<(Service, u16)> = Vec::new();
    for open in open {
        if !ports.iter().any(|(service, _)| *service == open.service) {
            ports.push((open.service, open.address.port()));
        }
    }
    ports
}

/// Opens every wanted service on both loopback addresses, on ports chosen by `port`; 0 is any free one.
pub fn open_loopback(
    wanted: impl Fn(Service) -> bool,
    port: impl Fn(Service) -> u16,
    try_instead: &str,
) -> Result<Vec<Open>, Failure> {
    let mut all = Vec::with_capacity(2 * Service::ALL.len());
    for service in Service::ALL.into_iter().filter(|service| wanted(*service)) {
        let port = port(service);
        let pair = if port == 0 {
            free_pair(service)
        } else {
            pair(service, port)
        };
        let wanted = Wanted {
            service,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        };
        all.extend(pair.map_err(|error| refused(wanted, &error, try_instead))?);
    }
    Ok(all)
}

/// A port that is free on both loopback addresses.
fn free_pair(service: Service) -> io::Result<Vec<Open>> {
    let mut last = io::ErrorKind::AddrInUse.into();
    for _ in 0..FREE_PORT_TRIES {
        match pair(service, 0) {
            Ok(pair) => return Ok(pair),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn pair(service: Service, port: u16) -> io::Result<Vec<Open>> {
    let four = open(Wanted {
        service,
        address: (Ipv4Addr::LOCALHOST, port).into(),
    })?;
    let port = four.address.port();
    match open(Wanted {
        service,
        address: (Ipv6Addr::LOCALHOST, port).into(),
    }) {
        Ok(six) => Ok(vec![four, six]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // A machine, often a container, without IPv6.
        Err(_) => Ok(vec![four]),
    }
}

fn open(wanted: Wanted) -> io::Result<Open> {
    let socket = Socket::new(
        Domain::for_address(wanted.address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?; // connections of the last run may still linger
    if let IpAddr::V6(address) = wanted.address.ip() {
        socket.set_only_v6(!address.is_unspecified())?; // `[::]` takes IPv4 as well
    }
    socket.set_nonblocking(true)?;
    // Accepted connections inherit these.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    socket.bind(&SockAddr::from(wanted.address))?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    Ok(Open {
        service: wanted.service,
        address: listener.local_addr()?,
        listener,
    })
}

fn refused(wanted: Wanted, error: &io::Error, try_instead: &str) -> Failure {
    let (port, name) = (wanted.address.port(), wanted.service.name());
    let text = match error.kind() {
        io::ErrorKind::AddrInUse => format!("port {port} ({name}) is taken by another program"),
        io::ErrorKind::PermissionDenied => {
            format!(
                "port {port} ({name}) may not be opened by this user: ports below 1024 need the right to do so"
            )
        }
        _ => {
            return Failure::could_not(format!(
                "cannot listen on {} ({name}): {error}",
                wanted.address
            ));
        }
    };
    Failure::could_not(if try_instead.is_empty() {
        text
    } else {
        format!("{text}. Try: {try_instead}")
    })
}
