//! A port for a process that is about to be started.

use std::{io, net::Ipv4Addr};

use tokio::net::TcpSocket;

/// A port that the system gives to nobody else while this value lives.
///
/// Asking for a free port, letting go of it and passing its number on leaves a moment in which it
/// becomes an outgoing connection of anybody. This one stays bound, never listens, and allows its
/// address to be used again, as servers do: so a process may listen on it meanwhile.
#[derive(Debug)]
pub struct ReservedPort {
    number: u16,
    _bound: TcpSocket,
}

impl ReservedPort {
    /// Reserves a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When the system has none.
    pub fn new() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self {
            number: socket.local_addr()?.port(),
            _bound: socket,
        })
    }

    /// The port.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn whoever_was_told_the_number_can_listen_and_be_reached() {
        let port = ReservedPort::new().unwrap();
        assert!(TcpStream::connect(("127.0.0.1", port.number())).is_err());
        // As the functions do: on all addresses.
        let server = TcpListener::bind(("0.0.0.0", port.number())).unwrap();
        TcpStream::connect(("127.0.0.1", port.number())).unwrap();
        drop(server);
        TcpListener::bind(("127.0.0.1", port.number())).unwrap();
    }

    #[test]
    fn no_connection_and_no_other_reservation_gets_it() {
        let port = ReservedPort::new().unwrap();
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = server.local_addr().unwrap();
        let connections: Vec<_> = (0..500)
            .map(|_| {
                (
                    TcpStream::connect(address).unwrap(),
                    server.accept().unwrap(),
                )
            })
            .collect();
        let taken = |number: u16| number == port.number();
        assert!(
            !connections
                .iter()
                .any(|(it, _)| taken(it.local_addr().unwrap().port()))
        );
        let others: Vec<_> = (0..500).map(|_| ReservedPort::new().unwrap()).collect();
        assert!(!others.iter().any(|it| taken(it.number())));
    }
}
