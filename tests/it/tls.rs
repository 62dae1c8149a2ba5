//! Encrypted connections, and to whom a token is sent (SPEC 9 and 10).

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use hive_shared::api::BotRecord;
use hive_tests::{Agent, Hive, Ran, control, ctl, finish};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Somebody who makes certificates that others trust.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).expect("it can be had");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("it can be had")).expect("it can be had")
}

/// A hive whose bot is to encrypt, and the file of whoever vouches for it.
fn encrypted(authority: &Authority, settings: &str) -> (Hive, PathBuf) {
    let hive = Hive::echo(20, &format!("{settings}\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\""));
    show(&hive, authority, "localhost");
    let ca = hive.root().join("ca.pem");
    fs::write(&ca, authority.pem()).expect("it can be had");
    (hive, ca)
}

/// Gives the bot a new certificate for a name.
fn show(hive: &Hive, authority: &Authority, name: &str) {
    let key = KeyPair::generate().expect("it can be had");
    let certificate = CertificateParams::new([name.to_owned()])
        .expect("it can be had")
        .signed_by(&key, authority)
        .expect("it can be had");
    let directory = hive.root();
    for (name, pem) in [("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())] {
        let aside = directory.join(format!("{name}.new"));
        fs::write(&aside, pem).expect("it can be had");
        fs::set_permissions(&aside, Permissions::from_mode(0o600)).expect("it can be had");
        fs::rename(&aside, directory.join(name)).expect("it can be had");
    }
}

async fn start(hive: &Hive, arguments: &[&str]) -> (Agent, String) {
    let agent = Agent::spawn(hive, arguments);
    let path = hive.paths().bot_record(hive.bot());
    let record =
        hive.until("it is ready", || serde_json::from_slice::<BotRecord>(&fs::read(&path).ok()?).ok());
    let port = record.await.url.rsplit_once(':').expect("it can be had").1.to_owned();
    (agent, port)
}

/// hivectl as on another machine, where there is no hive.
async fn from_afar(hive: &Hive, url: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let token = hive.paths().token(hive.bot());
    let mut command = control(hive, arguments);
    command.args(["--token-file", token.to_str().expect("it can be had")]).env("HIVE_URL", url);
    command.envs(variables.iter().copied()).current_dir("/");
    finish(command.spawn().expect("hivectl can be started")).await
}

#[tokio::test]
async fn on_this_machine_all_goes_on_as_without_encryption() {
    let authority = authority();
    let (hive, _) = encrypted(&authority, "");
    // Here nobody has to vouch for it, and its name does not matter.
    show(&hive, &authority, "some.other.example");
    let (mut agent, _) = start(&hive, &[]).await;
    let record: BotRecord =
        serde_json::from_slice(&fs::read(hive.paths().bot_record(hive.bot())).unwrap()).unwrap();
    assert!(record.url.starts_with("https://127.0.0.1:"), "{record:?}");
    let file = fs::File::create(hive.root().join("followed.txt")).unwrap();
    let follow = control(&hive, &["timeline", "-f", "-o", "ndjson"]).stdout(file).spawn().unwrap();
    let submitted = ctl(&hive, &["submit", "BOT-002", "hello", "--id", "ONE-1", "--wait"]).await.expect(0);
    assert!(submitted.err.is_empty() || !submitted.err.contains("down"), "{submitted:?}");
    assert_eq!(ctl(&hive, &["ask", "BOT-002", "and you?"]).await.expect(0).out, "and you?\n");
    // Another certificate is used without a restart, and clients that come back find it.
    show(&hive, &authority, "yet.another.example");
    hive.until("the new certificate counts", || {
        agent.is_alive().then(|| agent.stderr()).filter(|said| said.contains("read anew")).or_else(|| {
            let _ = TcpStream::connect(record.url.strip_prefix("https://").unwrap());
            None
        })
    })
    .await;
    assert_eq!(ctl(&hive, &["ask", "BOT-002", "still?"]).await.expect(0).out, "still?\n");
    agent.terminate();
    assert!(agent.ended().await.status.success());
    let (_agent, _) = start(&hive, &[]).await;
    ctl(&hive, &["submit", "BOT-002", "again", "--id", "TWO-1", "--wait"]).await.expect(0);
    let followed = hive.until("the follower is back", || {
        Some(hive.work_file("followed.txt")).filter(|text| text.contains("TWO-1"))
    });
    assert!(followed.await.contains("ONE-1"));
    hive_tests::interrupt(&follow);
    finish(follow).await.expect(130);
}

#[tokio::test]
async fn from_another_machine_the_certificate_must_be_trusted_and_of_that_name() {
    let authority = authority();
    let (hive, ca) = encrypted(&authority, "allowed_hosts = [\"localhost\"]");
    // Encrypted, it may listen beyond this machine.
    let (agent, port) = start(&hive, &["--listen", "0.0.0.0:0"]).await;
    let ca = ca.to_str().unwrap();
    let url = format!("https://localhost:{port}");
    let trusted = [("HIVE_CA", ca)];
    let asked = from_afar(&hive, &url, &trusted, &["ask", "BOT-002", "hello there"]).await.expect(0);
    assert_eq!(asked.out, "hello there\n");
    from_afar(&hive, &url, &trusted, &["submit", "BOT-002", "x", "--wait"]).await.expect(0);
    let by_flag = from_afar(&hive, &url, &[], &["status", "--ca", ca]).await.expect(0);
    assert!(by_flag.out.contains("BOT-002"), "{by_flag:?}");

    // Its own certificate will do, if somebody has carried that over.
    let own = hive.root().join("cert.pem");
    let own = [("HIVE_CA", own.to_str().unwrap())];
    from_afar(&hive, &url, &own, &["ask", "BOT-002", "hello"]).await.expect(0);
    let unknown = from_afar(&hive, &url, &[], &["status"]).await.expect(3);
    assert!(unknown.err.contains("certificate") && unknown.err.contains("HIVE_CA"), "{unknown:?}");
    let other_name = format!("https://127.0.0.1:{port}");
    let misnamed = from_afar(&hive, &other_name, &trusted, &["ask", "BOT-002", "hi"]).await.expect(3);
    assert!(misnamed.err.contains("certificate"), "{misnamed:?}");
    let plain = from_afar(&hive, &format!("http://127.0.0.1:{port}"), &[], &["status"]).await.expect(3);
    assert!(plain.err.contains("https://"), "{plain:?}");
    let none = from_afar(&hive, &url, &[("HIVE_CA", "/nowhere.pem")], &["status"]).await.expect(2);
    assert!(none.err.contains("/nowhere.pem"), "{none:?}");

    // Whoever does not encrypt is answered by nobody.
    let mut plain = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.windows(6).any(|part| part == b"health" || part == b"HTTP/1"), "{answer:?}");
    assert!(!agent.stderr().contains("without encryption"), "{}", agent.stderr());
}

#[tokio::test]
async fn what_cannot_encrypt_does_not_start_and_says_why() {
    let authority = authority();
    let (hive, _) = encrypted(&authority, "");
    let key = hive.root().join("key.pem");
    fs::set_permissions(&key, Permissions::from_mode(0o646)).unwrap();
    for arguments in [&[][..], &["--check"]] {
        let exit = Agent::run(&hive, arguments).await;
        assert_eq!(exit.status.code(), Some(1), "{exit:?}");
        assert!(exit.stderr.contains("'chmod go-w ") && exit.stderr.contains("tls_key"), "{exit:?}");
    }
    fs::remove_file(&key).unwrap();
    let exit = Agent::run(&hive, &[]).await;
    assert!(!exit.status.success() && exit.stderr.contains("key.pem cannot be read"), "{exit:?}");
    assert!(!hive.paths().token(hive.bot()).exists(), "it was not to start");
}

#[tokio::test]
async fn a_token_does_not_travel_unencrypted_beyond_this_machine_unless_it_is_insisted_on() {
    let hive = Hive::echo(0, "");
    let _agent = Agent::start(&hive).await;
    // An address that is nobody's, so that nothing would answer.
    let url = "http://192.0.2.1:1";
    let refused = from_afar(&hive, url, &[], &["status"]).await.expect(2);
    assert!(refused.err.contains("unencrypted") && refused.err.contains("--insecure"), "{refused:?}");
    let mut command = control(&hive, &["status", "--insecure", "--url", url]);
    command.env("HIVE_TOKEN", "x".repeat(43)).stderr(Stdio::piped());
    // It tries.
    assert_eq!(finish(command.spawn().unwrap()).await.exit, 3);
}
