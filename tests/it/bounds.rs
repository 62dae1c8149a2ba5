//! What a stranger who is slow to say who he is cannot hold up (SPEC 9).

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use hive_tests::{Agent, DEADLINE, Hive};

/// What comes until the other side hangs up, which it is to do by itself.
fn until_hung_up(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(DEADLINE * 2)).expect("it can be had");
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it does not hang up: {error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Says a bit of a request every now and then, and never comes to its end.
fn drip(mut stream: TcpStream) -> String {
    let mut writer = stream.try_clone().expect("it can be had");
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("it can be had");
    let mut byte = [0];
    // Longer than anybody would listen to it.
    for _ in 0..DEADLINE.as_millis() / 100 {
        if writer.write_all(b"x").is_err() {
            return String::new();
        }
        match stream.read(&mut byte) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(0) | Err(_) => return String::new(),
            Ok(_) => return String::from_utf8_lossy(&byte).into_owned() + &until_hung_up(stream),
        }
    }
    panic!("it listens for ever");
}

#[tokio::test]
async fn whoever_is_slow_to_say_who_he_is_is_cut_off() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let connect = || TcpStream::connect(agent.address()).expect("the bot listens");
    let silent = connect();
    let mut half = connect();
    half.write_all(b"GET /health HTTP/1.1\r\nHost: local").unwrap();
    let mut dripping = connect();
    dripping.write_all(b"GET /health HTTP/1.1\r\nX-Long: ").unwrap();
    let mut idle = connect();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut told = connect();
    let token = agent.token();
    let head = format!(
        "POST /api/bot/{}/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"instr",
        hive.bot()
    );
    told.write_all(head.as_bytes()).unwrap();
    let slow = [
        std::thread::spawn(move || until_hung_up(silent)),
        std::thread::spawn(move || until_hung_up(half)),
        std::thread::spawn(move || drip(dripping)),
        std::thread::spawn(move || until_hung_up(idle)),
        std::thread::spawn(move || until_hung_up(told)),
    ];
    // Nobody else is held up by them.
    hive.drop_task("TASK-1.md", "words");
    hive.answer("TASK-1").await;
    assert_eq!(agent.api().status().await["counts"]["completed"], 1);
    let said = tokio::task::spawn_blocking(move || slow.map(|one| one.join().expect("it is cut off")));
    let [silent, half, dripping, idle, told] = said.await.unwrap();
    assert_eq!(silent, "");
    assert!(!half.contains("200 OK") && !dripping.contains("200 OK"), "{half} {dripping}");
    assert!(idle.contains("200 OK"), "what was asked is answered: {idle}");
    assert!(told.starts_with("HTTP/1.1 400 "), "nor whoever has the token and says half: {told}");
}

#[tokio::test]
async fn a_head_beyond_the_bounds_is_refused() {
    let hive = Hive::echo(0, "");
    let agent = Agent::start(&hive).await;
    let many = "X-Many: y\r\n".repeat(100);
    let long = format!("X-Long: {}\r\n", "y".repeat(600 << 10));
    for headers in [many, long] {
        let mut stream = TcpStream::connect(agent.address()).unwrap();
        let request =
            format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
        // It may hang up before all was said.
        let _ = stream.write_all(request.as_bytes());
        let answer = until_hung_up(stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(agent.api().get("/health").await.status, 200);
}
