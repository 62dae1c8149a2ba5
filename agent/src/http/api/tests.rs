//! Queries as clients ask them, and as chance does.

mod corpus;

use std::sync::LazyLock;

use axum::http::Uri;
use hive_shared::time::Stamp;
use hive_shared::work::{Kind, Source, Status};
use proptest::prelude::*;

use super::*;

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
