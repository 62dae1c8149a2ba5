//! Queries as clients ask them, and as chance does; answers while the bot goes.

mod corpus;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock, Mutex, mpsc};

use axum::http::Uri;
use futures::FutureExt as _;
use hive_shared::ids::BotId;
use hive_shared::paths::Hive;
use hive_shared::time::Stamp;
use hive_shared::work::{Kind, Source, Status};
use proptest::prelude::*;

use super::*;
use crate::disk_state::DiskState;
use crate::http::{Connections, Door, Readers};
use crate::hub::Hub;
use crate::request::{Listing, Place};
use crate::signals::Signals;
use crate::store::{Detail, Item, KeepTrying, Store};
use crate::token::TokenFile;

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    // Another test may have done so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
});

fn query() -> impl Strategy<Value = TimelineQuery> {
    use prop::option::of;
    use prop::sample::select;
    let stamp = || of((0_i64..4_000_000_000_000_000).prop_map(Stamp::from_micros));
    let times = (of(any::<u64>()), of(any::<String>()), stamp(), stamp());
    let filters = (of(select(Source::ALL)), of(select(Kind::ALL)), of(select(Status::ALL)));
    (times, filters, of(any::<String>()), of(any::<usize>()), any::<bool>()).prop_map(
        |((after_seq, before, since, until), (source, kind, status), q, limit, steps)| TimelineQuery {
            after_seq,
            before,
            since,
            until,
            source,
            kind,
            status,
            q,
            limit,
            steps,
        },
    )
}

proptest! {
    /// What a client asks is what is understood, whatever is in its words.
    #[test]
    fn a_timeline_query_is_read_as_written(query in query()) {
        let request = CLIENT.get("http://localhost/").query(&query).build().unwrap();
        let uri: Uri = request.url().as_str().parse().unwrap();
        prop_assert_eq!(Query::<TimelineQuery>::try_from_uri(&uri).unwrap().0, query);
    }

    #[test]
    fn any_query_is_read_or_refused(
        text in "((after_seq|before|since|until|source|kind|status|q|limit|steps|x)=[!-~&&[^#]]{0,12}&?){0,4}",
    ) {
        if let Ok(uri) = format!("http://localhost/?{text}").parse::<Uri>() {
            let _ = Query::<TimelineQuery>::try_from_uri(&uri);
        }
    }
}

/// The server of a bot whose ledger has this task, and whose driver is gone.
fn without_a_driver(dir: &std::path::Path, id: &ItemId) -> Shared {
    let (hive, bot) = (Hive::at(dir), BotId::parse("BOT-2").unwrap());
    hive.create(Some(&bot)).unwrap();
    let database = hive.database(&bot);
    let mut store = Store::open(&database, Box::new(|_| KeepTrying::No)).unwrap();
    let (title, digest) = ("A title".to_owned(), "d".to_owned());
    store.put_item(&mut Item::new(id.clone(), Source::File, title, digest, Detail::default())).unwrap();
    store.commit().unwrap();
    let (driver, _) = mpsc::channel();
    let token = TokenFile::holding(hive.token(&bot), "secret".to_owned());
    Arc::new(Service {
        door: Door::new(token, ([127, 0, 0, 1], 1).into(), Vec::new(), Vec::new()),
        hive,
        bot,
        mode: hive_shared::work::Mode::Hybrid,
        adapter: "echo",
        epoch: store.epoch().to_owned(),
        hub: Hub::new(store.seq(), DiskState::default()),
        driver,
        requests: Readers::new(database.clone(), 1),
        laggards: Readers::new(database.clone(), 1),
        database,
        signals: Signals::default(),
        closing: tokio_util::sync::CancellationToken::new(),
        connections: Connections::allowed(),
        refusals: Mutex::default(),
        last_connection: AtomicU64::new(0),
    })
}

#[tokio::test]
async fn a_task_that_was_taken_is_not_refused_because_the_bot_goes() {
    let dir = tempfile::tempdir().unwrap();
    let id: ItemId = "TASK-1".parse().unwrap();
    let shared = without_a_driver(dir.path(), &id);
    assert_eq!(shared.detail(&id).await.unwrap_err().code(), code::STOPPING);
    let submitted = Submitted { id: id.clone(), is_new: true, file: None };
    let answer = shared.submitted(submitted).await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let task: TaskDetail = serde_json::from_slice(&body).unwrap();
    assert_eq!((task.task.task_id, task.task.status), (id, Status::Queued));
}

#[tokio::test]
async fn while_the_disk_is_in_trouble_what_is_known_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let id: ItemId = "TASK-1".parse().unwrap();
    let mut shared = without_a_driver(dir.path(), &id);
    // A driver that does not answer.
    let (driver, _requests) = mpsc::channel();
    Arc::get_mut(&mut shared).unwrap().driver = driver;
    let (asked, disk) = (Arc::clone(&shared), shared.hub.disk().clone());
    let listing = async { asked.inquire(|answer| Request::Queue { after: None, limit: 1, answer }).await };
    let (listing, ()) = tokio::join!(listing, async {
        tokio::task::yield_now().await;
        disk.set_ledger(Some("no space left".to_owned()));
    });
    let problem = listing.map(|_| ()).unwrap_err();
    assert_eq!(problem.code(), code::UNAVAILABLE);
    assert!(problem.message().contains("no space left"), "{problem:?}");
    let detail = shared.detail(&id).await.unwrap();
    assert_eq!((detail.task.status, detail.task.position), (Status::Queued, None));
    let listing = shared.live_tasks(None, 10).await.unwrap();
    assert_eq!(
        listing,
        Listing { places: vec![Place { id, status: Status::Queued, position: None }], total: 1 }
    );
    // What is not durable yet.
    disk.set_ledger(None);
    disk.set_results(true);
    assert_eq!(shared.visible_at(99).now_or_never(), Some(0));
}
