//! A plain file server over files in memory: what any static host does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::chain::Files;

/// Serves the files until the process ends; gives the address.
pub fn serve(files: Files) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let files = Arc::new(files);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, files) = (stream.unwrap(), files.clone());
            std::thread::spawn(move || answer(stream, &files));
        }
    });
    url
}

/// Answers the requests of one connection; one that is broken ends it.
fn answer(mut stream: TcpStream, files: &Files) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut request = String::new();
        reader.read_line(&mut request).ok()?;
        let path = request.split(' ').nth(1)?.to_owned();
        let mut header = String::new();
        while reader.read_line(&mut header).ok()? > 2 {
            header.clear();
        }
        let (status, body) = files.0.get(&path).map_or(("404 Not Found", &[][..]), |bytes| ("200 OK", bytes));
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
        stream.write_all(body).ok()?;
    }
}
